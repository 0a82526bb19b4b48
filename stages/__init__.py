"""The stages of ``dvc.yaml``, one thin module each: paths, one config section, one function."""
