"""What is written of a segmented image: its mask, how sure it is, and a picture for people."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from scorer.files import replacing_path
from scorer.images.colours import Colour
from scorer.images.photograph import Encoded, load_full
from scorer.segmentation.segmenter import UNKNOWN, Segmented
from scorer.selection.exclusion import mask_name

_OPACITY = 0.5


@dataclass(frozen=True)
class Folders:
    """Folders: of the masks, and if they are wanted of the confidences and of the overlays."""

    masks: Path
    confidence: Path | None = None
    overlay: Path | None = None

    def absolute(self) -> "Folders":
        """That hold in another folder, too."""
        others = (self.confidence, self.overlay)
        return Folders(self.masks.absolute(), *(one and one.absolute() for one in others))

    def mask(self, image: str) -> Path:
        """Where the mask of an image goes: the same path, with .png."""
        return self.masks / mask_name(image)

    def all_of(self, image: str) -> list[Path]:
        """Every file of an image."""
        more = [folder / mask_name(image) for folder in (self.confidence,) if folder is not None]
        drawn = [self.overlay / mask_name(image)] if self.overlay is not None else []
        return [self.mask(image), *more, *(path.with_suffix(".jpg") for path in drawn)]


def write(
    folders: Folders, image: str, source: Encoded, found: Segmented, colours: Sequence[Colour]
) -> None:
    """All files of an image, each of which appears whole or not at all. Raises CannotWrite."""
    paths = iter(folders.all_of(image))
    _keep(next(paths), mask(found.label, colours), "PNG")
    if folders.confidence is not None:
        assert found.confidence is not None
        _keep(next(paths), Image.fromarray(found.confidence), "PNG")
    if folders.overlay is not None:
        photograph = load_full(source, max_pixels=found.label.size)
        _keep(next(paths), overlay(photograph, found.label, colours), "JPEG")


def mask(label: npt.NDArray[np.uint8], colours: Sequence[Colour]) -> Image.Image:
    """Class indices in the colours of the classes; what is UNKNOWN is black."""
    picture = Image.fromarray(label)
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colours)] = colours
    palette[UNKNOWN] = 0
    picture.putpalette(palette.tobytes())
    return picture


def overlay(
    photograph: Image.Image, label: npt.NDArray[np.uint8], colours: Sequence[Colour]
) -> Image.Image:
    """The classes over the photograph."""
    return Image.blend(photograph, mask(label, colours).convert("RGB"), _OPACITY)


def _keep(path: Path, picture: Image.Image, kind: str) -> None:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    with replacing_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())
