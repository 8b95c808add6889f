"""Ranks a pool: from images to a ranking file."""
