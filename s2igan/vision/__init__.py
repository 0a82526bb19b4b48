"""Crops, packed pixels and pretrained backbones."""
