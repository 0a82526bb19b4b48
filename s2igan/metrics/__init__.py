"""Pure functions on arrays: retrieval, Fréchet distance, inception score, intervals."""
