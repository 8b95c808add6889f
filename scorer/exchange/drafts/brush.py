"""Label Studio's brush strokes: the four channels of an image, run-length encoded in bits.

A header (number of values in 32 bits, bits per value less 1 in 5, four count widths less 1 in 4
each), then blocks: a bit (1: one value for all), the index of a width (2 bits), a count less 1, and
the value or values. https://github.com/thi-ng/umbrella/tree/develop/packages/rle-pack
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

_CHANNELS, _ALPHA = 4, 3
_BITS = 8  # per value
_WIDTHS = (3, 4, 8, 16)  # bits of a count
_LONGEST = 2 ** _WIDTHS[-1]
_SET = 128  # least value of a set pixel: strokes have soft edges


def encode(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Encode a mask [H, W] as bytes, exactly as Label Studio's own converter does."""
    header = f"{mask.size * _CHANNELS:032b}{_BITS - 1:05b}"
    header += "".join(f"{width - 1:04b}" for width in _WIDTHS)
    bits = header + "".join(_blocks(mask.ravel()))
    bits += "0" * (8 - len(bits) % 8)
    return list(int(bits, 2).to_bytes(len(bits) // 8, "big"))


def _blocks(flat: npt.NDArray[np.bool_]) -> Iterator[str]:
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [len(flat)]])
    for start, length in zip(edges[:-1], np.diff(edges).tolist(), strict=True):
        value = f"{255 if flat[start] else 0:08b}"
        left = length * _CHANNELS
        while left:
            taken = min(left, _LONGEST)
            which = next(n for n, width in enumerate(_WIDTHS) if taken <= 2**width)
            yield f"1{which:02b}{taken - 1:0{_WIDTHS[which]}b}{value}"
            left -= taken


def decode(packed: Sequence[int], height: int, width: int) -> npt.NDArray[np.bool_]:
    """Decode bytes of Label Studio to a mask [H, W]. Raises ValueError for other bytes."""
    flags = np.unpackbits(np.frombuffer(bytes(packed), np.uint8))
    bits = (flags + ord("0")).tobytes().decode()
    count, wide = int(bits[:32], 2), int(bits[32:37], 2) + 1
    if (count, wide) != (height * width * _CHANNELS, _BITS):
        raise ValueError(f"{count} values of {wide} bits, expected {height}x{width} pixels")
    widths = [int(bits[start : start + 4], 2) + 1 for start in range(37, 53, 4)]
    values, place, done = np.zeros(count, np.uint8), 53, 0
    while done < count:
        size = widths[int(bits[place + 1 : place + 3], 2)]
        behind = done + 1 + int(bits[place + 3 : place + 3 + size], 2)
        same, place = bits[place] == "1", place + 3 + size
        end = place + _BITS * (1 if same else behind - done)
        if behind > count or end > len(bits):
            raise ValueError("the brush strokes end too early")
        values[done:behind] = np.packbits(flags[place:end])
        done, place = behind, end
    mask: npt.NDArray[np.bool_] = values[_ALPHA::_CHANNELS].reshape(height, width) >= _SET
    return mask
