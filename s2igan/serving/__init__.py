"""One trained model as a thing to use."""
