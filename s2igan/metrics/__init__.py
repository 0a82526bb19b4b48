"""Pure functions on arrays: retrieval, distances, intervals."""
