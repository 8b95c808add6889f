"""The interface for progress reports of a ranking."""

from collections.abc import Mapping


class Observer:
    """Receives progress reports; this base class ignores them."""

    def listed(self, images: int) -> None:
        """Number of images found so far while the pool is listed."""

    def begun(self, images: int, stale: Mapping[str, int]) -> None:
        """Number of images to be done, and number of invalid parts, by the reason."""

    def assembled(self, parts: int) -> None:
        """Number of parts that are kept although another runtime scored them."""

    def scored(self, images: int) -> None:
        """Number of images done, including those of an earlier run."""
