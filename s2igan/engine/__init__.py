"""What every room needs: packed arrays and tables, devices, checkpoints, tracking."""
