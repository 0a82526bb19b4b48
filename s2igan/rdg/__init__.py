"""Relation-supervised Densely-stacked Generative model (paper §2.3)."""
