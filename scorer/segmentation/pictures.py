"""Writes the files of a segmented image: mask, confidence, uncertainty, probabilities, overlay."""

import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import permutations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from scorer.errors import BadInput
from scorer.files import replacing_path
from scorer.images.colours import Colour
from scorer.images.encoded import Encoded
from scorer.images.indexed import picture
from scorer.images.photograph import load_full
from scorer.segmentation.segmenter import Segmented
from scorer.selection.exclusion import mask_name
from scorer.selection.overlay import encoded

_OPACITY = 0.5
_LONGEST = 8192  # pixels of an overlay's side, as it is only displayed
_LEVELS = 65535  # grey levels of an uncertainty
_SUFFIXES = {"soft": ".npz", "overlay": ".jpg"}
_AT_ONCE = 2**24  # values per write
_QUICKLY = 1  # zlib level: higher ones hardly shrink probabilities further

_Write = Callable[[Path], object]


@dataclass(frozen=True)
class Folders:
    """The folders of masks and, optionally, of confidences, uncertainties, probabilities and
    overlays.
    """

    masks: Path
    confidence: Path | None = None
    uncertainty: Path | None = None
    soft: Path | None = None
    overlay: Path | None = None

    def __post_init__(self) -> None:
        """Raise BadInput for equal or nested folders, whose files would have the same names."""
        places = [folder.absolute() for folder in self.wanted.values()]
        for one, other in permutations(places, 2):
            if one.is_relative_to(other):
                raise BadInput(
                    f"{one} is for two kinds of files, or lies in the folder of another kind",
                    remedy="give each of --out, --confidence, --uncertainty, --soft and "
                    "--overlay a folder of its own",
                )

    @property
    def wanted(self) -> dict[str, Path]:
        """The given folders, by field name."""
        every = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: folder for name, folder in every.items() if folder is not None}

    def absolute(self) -> "Folders":
        """The same folders for a process with another working directory."""
        return Folders(**{name: folder.absolute() for name, folder in self.wanted.items()})

    def of(self, image: str) -> dict[str, Path]:
        """The files of an image, by field name: the image's path, with another suffix."""
        path = Path(mask_name(image))
        return {
            name: folder / path.with_suffix(_SUFFIXES.get(name, ".png"))
            for name, folder in self.wanted.items()
        }


def write(
    folders: Folders,
    image: str,
    source: Encoded,
    found: Segmented,
    classes: Sequence[str],
    colours: Sequence[Colour],
) -> None:
    """Write all files of an image, each atomically. Raises CannotWrite."""
    writers: dict[str, _Write] = {
        "masks": lambda path: path.write_bytes(encoded(picture(found.label, colours), "PNG")),
        "confidence": lambda path: path.write_bytes(_confidence(found)),
        "uncertainty": lambda path: path.write_bytes(_uncertainty(found, len(classes))),
        "soft": lambda path: _write_soft(path, found, classes),
        "overlay": lambda path: path.write_bytes(_overlay(source, found, colours)),
    }
    for kind, path in folders.of(image).items():
        with replacing_path(path, shared=True) as temporary:
            writers[kind](temporary)


def overlay(
    photograph: Image.Image, label: npt.NDArray[np.uint8], colours: Sequence[Colour]
) -> Image.Image:
    """The classes in their colours, blended over the photograph."""
    return Image.blend(photograph, picture(label, colours).convert("RGB"), _OPACITY)


def _confidence(found: Segmented) -> bytes:
    assert found.confidence is not None
    return encoded(Image.fromarray(found.confidence), "PNG")


def _uncertainty(found: Segmented, classes: int) -> bytes:
    """A 16-bit grey PNG; its text `scale` gives the nats per level."""
    assert found.uncertainty is not None
    said = PngInfo()
    said.add_text("quantity", "entropy of the class probabilities")
    said.add_text("unit", "nat")
    said.add_text("scale", repr(math.log(classes) / _LEVELS))
    return encoded(Image.fromarray(found.uncertainty), "PNG", pnginfo=said)


def _overlay(source: Encoded, found: Segmented, colours: Sequence[Colour]) -> bytes:
    """A JPEG of the classes over the photograph."""
    photograph = load_full(source, max_pixels=found.label.size)
    photograph.thumbnail((_LONGEST, _LONGEST))
    rows, cols = (
        (np.arange(there) * (side / there)).astype(np.intp)
        for side, there in zip(found.label.shape, photograph.size[::-1], strict=True)
    )
    return encoded(overlay(photograph, found.label[rows][:, cols], colours), "JPEG")


def _write_soft(path: Path, found: Segmented, classes: Sequence[str]) -> None:
    """Write an .npz file with `probabilities` and `classes`, in pieces, as the probabilities may be
    larger than the memory.
    """
    assert found.soft is not None
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_QUICKLY) as archive:
        for name, values in (("probabilities", found.soft), ("classes", np.array(classes))):
            # without a date, so that the bytes are the same in every run
            entry = zipfile.ZipInfo(f"{name}.npy")
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                header = np.lib.format.header_data_from_array_1_0(values)
                np.lib.format.write_array_header_1_0(file, header)
                flat = values.reshape(-1)
                for start in range(0, len(flat), _AT_ONCE):
                    file.write(flat[start : start + _AT_ONCE].tobytes())
