"""MiniBirds: drawn birds of invented species, described in English, made from a seed."""
