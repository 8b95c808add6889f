"""Reduces samples of more than eight bits to eight, below the white level that a file declares.

Cameras and satellites store 10, 12 or 14 bits in 16-bit files. A network sees the upper eight of
the bits in use; the upper eight of all 16 would give a nearly black image.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from scorer.errors import BadImage
from scorer.images import png

Samples = npt.NDArray[Any]
Again = Callable[[], ImageFile.ImageFile]

MOST = 16  # bits of an integer sample that a user may declare
_DOUBTED = 14  # 16-bit samples that use no more bits have another range, or are nearly black
# TIFF tags.
_BITS, _PHOTOMETRIC, _MAX, _SMIN, _SMAX = 258, 262, 281, 340, 341
_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_LOW = "L" if sys.byteorder == "big" else "B"
# for each byte order, the one with which Pillow reads the lower byte of a sample
_OTHER_BYTE = {"L": "B", "B": "L", "N": _LOW}
# Position of the bit depth in a JPEG 2000 codestream.
_SIZ, _SSIZ, _SOUGHT = b"\xff\x4f\xff\x51", 42, 65_536


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether the samples of an open image have more than eight bits."""
    return image.mode in (*_GREY, "F") or _is_deep_colour(image)


def shallow(image: ImageFile.ImageFile, again: Again, declared: int | None) -> Samples:
    """The upper eight bits of the samples, uint8 [H, W] or [H, W, 3].

    again: opens the same file once more, because Pillow reads one byte of a sample at a time.
    declared: number of bits in use, stated by the user; None: taken from the file. Raises BadImage
    if neither gives it and the samples do not use 16 bits.
    """
    if image.mode == "F":
        found = _of_floats(np.asarray(image), _white(_tags(image)))
    else:
        said = png.remarks(image.fp).significant if image.format == "PNG" and image.fp else 0
        samples = _colours(image, again) if _is_deep_colour(image) else np.asarray(image)
        bits = declared or _bits(_white(_tags(image))) or _significant(samples, said)
        found = _upper(samples, bits or _undeclared(samples, image))
    # Pillow inverts images with 0 = white only for eight bits.
    return 255 - found if _tags(image).get(_PHOTOMETRIC) == 0 else found


def shallow_bands(samples: Samples, tags: Mapping[int, Any], declared: int | None) -> Samples:
    """As `shallow`, for bands [H, W, 3] of a TIFF with these tags. Raises BadImage."""
    if samples.dtype == np.uint8:
        return samples
    if samples.dtype.kind == "f":
        return _of_floats(samples, _white(tags))
    bits = declared or _bits(_white(tags))
    if bits is None and samples.dtype.itemsize > 2:
        raise BadImage("unsupported pixels", "nothing says which value is white")
    return _upper(samples, bits or _plain(samples))


def precision(image: ImageFile.ImageFile) -> int:
    """Bits per sample of a JPEG 2000 image that is not decoded yet; 8 for other formats."""
    if image.format != "JPEG2000" or image.fp is None:
        return 8
    place = image.fp.tell()
    image.fp.seek(0)
    start = image.fp.read(_SOUGHT)
    image.fp.seek(place)
    size = start.find(_SIZ)
    return (start[size + _SSIZ] & 0x7F) + 1 if 0 <= size < len(start) - _SSIZ else 8


def check_used(rgb: Image.Image, bits: int) -> None:
    """Raise BadImage for 16-bit colours whose upper bytes are all small."""
    largest = int(np.asarray(rgb).max(initial=0))
    if bits == MOST and 0 < largest < 1 << _DOUBTED - 8:
        end = (1 << 8 + largest.bit_length()) - 1
        raise BadImage(f"16-bit values end at {end}", "write the file anew with 8 bits")


def _upper(samples: Samples, bits: int) -> Samples:
    smallest, largest = int(samples.min(initial=0)), int(samples.max(initial=0))
    if largest >= 1 << bits or smallest < 0:
        wrong = smallest if smallest < 0 else largest
        raise BadImage(f"values beyond {bits} bits", f"a value is {wrong}, white {(1 << bits) - 1}")
    return (samples >> (bits - 8)).astype(np.uint8)


