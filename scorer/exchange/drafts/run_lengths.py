"""Run-length encoding of masks: number of unset pixels, number of set pixels, and so on.

CVAT's run along the rows, COCO's along the columns. COCO has its own text encoding:
https://github.com/cocodataset/cocoapi, common/maskApi.c, rleToString.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Flat = npt.NDArray[np.bool_]
_BITS, _MORE, _SIGN, _FIRST = 5, 0x20, 0x10, 48  # bits per letter, its flags, and the letter of 0


def counts(flat: Flat) -> list[int]:
    """The run lengths of pixels, bool [N]; the first is 0 if the first pixel is set."""
    changes = np.flatnonzero(np.diff(flat, prepend=False, append=flat[-1:]))
    edges = np.concatenate([[0], changes, [len(flat)]])
    return [int(count) for count in np.diff(edges)]


def flat(lengths: Sequence[int], pixels: int) -> Flat:
    """The pixels, bool [N]. Raises ValueError if the lengths do not sum to `pixels`."""
    if any(isinstance(one, bool) or not isinstance(one, int) or one < 0 for one in lengths):
        raise ValueError("a run length that is no count")
    if sum(lengths) != pixels:
        raise ValueError(f"run lengths of {sum(lengths)} pixels, expected {pixels}")
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)


def to_text(lengths: Sequence[int]) -> str:
    """Encode run lengths as COCO's text: from the third on, differences to the length two
    before.
    """
    letters = []
    for place, length in enumerate(lengths):
        value, more = length - (lengths[place - 2] if place > 2 else 0), True
        while more:
            bits, value = value & (_MORE - 1), value >> _BITS
            more = value != (-1 if bits & _SIGN else 0)
            letters.append(chr(_FIRST + bits + (_MORE if more else 0)))
    return "".join(letters)


def from_text(text: str) -> list[int]:
    """Decode COCO's text. Raises ValueError."""
    lengths: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - _FIRST
        if not 0 <= bits < 2 * _MORE or shift > 60:
            raise ValueError(f"{letter!r} is no letter of run lengths")
        value |= (bits & (_MORE - 1)) << shift
        shift += _BITS
        if bits & _MORE:
            continue
        if bits & _SIGN:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the run lengths end in the middle of one")
    return lengths
