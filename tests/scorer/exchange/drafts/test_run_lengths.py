"""Run lengths, and the texts and bytes that tools make of them, are those of the tools."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from scorer.exchange.drafts import brush, run_lengths

BITMAPS = arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))
# Of the mask below: as CVAT's SDK 2.80 (encode_mask), pycocotools 2.0.11 (encode), and Label
# Studio's converter 0.0.59 (mask2rle) write it.
MASK = np.array([[1, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]], bool)
ALONG_ROWS = [0, 1, 5, 3, 2, 3, 6]
COCO = "0141N0003"
BRUSH = [0, 0, 0, 80, 57, 27, 252, 127, 248, 76, 2, 223, 252, 224, 22, 255, 240, 184, 0]
LONG_BRUSH = [0, 1, 56, 128, 57, 27, 255, 255, 255, 255, 231, 15, 255, 224]  # 200x100, all set


def test_the_tools_own_vectors() -> None:
    assert run_lengths.counts(MASK.ravel()) == ALONG_ROWS
    assert run_lengths.to_text(run_lengths.counts(MASK.T.ravel())) == COCO
    assert brush.encode(MASK) == BRUSH
    assert brush.encode(np.ones((200, 100), bool)) == LONG_BRUSH
    assert brush.decode(LONG_BRUSH, 200, 100).all()


@settings(deadline=None, max_examples=60)
@given(BITMAPS)
def test_a_mask_comes_back_from_each(mask: np.ndarray) -> None:
    lengths = run_lengths.counts(mask.ravel())
    assert (run_lengths.flat(lengths, mask.size) == mask.ravel()).all()
    assert run_lengths.from_text(run_lengths.to_text(lengths)) == lengths
    assert (brush.decode(brush.encode(mask), *mask.shape) == mask).all()


@settings(deadline=None, max_examples=60)
@given(BITMAPS)
def test_pycocotools_agrees(mask: np.ndarray) -> None:
    coco = pytest.importorskip("pycocotools.mask", reason="pycocotools is not installed")
    theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert run_lengths.to_text(run_lengths.counts(mask.T.ravel())) == theirs["counts"].decode()


@given(st.lists(st.integers(0, 10**6), max_size=8))
def test_any_run_lengths_come_back_from_their_text(lengths: list[int]) -> None:
    assert run_lengths.from_text(run_lengths.to_text(lengths)) == lengths


def test_soft_edges_of_strokes_are_set_from_half_on() -> None:
    """A block of values that differ, as the page writes it where strokes end: RGBA, alpha last."""
    for alpha, expected in ((127, False), (128, True)):
        values = [9, 9, 9, alpha]
        bits = f"{4:032b}{7:05b}" + "".join(f"{width - 1:04b}" for width in (3, 4, 8, 16))
        bits += "0" + "00" + f"{4 - 1:03b}" + "".join(f"{value:08b}" for value in values)
        bits += "0" * (-len(bits) % 8)
        packed = list(int(bits, 2).to_bytes(len(bits) // 8, "big"))
        assert brush.decode(packed, 1, 1).tolist() == [[expected]]


@pytest.mark.parametrize(
    ("packed", "height"),
    [(BRUSH, 5), (BRUSH[:9], 4), (BRUSH[:3], 4), ([], 4), ([300], 4), ([-1], 4)],
)
def test_strokes_that_are_cut_or_of_another_size_are_refused(
    packed: list[int], height: int
) -> None:
    with pytest.raises(ValueError, match=r"."):
        brush.decode(packed, height, 5)


@pytest.mark.parametrize("lengths", [[3], [1, -1, 2], [True, 1], [1.0, 1], ["1", 1], [1, 2]])
def test_run_lengths_of_other_pixels_are_refused(lengths: list[int]) -> None:
    with pytest.raises(ValueError, match="run length"):
        run_lengths.flat(lengths, 2)


@pytest.mark.parametrize("text", ["é", "0 1", "o", "0o", "oooooooooooooooooooo"])
def test_texts_of_no_run_lengths_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="run length"):
        run_lengths.from_text(text)
