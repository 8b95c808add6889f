"""Draws a photograph with the chosen pixels, beside its uncertainty map."""

import io
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from scorer.files import replacing_path
from scorer.images.encoded import Encoded
from scorer.images.photograph import load_full
from scorer.selection.result import Pixel, Ranked

# names in a list may lead out of the folder
_HARMLESS = {"..": "_above", "/": "_root", "//": "_root"}
_LONGEST_SIDE = 1280  # pixels of one panel
_SHORTEST_SIDE = 480  # smaller photographs are enlarged, so that the numbers are legible
# Anchors of a colour map from dark blue over green to yellow with even steps in lightness, which
# remains readable for colour-blind people and in grey.
_ANCHORS = np.array(
    [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], np.float64
)


def draw(
    result: Ranked, photograph: Image.Image, colours: Sequence[tuple[int, int, int]]
) -> Image.Image:
    """Draw photograph and map side by side, with the n chosen pixels circled and numbered on both.

    A circle has the colour of the predicted class. Needs `result.map`.
    """
    assert result.map is not None
    size = _panel_size(photograph.size)
    left = photograph.resize(size, Image.Resampling.LANCZOS)
    # The last row and column of the map may stand for less than a stride of the image.
    sides = zip(result.geometry.content, result.map.shape, strict=True)
    height, width = (min(side / result.geometry.stride, there) for side, there in sides)
    right = colour_map(result.map).resize(
        size, Image.Resampling.BILINEAR, box=(0, 0, width, height)
    )
    picture = Image.new("RGB", (2 * size[0] + 8, size[1]), "white")
    for panel, offset in ((left, 0), (right, size[0] + 8)):
        _mark(panel, result, colours)
        picture.paste(panel, (offset, 0))
    return picture


def write(
    folder: Path, photograph: Encoded, result: Ranked, colours: Sequence[tuple[int, int, int]]
) -> Path:
    """Draw a result into a file in `folder`, with the image's name, and .jpg appended to other
    suffixes.

    Returns the path of the file. Raises BadImage, CannotWrite.
    """
    inside = [_HARMLESS.get(part, part) for part in PurePosixPath(result.image).parts]
    path = folder.joinpath(*inside[:-1], _as_jpeg(inside[-1]))
    picture = draw(result, load_full(photograph), colours)
    with replacing_path(path) as temporary:
        # Pillow does not notice an incomplete write to a full disk.
        temporary.write_bytes(encoded(picture, "JPEG", quality=90))
    return path


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode a picture as the bytes of a file; kind and options: Pillow's."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _as_jpeg(name: str) -> str:
    """a.jpg → a.jpg, a.png → a.png.jpg; and, so that names stay different, a.png.jpg →
    a.png.jpg.jpg.
    """
    path = PurePosixPath(name)
    is_own = path.suffix.lower() in {".jpg", ".jpeg"} and not PurePosixPath(path.stem).suffix
    return name if is_own else f"{name}.jpg"


def _panel_size(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(_LONGEST_SIDE / max(size), max(1.0, _SHORTEST_SIDE / min(size)))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def colour_map(values: npt.NDArray[np.float32]) -> Image.Image:
    """Colours of values through the normal CDF, as in the maps of Didari et al. 2024."""
    z = (values - values.mean()) / max(float(values.std()), 1e-12)
    # Approximates the normal CDF, which NumPy lacks, within 3e-4.
    level = 0.5 * (1 + np.tanh(0.7978845608 * (z + 0.044715 * z**3)))
    channels = [
        np.interp(level, np.linspace(0, 1, len(_ANCHORS)), _ANCHORS[:, channel])
        for channel in range(3)
    ]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


def _mark(panel: Image.Image, result: Ranked, colours: Sequence[tuple[int, int, int]]) -> None:
    canvas = ImageDraw.Draw(panel)
    radius = max(4, min(panel.size) // 60)
    font = ImageFont.load_default(2.2 * radius)
    for pixel in reversed(result.pixels):
        x, y = _place(pixel, result, panel.size)
        ring = (x - radius, y - radius, x + radius, y + radius)
        canvas.ellipse(ring, outline="black", width=max(3, radius // 2))
        canvas.ellipse(ring, outline=colours[pixel.label], width=max(2, radius // 3))
        canvas.text(
            (x + 1.3 * radius, y - 1.3 * radius),
            str(pixel.rank),
            fill="white",
            stroke_fill="black",
            stroke_width=2,
            font=font,
        )


def _place(pixel: Pixel, result: Ranked, size: tuple[int, int]) -> tuple[float, float]:
    height, width = result.geometry.image
    return (pixel.col + 0.5) * size[0] / width, (pixel.row + 0.5) * size[1] / height
