"""Where pictures and descriptions come from."""
