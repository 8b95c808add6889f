"""Ranks the pixels of an image pool with an exported scoring graph. Needs no PyTorch."""

__version__ = "0.2.0"
