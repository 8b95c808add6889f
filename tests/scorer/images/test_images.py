"""Every image that people have becomes the same upright RGB grid; every bad one has a reason."""

import gc
import io
import random
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import photographs
import pytest
from PIL import Image

from scorer.errors import BadImage
from scorer.images import photograph as images

WHOLE = (40, 60)

Make = Callable[[Image.Image], Image.Image]


def quarters(pixels: np.ndarray) -> np.ndarray:
    """The colours in the middle of the four quarters, as int [4, 3]: r, g, b, w."""
    height, width = pixels.shape[:2]
    rows, cols = [height // 4, height * 3 // 4], [width // 4, width * 3 // 4]
    return pixels[np.ix_(rows, cols)].reshape(4, 3).astype(int)


EXPECTED = quarters(np.asarray(photographs.scene()))
GREY = np.repeat(
    np.asarray(photographs.scene().convert("L"))[[10, 10, 30, 30], [15, 45, 15, 45]], 3
)
GREY = GREY.reshape(4, 3).astype(int)


def palette(picture: Image.Image) -> Image.Image:
    return picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=8)


def see_through(mode: str) -> Make:
    def make(picture: Image.Image) -> Image.Image:
        layered = picture.convert(mode)
        layered.putalpha(128)
        return layered

    return make


def plain(mode: str) -> Make:
    return lambda picture: picture.convert(mode)


