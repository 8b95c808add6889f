"""Masks of a pool: the class that a plain network gives every pixel of every image."""