def _is_deep_colour(image: ImageFile.ImageFile) -> bool:
    return ";16" in _raw_mode(image) and image.mode not in (*_GREY, "CMYK")


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """Pillow's raw mode for the samples of the file."""
    arguments = image.tile[0].args if image.tile else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _colours(image: ImageFile.ImageFile, again: Again) -> Samples:
    """The samples: uint16 [H, W, 3], or [H, W] for grey images."""
    if _raw_mode(image) == "LA;16B":  # read as four bytes, the first two of which are grey
        with _reread(again, "RGBA") as whole:
            both = np.asarray(whole)
        return _sixteen(both[..., 0], both[..., 1])
    raw = _raw_mode(image).replace("RGBa", "RGBA")
    other = raw[:-1] + _OTHER_BYTE[raw[-1]]
    with _reread(again, raw) as high, _reread(again, other) as low:
        samples = _sixteen(np.asarray(high), np.asarray(low))
    if "RGBa" not in _raw_mode(image):
        return samples[..., :3]
    alpha = np.maximum(samples[..., 3:].astype(np.uint32), 1)  # colours are premultiplied by alpha
    colours: Samples = np.minimum(samples[..., :3] * np.uint32(65535) // alpha, 65535)
    return colours.astype(np.uint16)


def _sixteen(upper: Samples, lower: Samples) -> Samples:
    samples: Samples = upper.astype(np.uint16) << 8 | lower
    return samples


def _reread(again: Again, raw: str) -> Image.Image:
    """Open the file again with another raw mode for its samples."""
    image = again()
    image.tile = [
        tile._replace(args=(raw, *tile.args[1:]) if isinstance(tile.args, tuple) else raw)
        for tile in image.tile
    ]
    image.load()
    return image


def _tags(image: ImageFile.ImageFile) -> Mapping[int, Any]:
    found: Mapping[int, Any] = getattr(image, "tag_v2", {})
    return found


def _white(tags: Mapping[int, Any]) -> float | None:
    """The largest possible value that a TIFF declares; None without one, or if black is not 0."""
    if tags.get(_BITS, ())[:1] == (12,):
        return 4095
    darkest = _first(tags.get(_SMIN, 0))
    white = _first(tags.get(_SMAX, tags.get(_MAX)))
    return white if darkest == 0 else None


def _first(value: Any) -> float | None:
    one = value[0] if isinstance(value, tuple) and value else value
    return float(one) if isinstance(one, int | float) else None


def _bits(white: float | None) -> int | None:
    """The number of bits for a white level of 1023, 4095...; None for others, which are maxima of
    the image.
    """
    if white is None or not white.is_integer():
        return None
    bits = int(white).bit_length()
    return bits if white == (1 << bits) - 1 and bits > 8 else None


def _significant(samples: Samples, bits: int) -> int | None:
    """The number of bits of sBIT, if the samples use the lowest bits.

    PNG requires them scaled to 16 bits, with zeros or repeated upper bits below; then a sample
    small enough for `bits` bits has zeros below.
    """
    if not 8 < bits < MOST or int(samples.max(initial=0)) >= 1 << bits:
        return None
    return bits if np.any(samples & ((1 << (MOST - bits)) - 1)) else MOST


def _undeclared(samples: Samples, image: ImageFile.ImageFile) -> int:
    """16, if the samples may use 16 bits. Raises BadImage."""
    if image.mode == "I":
        raise BadImage("unsupported pixels", "mode I has no defined white")
    # Pillow scales the declared bits of a JPEG 2000 up to 16.
    if image.format == "JPEG2000" and not np.any(samples & 3):
        return MOST
    return _plain(samples)


def _plain(samples: Samples) -> int:
    """16, if the samples use these bits. Raises BadImage."""
    largest = int(samples.max(initial=0))
    bits = max(8, 2 * -(-largest.bit_length() // 2))
    if largest and bits <= _DOUBTED:
        raise BadImage(
            f"16-bit values end at {(1 << bits) - 1}",
            f"the largest is {largest}; say how many bits they hold, as in --bit-depth "
            f"{max(9, bits)}, or --bit-depth {MOST} if the picture is that dark",
        )
    return MOST


def _of_floats(samples: Samples, white: float | None) -> Samples:
    if white is None or (white not in {1, 255} and _bits(white) is None):
        raise BadImage(
            "unsupported pixels",
            "mode F has no defined white; write one as SMaxSampleValue, or 16 bits",
        )
    if not (samples.min(initial=0) >= 0 and samples.max(initial=0) <= white):
        raise BadImage("values beyond white", f"not all are from 0 to {white:g}, as the file says")
    return np.rint(samples * (255 / white)).astype(np.uint8)
