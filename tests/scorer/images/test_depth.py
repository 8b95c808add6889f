"""Samples of 9 to 16 bits: scaled by what the file or its owner says, or refused."""

import io

import numpy as np
import photographs
import pytest
from photographs import png16, tiff
from PIL import Image

from scorer.errors import BadImage
from scorer.images import depth
from scorer.images.encoded import Declared, Reading
from scorer.images.photograph import load, load_full, size

SHAPE = (6, 8)
MAX, SMIN, SMAX, PHOTOMETRIC = 281, 340, 341, 262
RANDOM = np.random.default_rng(0)


def samples(bits: int, channels: int = 1) -> np.ndarray:
    """All values of so many bits, the largest among them."""
    found = RANDOM.integers(0, 1 << bits, (*SHAPE, channels)).astype(np.uint16)
    found[0, 0] = (1 << bits) - 1
    return found[..., 0] if channels == 1 else found


def shown(content: bytes | Declared) -> np.ndarray:
    """All pixels, uint8 [H, W, 3]; the same by both ways of loading."""
    pixels = load(content, SHAPE).pixels
    assert np.array_equal(pixels, np.asarray(load_full(content)))
    assert size(content) == SHAPE
    return pixels


def rgb(values: np.ndarray, bits: int) -> np.ndarray:
    """What is to be seen of samples: their upper eight bits."""
    upper = (values >> (bits - 8)).astype(np.uint8)
    if upper.ndim == 2:
        return np.repeat(upper[..., None], 3, axis=2)
    return upper[..., :3] if upper.shape[2] > 2 else np.repeat(upper[..., :1], 3, axis=2)


def said(bits: int, channels: int) -> list[tuple[bytes, bytes]]:
    return [(b"sBIT", bytes([bits] * channels))]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_png_is_scaled_by_its_significant_bits(bits: int, channels: int) -> None:
    values = samples(bits, channels)
    content = png16(values, before=said(bits, channels))
    assert np.array_equal(shown(content), rgb(values, bits))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("repeated", [True, False])
@pytest.mark.parametrize("dark", [True, False])
def test_significant_bits_that_were_moved_up_as_png_wants_it_are_of_sixteen(
    dark: bool, repeated: bool, channels: int
) -> None:
    values = samples(6 if dark else 12, channels)
    moved = values << 4 | (values >> 8 if repeated else 0)
    content = png16(moved, before=said(12, channels))
    assert np.array_equal(shown(content), rgb(moved, 16))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("tag", [MAX, SMAX])
def test_a_tiff_is_scaled_by_the_largest_value_that_it_declares(
    tag: int, channels: int, packed: bool, order: str
) -> None:
    values = samples(12, channels)
    tags = {tag: ("H", [4095] * channels)}
    content = tiff(values, order=order, packed=packed, tags=tags)
    assert np.array_equal(shown(content), rgb(values, 12))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("packed", [True, False])
def test_without_a_word_sixteen_bits_are_sixteen(packed: bool, channels: int) -> None:
    values = samples(16, channels)
    assert np.array_equal(shown(tiff(values, packed=packed)), rgb(values, 16))
    assert np.array_equal(shown(png16(values)), rgb(values, 16))


def test_colours_of_sixteen_bits_that_were_multiplied_by_their_alpha_are_divided_by_it() -> None:
    values = samples(16, 4)
    values[..., :3] //= 2
    values[..., 3] = 0x8000
    pixels = shown(tiff(values, tags={338: ("H", [1])}))
    assert np.abs(pixels.astype(int) - (values[..., :3] * 2.0 / 257)).max() <= 1.5


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("bits", "end"), [(8, 255), (10, 1023), (11, 4095), (12, 4095), (14, 16383)]
)
def test_values_of_a_smaller_range_that_nobody_declares_are_refused(
    bits: int, end: int, channels: int
) -> None:
    for content in (png16(samples(bits, channels)), tiff(samples(bits, channels))):
        for read in (shown, load_full):
            with pytest.raises(BadImage, match=f"--bit-depth {max(9, end.bit_length())}") as caught:
                read(content)
            assert caught.value.reason == f"16-bit values end at {end}"


@pytest.mark.parametrize("largest", [3060, 4094])
def test_the_largest_value_of_one_picture_is_not_taken_for_white(largest: int) -> None:
    content = tiff(np.minimum(samples(12, 3), largest), tags={SMAX: ("H", [largest] * 3)})
    with pytest.raises(BadImage, match="end at 4095"):
        shown(content)


def test_black_is_black_in_any_range() -> None:
    assert not shown(png16(np.zeros(SHAPE, np.uint16))).any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_what_the_owner_declares_is_believed(bits: int, channels: int) -> None:
    values = samples(10, channels)
    for content in (png16(values), tiff(values)):
        assert np.array_equal(shown(Declared(content, Reading(bit_depth=bits))), rgb(values, bits))


