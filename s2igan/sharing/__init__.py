"""Outputs of the pipeline, shared by a team through a DVC remote."""
