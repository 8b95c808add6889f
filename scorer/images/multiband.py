"""Reads TIFF files of any number of bands, three of which the user names as red, green and blue.

Pillow does not read such files. So a file is presented to it as grey images: as one that is as many
times wider as there are bands, if these are interleaved by pixel, or as one per band otherwise.
"""

import struct
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, TiffImagePlugin

from scorer.errors import BadImage
from scorer.images.depth import Samples

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _BANDS, _STRIP_ROWS, _STRIP_BYTES, _PLANES, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _FORMAT = 322, 323, 324, 325, 339
_KEPT = (_HEIGHT, _COMPRESSION, _STRIP_ROWS, _TILE_HEIGHT)  # tags that are kept
_PLACES = ((_STRIPS, _STRIP_BYTES), (_TILES, _TILE_BYTES))
_CLASSIC = {b"II*\0": "<", b"MM\0*": ">"}
_LONG, _SHORT = 4, 3  # TIFF types
_ORIENTATION, _DIFFERENCES = 274, 2

Tags = Mapping[int, Any]


def tags_of(content: bytes) -> Tags:
    """The tags of a TIFF file; empty for other files. Raises BadImage if it is damaged."""
    if content[:4] not in _CLASSIC:
        return {}
    try:
        file = BytesIO(content)
        found = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(found.next)
        found.load(file)
        return dict(found)
    except Exception as error:  # the bytes may be anything
        raise BadImage("corrupt", str(error)) from error


def has_several(tags: Tags) -> bool:
    """Whether a file has several bands."""
    return int(tags.get(_BANDS, 1)) > 1


def samples(content: bytes, tags: Tags, bands: Sequence[int], most: int) -> Samples:
    """Three bands, counted from 1, of a TIFF of several: [H, W, 3]. most: largest number of pixels.

    Raises BadImage, and Pillow's exceptions.
    """
    count, height, width = tags[_BANDS], tags[_HEIGHT], tags[_WIDTH]
    if max(bands) > count:
        raise BadImage(f"{count} bands", f"--bands asks for band {max(bands)}")
    if height * width > most:
        raise BadImage("too large", f"{height}x{width}, the limit is {most} pixels")
    if len(set(tags.get(_BITS, (1,)))) > 1 or tags.get(_ORIENTATION, 1) != 1:
        raise BadImage("TIFF of an unknown kind", "its bands differ in bits, or it is turned")
    if tags.get(_PLANES, 1) == 2:
        found = [_grey(content, tags, 1, slice_of=(band - 1, count)) for band in bands]
        return np.stack(found, axis=-1)
    whole = _grey(content, tags, count).reshape(height, width, count)
    if tags.get(_PREDICTOR, 1) == _DIFFERENCES:
        side = tags.get(_TILE_WIDTH, width)
        for start in range(0, width, side):  # differences start anew in every tile
            part = whole[:, start : start + side]
            np.cumsum(part, axis=1, dtype=whole.dtype, out=part)
    elif tags.get(_PREDICTOR, 1) != 1:
        raise BadImage("TIFF of an unknown kind", f"predictor {tags[_PREDICTOR]}")
    return whole[..., [band - 1 for band in bands]]


def _grey(
    content: bytes, tags: Tags, factor: int, slice_of: tuple[int, int] | None = None
) -> Samples:
    """Read the file as a grey image `factor` times as wide; slice_of: number of a plane, and of
    planes.
    """
    own: dict[int, Sequence[int]] = {one: (tags[one],) for one in _KEPT if one in tags}
    own |= {_WIDTH: (tags[_WIDTH] * factor,), _PHOTOMETRIC: (1,), _BANDS: (1,)}
    own |= {_BITS: tags[_BITS][:1], _FORMAT: tags.get(_FORMAT, (1,))[:1]}
    if _TILE_WIDTH in tags:
        own[_TILE_WIDTH] = (tags[_TILE_WIDTH] * factor,)
    for pair in _PLACES:
        for tag in filter(tags.__contains__, pair):
            values = tags[tag] if isinstance(tags[tag], tuple) else (tags[tag],)
            if slice_of is not None:
                each = len(values) // slice_of[1]
                values = values[slice_of[0] * each : (slice_of[0] + 1) * each]
            own[tag] = values
    if slice_of is not None and _PREDICTOR in tags:
        own[_PREDICTOR] = (tags[_PREDICTOR],)
    with Image.open(BytesIO(_file(content, own)), formats=("TIFF",)) as image:
        # A copy, because differences are undone in place.
        found: Samples = np.array(image)
        return found


def _file(content: bytes, tags: Mapping[int, Sequence[int]]) -> bytes:
    """The file with other tags, which are appended."""
    order = _CLASSIC[content[:4]]
    content += bytes(len(content) % 2)
    behind = len(content) + 2 + 12 * len(tags) + 4
    table, more = struct.pack(order + "H", len(tags)), b""
    for tag, values in sorted(tags.items()):
        kind, letter = (_SHORT, "H") if tag in {_BITS, _FORMAT} else (_LONG, "I")
        packed = struct.pack(f"{order}{len(values)}{letter}", *values)
        if len(packed) > 4:
            place, more = struct.pack(order + "I", behind + len(more)), more + packed
            packed = place
        table += struct.pack(order + "HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    start = struct.pack(order + "I", len(content))
    return content[:4] + start + content[8:] + table + bytes(4) + more
