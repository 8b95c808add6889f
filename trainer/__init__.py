"""Trains MC-dropout segmentation networks from a few labelled pixels; holds THE formulas."""
