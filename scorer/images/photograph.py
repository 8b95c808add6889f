"""Decodes an image file to the uint8 RGB grid of a network, the same in training and scoring."""

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
from scorer.images import depth, kinds, multiband, png
from scorer.images.encoded import Content, Encoded, Reading, parts
from scorer.images.geometry import Geometry

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000")
# The last three formats cannot be read: they are listed to be counted with a reason.
SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".avif", ".jp2",
     ".j2k", ".jpx", ".heic", ".heif", ".jxl"}
)  # fmt: skip
# 600 MB when decoded; a larger file is more likely malicious than a photograph
MAX_PIXELS = 200_000_000
Image.MAX_IMAGE_PIXELS = None  # MAX_PIXELS is checked instead, before anything is decoded

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


@dataclass(frozen=True)
class Photograph:
    """A decoded image: uint8 [height, width, 3], upright, and its geometry."""

    pixels: npt.NDArray[np.uint8]
    geometry: Geometry


def load(
    source: Encoded, grid: tuple[int, int], *, stride: int = 1, max_pixels: int = MAX_PIXELS
) -> Photograph:
    """Decode an image, rotate it upright, scale it to fit `grid` (height, width), and pad with
    zeros below and right.

    Grey, palette, CMYK, 16-bit and transparent images become 8-bit RGB; transparency is dropped.
    Samples of more than eight bits keep the upper eight (scorer/images/depth.py). Raises BadImage,
    with a reason by which images are counted, for anything but a complete image.
    """
    with _open(source, max_pixels) as image:
        geometry = Geometry(upright_size(image), grid, stride)
        turn, wanted = _TURNS.get(_orientation(image)), _stored(image, geometry)
        rgb, box = _decoded(image, source, wanted)
        scaled = rgb.resize((wanted[1], wanted[0]), Image.Resampling.BILINEAR, box=box)
        upright = scaled if turn is None else scaled.transpose(turn)
    pixels = np.zeros((*grid, 3), np.uint8)
    pixels[: geometry.content[0], : geometry.content[1]] = np.asarray(upright)
    return Photograph(pixels, geometry)


def decode(source: Encoded, grid: tuple[int, int], *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode an image as `load` does, without turning and scaling it. Raises BadImage."""
    with _open(source, max_pixels) as image:
        wanted = _stored(image, Geometry(upright_size(image), grid))
        return _decoded(image, source, wanted)[0]


def load_full(source: Encoded, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode an image upright at its own size, as RGB, for display. Raises BadImage."""
    with _open(source, max_pixels) as image:
        turn = _TURNS.get(_orientation(image))
        rgb = _to_rgb(image, source)
        return rgb if turn is None else rgb.transpose(turn)


def size(source: Encoded, *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Height and width of the upright image, from its header alone. Raises BadImage."""
    with _open(source, max_pixels) as image:
        return upright_size(image)


def upright_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Height and width after the EXIF orientation is applied."""
    turned = _TURNS.get(_orientation(image)) in _SIDEWAYS
    return (image.width, image.height) if turned else (image.height, image.width)


def _stored(image: ImageFile.ImageFile, geometry: Geometry) -> tuple[int, int]:
    """Height and width of the content of a grid, as the image lies in its file."""
    turned = _TURNS.get(_orientation(image)) in _SIDEWAYS
    return geometry.content[::-1] if turned else geometry.content


def _decoded(
    image: ImageFile.ImageFile, source: Encoded, wanted: tuple[int, int]
) -> tuple[Image.Image, tuple[float, float, float, float] | None]:
    """The image as RGB, and the part of it without padding; a JPEG at 1/2, 1/4 or 1/8 where that is
    not smaller than `wanted`.
    """
    reduced = image.draft("RGB", (wanted[1], wanted[0]))
    return _to_rgb(image, source), reduced[1] if reduced else None


def _to_rgb(image: ImageFile.ImageFile, source: Encoded) -> Image.Image:
    """Convert any mode to 8-bit RGB. Raises BadImage."""
    if depth.is_deep(image):
        content, reading = parts(source)
        values = depth.shallow(image, lambda: _opened(content), reading.bit_depth)
        return Image.fromarray(values).convert("RGB")
    bits = depth.precision(image)
    if image.mode == "RGB":
        image.load()  # avoids a copy, which would double the memory
    rgb: Image.Image = image if image.mode == "RGB" else image.convert("RGB")
    if bits > 8:
        depth.check_used(rgb, bits)
    return rgb


_SIDEWAYS = frozenset(
    {
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
    }
)


def _orientation(image: ImageFile.ImageFile) -> int:
    if image.format == "TIFF":
        return 1  # Pillow rotates these itself: the size when opening, the pixels when loading
    try:
        if image.format == "PNG" and image.fp is not None:
            # Pillow would decode all pixels to find it behind them.
            return png.remarks(image.fp).orientation
        return int(image.getexif().get(_ORIENTATION, 1))
    except (ValueError, TypeError, SyntaxError, struct.error):
        return 1  # a damaged EXIF block says nothing about the pixels


@contextmanager
def _open(source: Encoded, max_pixels: int) -> Iterator[ImageFile.ImageFile]:
    """Open by content, not by suffix. Raises BadImage, with a reason, for Pillow's exceptions."""
    content, reading = parts(source)
    try:
        if isinstance(content, Path) and not content.is_file() and content.exists():
            raise BadImage("not a file")  # opening a pipe would block
        if reading.bands is not None:
            content = _of_bands(content, reading, reading.bands, max_pixels)
        with _opened(content) as image:
            if image.width * image.height > max_pixels:
                limit = f"{image.height}x{image.width}, the limit is {max_pixels} pixels"
                raise BadImage("too large", limit)
            kinds.check(image)
            yield image
    except BadImage:
        raise
    except FileNotFoundError as error:
        raise BadImage("vanished") from error
    except PermissionError as error:
        raise BadImage("permission denied") from error
    except UnidentifiedImageError as error:
        raise kinds.reason(content) from error
    except (OSError, ValueError, SyntaxError, EOFError, struct.error, IndexError) as error:
        # an error of the system, not of the content
        if isinstance(error, OSError) and error.strerror:
            raise BadImage("unreadable", error.strerror) from error
        message = str(error) or type(error).__name__
        raise BadImage("truncated" if "truncated" in message else "corrupt", message) from error
    except MemoryError as error:
        raise BadImage("out of memory") from error


def _of_bands(
    content: Content, reading: Reading, bands: tuple[int, int, int], max_pixels: int
) -> Content:
    """Three bands of a TIFF of several, as a BMP in memory; other files unchanged."""
    held = content if isinstance(content, bytes) else content.read_bytes()
    tags = multiband.tags_of(held)
    if not multiband.has_several(tags):
        return content
    chosen = multiband.samples(held, tags, bands, max_pixels)
    file = BytesIO()
    Image.fromarray(depth.shallow_bands(chosen, tags, reading.bit_depth)).save(file, "BMP")
    return file.getvalue()


def _opened(content: Content) -> ImageFile.ImageFile:
    file = BytesIO(content) if isinstance(content, bytes) else content
    return Image.open(file, formats=FORMATS)


# Once per process, because warnings.catch_warnings is not thread-safe.
warnings.filterwarnings("ignore", module=r"PIL\.")  # unusual metadata
# a truncated photograph must not be scored as a complete one
ImageFile.LOAD_TRUNCATED_IMAGES = False
