"""The pixels of an image that must not be chosen."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
from PIL import Image

from scorer.errors import BadImage
from scorer.images.geometry import Geometry
from scorer.images.photograph import MAX_PIXELS
from scorer.labels import Labels

Map = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Exclusion:
    """Excludes the pixels in `labels`, and the non-zero pixels of masks in the folder `masks`.

    A mask has the image's size and is called <name of the image>.png; it may be missing.
    """

    labels: Labels
    masks: Path | None = None

    def of(self, name: str, geometry: Geometry) -> Map:
        """The excluded pixels of the map: uint8, 1 if excluded, including padding. Raises
        BadImage.
        """
        exclude = geometry.exclude()
        if other := self.labels.other_size(name, geometry.image):
            (height, width), (true_height, true_width) = other, geometry.image
            raise BadImage(
                "labels of another size",
                f"given at {height}x{width}, the image is {true_height}x{true_width}",
            )
        for click in self.labels.of(name):
            if not geometry.contains(click.row, click.col):
                height, width = geometry.image
                place = f"row {click.row}, col {click.col} in an image of {height}x{width}"
                raise BadImage("label outside the image", place)
            exclude[geometry.to_map(click.row, click.col)] = 1
        if self.masks is not None:
            self._mask(self.masks / mask_name(name), geometry, exclude)
        return exclude

    def _mask(self, path: Path, geometry: Geometry, exclude: Map) -> None:
        try:
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise BadImage("exclusion mask too large")
                mask = np.asarray(image)
        except FileNotFoundError:
            return
        except (OSError, ValueError, SyntaxError) as error:
            reason = getattr(error, "strerror", None) or str(error).replace(str(path), "it")
            raise BadImage("exclusion mask unreadable", reason) from error
        if mask.shape != geometry.image:
            height, width = geometry.image
            raise BadImage(
                "exclusion mask of another size",
                f"{mask.shape}, the image {height}x{width}",
            )
        height, width = geometry.mapped
        exclude[:height, :width] |= (mask[geometry.originals()] != 0).astype(np.uint8)


def mask_name(image: str) -> str:
    """The path of an image's mask: the image's path, with .png."""
    return PurePosixPath(image).with_suffix(".png").as_posix()


def outside_random_pool(exclude: Map, noise: npt.NDArray[np.float32], size: int) -> Map:
    """Keep only `size` randomly drawn eligible pixels eligible (margin: Shin et al. 2021)."""
    draw = np.where(exclude == 0, noise, -1).ravel()
    chosen = np.argsort(-draw, kind="stable")[:size]
    outside = np.ones_like(exclude)
    outside.ravel()[chosen] = exclude.ravel()[chosen]
    return outside
