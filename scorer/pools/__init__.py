"""Where the images of a pool live, and how they are listed and read: a file for each place."""

from scorer.pools.collection import Collection, Entry

__all__ = ["Collection", "Entry"]
