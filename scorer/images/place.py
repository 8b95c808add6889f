"""A pixel of an image, with the sizes of the image and of the grid."""

from dataclasses import dataclass, fields
from typing import Any

from scorer.images.geometry import Geometry


@dataclass(frozen=True, kw_only=True)
class Place:
    """The pixel (row, col), from 0, of an upright image of height x width pixels.

    grid_height, grid_width: the network's grid that the pixel was chosen on; None if unknown. Base
    class of questions, answers, ranked pixels and exchanged points.
    """

    image: str
    row: int
    col: int
    height: int
    width: int
    grid_height: int | None = None
    grid_width: int | None = None

    @classmethod
    def at(cls, image: str, geometry: Geometry, row: int, col: int) -> "Place":
        """The pixel (row, col) of an image with this geometry."""
        (height, width), (grid_height, grid_width) = geometry.image, geometry.grid
        return Place(
            image=image, row=row, col=col, height=height, width=width,
            grid_height=grid_height, grid_width=grid_width,
        )  # fmt: skip

    @property
    def pixel(self) -> tuple[str, int, int]:
        """The identity of the pixel: image, row, col."""
        return self.image, self.row, self.col

    @property
    def coordinates(self) -> dict[str, Any]:
        """The fields of a Place, by name."""
        return {name: getattr(self, name) for name in NAMES}


NAMES = tuple(field.name for field in fields(Place))
