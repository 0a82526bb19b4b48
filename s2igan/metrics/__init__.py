"""Pure functions on arrays: retrieval, distances, intervals; and how a figure is written."""
