"""Who hears how far a ranking is."""

from collections.abc import Mapping


class Observer:
    """Does nothing with it."""

    def listed(self, images: int) -> None:
        """So many images of the pool were found so far."""

    def begun(self, images: int, stale: Mapping[str, int]) -> None:
        """So many are to be done; how many parts hold no longer, by what has changed."""

    def assembled(self, parts: int) -> None:
        """So many parts are kept although another runtime has scored them."""

    def scored(self, images: int) -> None:
        """So many are done, with those of an earlier run."""
