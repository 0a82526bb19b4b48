"""Measurements of speed, kept out of the tests; each module is a command."""
