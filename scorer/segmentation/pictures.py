"""What is written of a segmented image: its mask, how sure it is, and a picture for people."""

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
from scorer.selection.overlay import encoded

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

    def of(self, image: str) -> dict[str, Path]:
        """The files of an image, by what they are: its path, with another suffix."""
        path = Path(mask_name(image))
        wanted = {
            "mask": self.masks / path,
            "confidence": self.confidence and self.confidence / path,
            "overlay": self.overlay and self.overlay / path.with_suffix(".jpg"),
        }
        return {kind: found for kind, found in wanted.items() if found is not None}


def write(
    folders: Folders, image: str, source: Encoded, found: Segmented, colours: Sequence[Colour]
) -> None:
    """All files of an image, each of which appears whole or not at all. Raises CannotWrite."""
    for kind, path in folders.of(image).items():
        if kind == "overlay":
            photograph = load_full(source, max_pixels=found.label.size)
            content = encoded(overlay(photograph, found.label, colours), "JPEG")
        elif kind == "confidence":
            assert found.confidence is not None
            content = encoded(Image.fromarray(found.confidence), "PNG")
        else:
            content = encoded(mask(found.label, colours), "PNG")
        with replacing_path(path) as temporary:
            temporary.write_bytes(content)


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
