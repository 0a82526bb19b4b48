"""S2IGAN (Interspeech 2020): from a spoken description straight to a picture, without text."""

__version__ = "0.1.0"
