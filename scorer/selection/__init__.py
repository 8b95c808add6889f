"""Chooses pixels of an image from its scores."""