FILES = {
    "jpeg": (".jpg", plain("RGB"), {"quality": 95}, EXPECTED, 6),
    "progressive jpeg": (".jpg", plain("RGB"), {"quality": 95, "progressive": True}, EXPECTED, 6),
    "grey jpeg": (".jpeg", plain("L"), {"quality": 95}, GREY, 3),
    "cmyk jpeg": (".jpg", plain("CMYK"), {"quality": 95}, EXPECTED, 8),
    "png": (".png", plain("RGB"), {}, EXPECTED, 0),
    "grey png": (".png", plain("L"), {}, GREY, 0),
    "grey png with alpha": (".png", see_through("LA"), {}, GREY, 0),
    "png with alpha": (".png", see_through("RGBA"), {}, EXPECTED, 0),
    "palette png": (".png", palette, {}, EXPECTED, 0),
    "palette png, one colour clear": (".png", palette, {"transparency": 0}, EXPECTED, 0),
    "palette png, alpha per colour": (".png", palette, {"transparency": bytes(8)}, EXPECTED, 0),
    "bmp": (".bmp", plain("RGB"), {}, EXPECTED, 0),
    "palette bmp": (".bmp", palette, {}, EXPECTED, 0),
    "tiff": (".tif", plain("RGB"), {}, EXPECTED, 0),
    "lzw tiff": (".tiff", plain("RGB"), {"compression": "tiff_lzw"}, EXPECTED, 0),
    "cmyk tiff": (".tif", plain("CMYK"), {}, EXPECTED, 0),
    "webp": (".webp", plain("RGB"), {"lossless": True}, EXPECTED, 0),
    "avif": (".avif", plain("RGB"), {"quality": 95}, EXPECTED, 6),
    "avif with alpha": (".avif", see_through("RGBA"), {"quality": 95}, EXPECTED, 6),
    "jpeg 2000": (".jp2", plain("RGB"), {}, EXPECTED, 0),
    "jpeg 2000, its codestream alone": (".j2k", plain("RGB"), {}, EXPECTED, 0),
    "grey jpeg 2000": (".jp2", plain("L"), {}, GREY, 0),
    "lossy webp with alpha": (".webp", see_through("RGBA"), {"quality": 95}, EXPECTED, 8),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_format_and_mode_becomes_the_same_rgb(kind: str, tmp_path: Path) -> None:
    suffix, make, options, expected, tolerance = FILES[kind]
    path = tmp_path / f"picture{suffix}"
    make(photographs.scene()).save(path, **options)
    photograph = images.load(path, WHOLE)
    assert photograph.pixels.dtype == np.uint8
    assert photograph.pixels.shape == (*WHOLE, 3)
    assert photograph.geometry.image == WHOLE
    assert np.abs(quarters(photograph.pixels) - expected).max() <= tolerance
    full = images.load_full(path)
    assert (full.mode, full.size) == ("RGB", WHOLE[::-1])
    assert np.abs(quarters(np.asarray(full)) - expected).max() <= tolerance


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    for suffix in (".png", ".tif", ".bmp"):
        picture.save(tmp_path / f"bits{suffix}")
        pixels = images.load(tmp_path / f"bits{suffix}", (2, 2)).pixels
        assert pixels[..., 0].tolist() == [[0, 255], [255, 0]]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_sixteen_bit_grey_keeps_its_upper_byte(suffix: str, tmp_path: Path) -> None:
    values = np.array([[0, 255, 256], [0x8000, 0xFEFF, 0xFFFF]], np.uint16)
    Image.fromarray(values).save(tmp_path / f"deep{suffix}")
    pixels = images.load(tmp_path / f"deep{suffix}", (2, 3)).pixels
    assert pixels[..., 1].tolist() == [[0, 0, 1], [0x80, 0xFE, 0xFF]]


def test_big_endian_sixteen_bit_is_read_right(tmp_path: Path) -> None:
    values = np.array([[0x0102, 0xFE00]], np.uint16)
    deep = Image.frombytes("I;16B", (2, 1), values.astype(">u2").tobytes())
    deep.save(tmp_path / "big.tif")
    assert images.load(tmp_path / "big.tif", (1, 2)).pixels[0, :, 0].tolist() == [0x01, 0xFE]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_pixels_without_a_defined_white_are_refused(kind: type[np.generic], tmp_path: Path) -> None:
    path = tmp_path / "depth.tif"
    Image.fromarray(np.ones((4, 4), kind)).save(path)
    with pytest.raises(BadImage, match="no defined white") as caught:
        images.load(path, (4, 4))
    assert caught.value.reason == "unsupported pixels"


@pytest.mark.parametrize(("suffix", "form"), [(".webp", "WEBP"), (".png", "PNG"), (".tif", "TIFF")])
def test_of_an_animation_the_first_frame_counts(suffix: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"moving{suffix}"
    lossless = {"lossless": True} if form == "WEBP" else {}
    others = [Image.new("RGB", (60, 40)), photographs.noisy(1, 40, 60)]
    photographs.scene().save(path, form, save_all=True, append_images=others, **lossless)
    assert quarters(images.load(path, WHOLE).pixels).tolist() == EXPECTED.tolist()


def test_a_jpeg_of_two_pictures_as_phones_write_them_is_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    more = [photographs.noisy(1, 40, 60)]
    photographs.scene().save(path, "MPO", save_all=True, append_images=more, quality=95)
    assert np.abs(quarters(images.load(path, WHOLE).pixels) - EXPECTED).max() <= 6


def test_the_content_decides_and_not_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "really a png.jpg"
    photographs.scene().save(path, "PNG")
    assert quarters(images.load(path, WHOLE).pixels).tolist() == EXPECTED.tolist()


@pytest.mark.parametrize("orientation", photographs.ORIENTATIONS)
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_every_exif_orientation_is_turned_upright(
    suffix: str, orientation: int, tmp_path: Path
) -> None:
    path = photographs.turned(tmp_path / f"side{suffix}", orientation, photographs.scene())
    photograph = images.load(path, WHOLE)
    assert photograph.geometry.image == WHOLE == images.size(path)
    assert np.abs(quarters(photograph.pixels) - EXPECTED).max() <= 6
    assert np.abs(quarters(np.asarray(images.load_full(path))) - EXPECTED).max() <= 6


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photographs.scene().save(tmp_path / "odd.png", exif=exif)
    pixels = images.load(tmp_path / "odd.png", WHOLE).pixels
    assert quarters(pixels).tolist() == EXPECTED.tolist()


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0MM\0*\xff\xff\xff\xff", b"no exif"])
def test_damaged_exif_turns_nothing(exif: bytes, tmp_path: Path) -> None:
    photographs.scene().save(tmp_path / "odd.jpg", exif=exif, quality=95)
    pixels = images.load(tmp_path / "odd.jpg", WHOLE).pixels
    assert np.abs(quarters(pixels) - EXPECTED).max() <= 6


@pytest.mark.parametrize(
    ("grid", "content"),
    [((80, 120), (80, 120)), ((20, 30), (20, 30)), ((40, 90), (40, 60)), ((90, 60), (40, 60))],
)
def test_the_image_starts_at_the_corner_and_the_rest_is_zero(
    grid: tuple[int, int], content: tuple[int, int], tmp_path: Path
) -> None:
    photographs.scene().save(tmp_path / "a.png")
    photograph = images.load(tmp_path / "a.png", grid)
    assert photograph.geometry.content == content
    inside = photograph.pixels[: content[0], : content[1]]
    assert quarters(inside).tolist() == EXPECTED.tolist()
    outside = photograph.pixels.copy()
    outside[: content[0], : content[1]] = 0
    assert not outside.any()


def waves(height: int, width: int) -> Image.Image:
    """Stripes about 75 pixels apart: a shift of one pixel on the grid shows clearly."""
    rows = 127 + 60 * np.sin(np.arange(height) / 12)[:, None]
    cols = 60 * np.sin(np.arange(width) / 12)
    return Image.fromarray(np.repeat((rows + cols)[..., None], 3, axis=2).astype(np.uint8))


@pytest.mark.parametrize(
    ("height", "width", "grid"),
    [
        (800, 1200, (80, 120)),
        (800, 1200, (64, 96)),
        (640, 480, (64, 96)),
        (667, 1001, (84, 125)),
        (1334, 2001, (64, 96)),
    ],
)
def test_a_jpeg_decoded_at_reduced_size_equals_the_full_decode(
    height: int, width: int, grid: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "waves.jpg"
    waves(height, width).save(path, quality=95)
    photograph = images.load(path, grid)
    rows, cols = photograph.geometry.content
    with Image.open(path) as image:
        assert image.draft("RGB", (cols, rows)) is not None
        assert image.size < (width, height)  # the reduced decode took place
    full = images.load_full(path).resize((cols, rows), Image.Resampling.BILINEAR)
    difference = np.abs(photograph.pixels[:rows, :cols].astype(int) - np.asarray(full))
    assert difference.mean() <= 4
    assert difference.max() <= 16


@pytest.mark.parametrize("kind", photographs.BROKEN)
def test_every_broken_file_has_its_reason(kind: str, tmp_path: Path) -> None:
    path = photographs.broken(tmp_path, kind)
    reason = photographs.BROKEN[kind][2]
    for read in (lambda: images.load(path, (24, 32)), lambda: images.load_full(path)):
        with pytest.raises(BadImage) as caught:
            read()
        assert caught.value.reason == reason


def test_there_are_ten_ways_to_break_a_file_at_least() -> None:
    assert len(photographs.BROKEN) >= 10


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(BadImage):
        images.load(tmp_path, (8, 8))


@pytest.mark.parametrize(("height", "width", "fits"), [(10, 100, True), (10, 101, False)])
def test_the_pixel_limit_is_exact(height: int, width: int, fits: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    photographs.noisy(1, height, width).save(path)
    if fits:
        assert images.load(path, (8, 8), max_pixels=1000).geometry.image == (height, width)
        return
    with pytest.raises(BadImage, match="10x101, the limit is 1000") as caught:
        images.size(path, max_pixels=1000)
    assert caught.value.reason == "too large"


def test_a_file_that_may_not_be_read_has_its_reason(ordinary: Path) -> None:
    path = ordinary / "private.png"
    photographs.scene().save(path)
    path.chmod(0)
    with pytest.raises(BadImage) as caught:
        images.load(path, (8, 8))
    assert caught.value.reason == "permission denied"


def test_no_damage_escapes_as_another_exception(tmp_path: Path, capfd: object) -> None:
    """Bytes flipped at random, most of them in the headers: an image or a BadImage, no more."""
    chance = random.Random(0)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = photographs.noisy(1, 24, 32)
    forms = {"JPEG": {}, "PNG": {}, "BMP": {}, "WEBP": {}, "TIFF": {"compression": "tiff_lzw"}}
    sources = [
        photographs.encoded(picture, form, **options, **({} if form == "BMP" else {"exif": exif}))
        for form, options in forms.items()
    ]
    sources.append(photographs.encoded(palette(picture), "PNG", transparency=bytes(range(8))))
    path = tmp_path / "damaged"
    outcomes: dict[str, int] = {}
    for index in range(900):
        damaged = bytearray(sources[index % len(sources)])
        for _ in range(chance.choice((1, 2, 5))):
            damaged[int(chance.random() ** 3 * len(damaged))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            images.load(path, (16, 24))
            outcome = "whole"
        except BadImage as error:
            outcome = error.reason
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert sum(outcomes.values()) == 900
    assert {"whole", "corrupt", "truncated", "not an image"} <= set(outcomes)


def test_decoding_in_threads_leaves_the_warning_filters_alone(tmp_path: Path) -> None:
    """Two decodes that overlap as threads may: A opens, B opens, A closes, B closes."""
    path = tmp_path / "clear.png"
    palette(photographs.scene()).save(path, transparency=bytes(8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        first, second = images._open(path, 10**6), images._open(path, 10**6)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        second.__exit__(None, None, None)
        assert warnings.filters == before


def test_decoding_in_threads_gives_the_same_pixels(tmp_path: Path) -> None:
    paths = []
    for index in range(12):
        path = tmp_path / f"{index}.png"
        photographs.noisy(index, 60, 80).save(path)
        paths.append(path)
    alone = [images.load(path, (24, 32)).pixels for path in paths]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda path: images.load(path, (24, 32)).pixels, paths * 4))
    assert len(together) == 48
    for index, pixels in enumerate(together):
        assert np.array_equal(pixels, alone[index % 12])


def test_the_file_is_closed_after_loading(tmp_path: Path) -> None:
    """An open file that is collected is a ResourceWarning, and pytest makes that an error."""
    photographs.scene().save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.size(tmp_path / "a.png")
        gc.collect()


def test_a_text_chunk_that_unpacks_without_end_is_corrupt(tmp_path: Path) -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "x" * 70_000_000, zip=True)
    buffer = io.BytesIO()
    photographs.scene().save(buffer, "PNG", pnginfo=info)
    (tmp_path / "text.png").write_bytes(buffer.getvalue())
    with pytest.raises(BadImage):
        images.load(tmp_path / "text.png", WHOLE)
