"""Segments a pool with a plain network: writes a mask of every image."""
