"""The one way from a file to the uint8 RGB grid that a network sees, in training and scoring."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, UnidentifiedImageError

from scorer.errors import BadImage
from scorer.images.geometry import Geometry

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})
MAX_PIXELS = 200_000_000  # 600 MB once decoded; beyond it a file is more likely a bomb than a photo
Image.MAX_IMAGE_PIXELS = None  # ours is checked instead, before anything is decoded

_ORIENTATION = 0x0112
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
_NO_RANGE = ("I", "F")  # 32-bit integers and floats: nothing says what is white


@dataclass(frozen=True)
class Photograph:
    """A decoded image: uint8 [height, width, 3], upright, and where its pixels come from."""

    pixels: npt.NDArray[np.uint8]
    geometry: Geometry


# An encoded image: its file, or the bytes of one.
Encoded = Path | bytes


def load(
    source: Encoded, grid: tuple[int, int], *, stride: int = 1, max_pixels: int = MAX_PIXELS
) -> Photograph:
    """Decode, turn upright, scale to fit `grid` (height, width), pad with zeros below and right.

    Grey, palette, CMYK, 16-bit and transparent images become 8-bit RGB; transparency is dropped.
    Raises BadImage with a countable reason for anything that is not a whole image.
    """
    with _open(source, max_pixels) as image:
        geometry = Geometry(upright_size(image), grid, stride)
        turn = _TURNS.get(_orientation(image))
        wanted = geometry.content if turn not in _SIDEWAYS else geometry.content[::-1]
        # JPEG: decode at 1/2, 1/4, 1/8 where enough; `box` is the part of it that is image.
        reduced = image.draft("RGB", (wanted[1], wanted[0]))
        scaled = to_rgb(image).resize(
            (wanted[1], wanted[0]), Image.Resampling.BILINEAR, box=reduced[1] if reduced else None
        )
        upright = scaled if turn is None else scaled.transpose(turn)
    pixels = np.zeros((*grid, 3), np.uint8)
    pixels[: geometry.content[0], : geometry.content[1]] = np.asarray(upright)
    return Photograph(pixels, geometry)


def load_full(source: Encoded, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode an image upright at its own size, as RGB, for people to look at."""
    with _open(source, max_pixels) as image:
        turn = _TURNS.get(_orientation(image))
        rgb = to_rgb(image)
        return rgb if turn is None else rgb.transpose(turn)


def size(source: Encoded, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Height and width of the upright image, from its header alone."""
    with _open(source, max_pixels) as image:
        return upright_size(image)


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Height and width after the EXIF orientation is applied."""
    turned = _TURNS.get(_orientation(image)) in _SIDEWAYS
    return (image.width, image.height) if turned else (image.height, image.width)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to 8-bit RGB. 16-bit values keep their upper byte; 32-bit ones have no range."""
    if image.mode in _NO_RANGE:
        raise BadImage("unsupported pixels", f"mode {image.mode} has no defined white")
    if image.mode in _SIXTEEN_BIT:
        image = Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode == "RGB":
        image.load()  # a copy would take as much memory again
        return image
    return image.convert("RGB")


_SIDEWAYS = frozenset(
    {
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
    }
)


def _orientation(image: Image.Image) -> int:
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # to look for it behind the pixels, Pillow would decode them all
    if image.format == "TIFF":
        return 1  # Pillow turns these upright itself: the size when opening, the pixels on loading
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (ValueError, TypeError, SyntaxError, struct.error):
        return 1  # a damaged EXIF block says nothing about the pixels


@contextmanager
def _open(source: Encoded, max_pixels: int) -> Iterator[Image.Image]:
    """Open by content, not by suffix; turn what Pillow raises into reasons."""
    try:
        if isinstance(source, Path) and not source.is_file() and source.exists():
            raise BadImage("not a file")  # to open a pipe would wait for ever
        file = BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                limit = f"{image.height}x{image.width}, the limit is {max_pixels} pixels"
                raise BadImage("too large", limit)
            yield image
    except BadImage:
        raise
    except FileNotFoundError as error:
        raise BadImage("vanished") from error
    except PermissionError as error:
        raise BadImage("permission denied") from error
    except UnidentifiedImageError as error:
        raise BadImage("empty file" if _is_empty(source) else "not an image") from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError) as error:
        if isinstance(error, OSError) and error.strerror:  # of the system, not of the content
            raise BadImage("unreadable", error.strerror) from error
        message = str(error) or type(error).__name__
        raise BadImage("truncated" if "truncated" in message else "corrupt", message) from error
    except MemoryError as error:
        raise BadImage("out of memory") from error


def _is_empty(source: Encoded) -> bool:
    if isinstance(source, bytes):
        return not source
    return source.is_file() and source.stat().st_size == 0


# For the process, once: warnings.catch_warnings is not safe in the threads that decode.
warnings.filterwarnings("ignore", module=r"PIL\.")  # odd metadata
ImageFile.LOAD_TRUNCATED_IMAGES = False  # half a photograph must not be scored as a whole one