def test_a_declaration_is_of_deep_images_alone() -> None:
    scene = photographs.scene(*SHAPE)
    content = photographs.encoded(scene, "PNG")
    assert np.array_equal(shown(Declared(content, Reading(bit_depth=12))), np.asarray(scene))


@pytest.mark.parametrize(
    "content",
    [
        Declared(png16(samples(12)), Reading(bit_depth=10)),
        Declared(tiff(samples(16, 3)), Reading(bit_depth=10)),
        tiff(samples(12), tags={SMAX: ("H", [1023])}),
    ],
)
def test_values_beyond_what_is_declared_are_refused(content: bytes | Declared) -> None:
    with pytest.raises(BadImage) as caught:
        shown(content)
    assert caught.value.reason == "values beyond 10 bits"


def test_signed_values_below_zero_are_refused() -> None:
    values = samples(12).astype(np.int16)
    declared = {SMAX: ("H", [4095])}
    assert np.array_equal(shown(tiff(values, tags=declared)), rgb(values, 12))
    values[1, 1] = -9999
    with pytest.raises(BadImage, match="a value is -9999"):
        shown(tiff(values, tags=declared))


def test_integers_of_32_bits_are_scaled_by_the_largest_that_is_declared() -> None:
    values = samples(12)
    for declared in (values.astype(np.int32), values.astype(np.uint32)):
        assert np.array_equal(shown(tiff(declared, tags={SMAX: ("I", [4095])})), rgb(values, 12))


def test_where_zero_is_white_the_picture_is_turned_about() -> None:
    values = samples(16)
    pixels = shown(tiff(values, tags={PHOTOMETRIC: ("H", [0])}))
    assert np.array_equal(pixels, 255 - rgb(values, 16))


@pytest.mark.parametrize("white", [1.0, 255.0, 4095.0])
def test_floats_are_scaled_by_the_range_that_the_file_declares(white: float) -> None:
    values = np.linspace(0, white, 48, dtype=np.float32).reshape(SHAPE)
    tags = {SMIN: ("f", [0.0]), SMAX: ("f", [white])}
    assert np.array_equal(shown(tiff(values, tags=tags))[..., 0], np.rint(values * 255 / white))


@pytest.mark.parametrize(
    ("tags", "value", "reason"),
    [
        ({}, 0.5, "unsupported pixels"),
        ({SMAX: ("f", [0.8734])}, 0.5, "unsupported pixels"),
        ({SMIN: ("f", [-1.0]), SMAX: ("f", [1.0])}, 0.5, "unsupported pixels"),
        ({SMAX: ("f", [1.0])}, 1.5, "values beyond white"),
        ({SMAX: ("f", [1.0])}, -9999.0, "values beyond white"),
        ({SMAX: ("f", [1.0])}, np.nan, "values beyond white"),
    ],
)
def test_floats_of_another_range_are_refused(tags: dict, value: float, reason: str) -> None:
    with pytest.raises(BadImage) as caught:
        shown(tiff(np.full(SHAPE, value, np.float32), tags=tags))
    assert caught.value.reason == reason


def jpeg2000(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "JPEG2000", irreversible=False)
    return buffer.getvalue()


def test_a_deep_jpeg_2000_is_read_or_refused_as_any_other() -> None:
    values = samples(16)
    assert np.array_equal(shown(jpeg2000(values)), rgb(values, 16))
    with pytest.raises(BadImage, match="end at 4095"):
        shown(jpeg2000(samples(12)))


@pytest.mark.parametrize(
    ("bits", "largest", "refused"), [(16, 15, True), (16, 64, False), (12, 15, False)]
)
def test_colours_of_a_jpeg_2000_that_uses_few_of_its_bits_are_refused(
    bits: int, largest: int, refused: bool
) -> None:
    picture = Image.new("RGB", (2, 2), (largest, 0, 0))
    if refused:
        with pytest.raises(BadImage, match="end at 4095"):
            depth.check_used(picture, bits)
    else:
        depth.check_used(picture, bits)


@pytest.mark.parametrize(("mode", "form", "bits"), [("RGB", "JPEG2000", 8), ("RGB", "PNG", 8)])
def test_the_precision_is_that_of_the_codestream(mode: str, form: str, bits: int) -> None:
    content = photographs.encoded(photographs.scene().convert(mode), form)
    with Image.open(io.BytesIO(content)) as image:
        assert depth.precision(image) == bits
    with Image.open(io.BytesIO(jpeg2000(samples(16)))) as image:
        assert depth.precision(image) == 16


def test_interlaced_colours_of_twelve_bits_are_read_right() -> None:
    """Adam7 of a picture of 1x1: its only pass is the picture."""
    content = bytearray(png16(samples(12, 3)[:1, :1], before=said(12, 3)))
    whole = photographs.with_header(bytes(content), interlace=1)
    assert (load(whole, (1, 1)).pixels == 255).all()
