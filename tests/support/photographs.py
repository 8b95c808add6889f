"""Image files as users have them: in every format and mode by Pillow, and damaged ones.

The four quarters of `scene` differ in colour, so that a rotated or mirrored copy is recognised.
"""

import io
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

_ORIENTATION = 0x0112
# How an upright picture must be stored so that its EXIF orientation makes it upright again.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
ORIENTATIONS = tuple(STORED)


def scene(height: int = 40, width: int = 60) -> Image.Image:
    """Red, green, blue and nearly white quarters, clockwise from the top left: r g / b w."""
    picture = np.zeros((height, width, 3), np.uint8)
    top, left = height // 2, width // 2
    picture[:top, :left] = 200, 20, 20
    picture[:top, left:] = 20, 200, 20
    picture[top:, :left] = 20, 20, 200
    picture[top:, left:] = 230, 230, 230
    return Image.fromarray(picture)


def noisy(seed: int, height: int = 24, width: int = 32) -> Image.Image:
    """Random pixels: pictures of different seeds differ, and no two pixels are equal."""
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def turned(path: Path, orientation: int, picture: Image.Image) -> Path:
    """Store `picture` so that only its EXIF orientation makes it upright."""
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    stored = picture if turn is None else picture.transpose(turn)
    lossless = {
        ".jpg": {"quality": 95, "subsampling": 0},
        ".webp": {"lossless": True},
        ".avif": {"quality": 100},
    }
    stored.save(path, exif=exif, **lossless.get(path.suffix, {}))
    return path


def photographs(folder: Path, count: int, *, height: int = 24, width: int = 32) -> list[str]:
    """Fill a folder with `count` PNGs in two subfolders; return their names in pool order."""
    for index in range(count):
        path = folder / ("city" if index % 2 else "field") / f"{index:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        noisy(index, height, width).save(path, compress_level=1)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def encoded(picture: Image.Image, form: str, **options: object) -> bytes:
    """The bytes of a picture as a file of format `form`."""
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


Chunks = Sequence[tuple[bytes, bytes]]


def png16(samples: npt.NDArray[np.uint16], before: Chunks = (), after: Chunks = ()) -> bytes:
    """A PNG of 16 bits, [H, W] or [H, W, 2 to 4]; chunks before and after its pixels."""
    height, width = samples.shape[:2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[1 if samples.ndim == 2 else samples.shape[2]]
    rows = samples.astype(">u2").reshape(height, -1)
    pixels = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(pixels)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in chunks)


def with_chunks(png: bytes, *, before: Chunks = (), after: Chunks = ()) -> bytes:
    """A PNG with additional chunks before and after the pixels."""
    start, end = png.index(b"IDAT") - 4, png.rindex(b"IEND") - 4
    first, last = (b"".join(_chunk(*one) for one in chunks) for chunks in (before, after))
    return png[:start] + first + png[start:end] + last + png[end:]


def with_header(png: bytes, *, interlace: int) -> bytes:
    """A PNG whose header says how it is interlaced."""
    header = png[16:28] + bytes([interlace])
    return png[:8] + _chunk(b"IHDR", header) + png[33:]


_FORMS = {"u": 1, "i": 2, "f": 3}
_FIELDS = {"H": 3, "I": 4, "f": 11}


def tiff(
    samples: npt.NDArray[np.generic],
    *,
    order: str = "<",
    packed: bool = False,
    planes: bool = False,
    differences: bool = False,
    tile: int = 0,
    tags: Mapping[int, tuple[str, Sequence[float]]] | None = None,
) -> bytes:
    """A TIFF of one strip, [H, W] or [H, W, C], of any number type; packed: with zlib. planes: a
    strip per band; differences: stored between neighbours (predictor 2). tile: side of tiles used
    in place of strips, of which the picture must be a multiple.

    tags: by number, a type of struct (H, I or f) and its values, which override the defaults.
    """
    height, width = samples.shape[:2]
    bands = 1 if samples.ndim == 2 else samples.shape[2]
    strips = [samples[..., n] for n in range(bands)] if planes else [samples]
    if tile:
        starts = product(range(0, height, tile), range(0, width, tile))
        strips = [samples[row : row + tile, col : col + tile] for row, col in starts]
    if differences:
        strips = [np.diff(one, axis=1, prepend=one[:, :1] * 0) for one in strips]
    strips = [one.astype(samples.dtype.newbyteorder(order)) for one in strips]
    pieces = [zlib.compress(one.tobytes()) if packed else one.tobytes() for one in strips]
    sizes = [len(one) for one in pieces]
    content = b"".join(pieces)
    rgb = bands >= 3
    entries = {
        256: ("I", [width]), 257: ("I", [height]), 258: ("H", [8 * samples.itemsize] * bands),
        259: ("H", [8 if packed else 1]), 262: ("H", [2 if rgb else 1]),
        277: ("H", [bands]), 278: ("I", [height]),
        284: ("H", [2 if planes else 1]), 317: ("H", [2 if differences else 1]),
        339: ("H", [_FORMS[samples.dtype.kind]] * bands),
    }  # fmt: skip
    places = [8 + sum(sizes[:n]) for n in range(len(sizes))]
    if tile:
        entries |= {322: ("I", [tile]), 323: ("I", [tile]), 324: ("I", places), 325: ("I", sizes)}
    else:
        entries |= {273: ("I", places), 279: ("I", sizes)}
    if rgb and bands > 3:
        entries[338] = ("H", [0] * (bands - 3))
    entries |= {number: (kind, list(values)) for number, (kind, values) in (tags or {}).items()}
    content += bytes(len(content) % 2)
    behind = 8 + len(content) + 2 + 12 * len(entries) + 4
    table, long = struct.pack(order + "H", len(entries)), b""
    for number, (kind, values) in sorted(entries.items()):
        value = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(value) > 4:
            place, long = struct.pack(order + "I", behind + len(long)), long + value
            value = place
        table += struct.pack(order + "HHI", number, _FIELDS[kind], len(values)) + value.ljust(
            4, b"\0"
        )
    mark = b"II*\0" if order == "<" else b"MM\0*"
    start = struct.pack(order + "I", 8 + len(content))
    return mark + start + content + table + bytes(4) + long


def bomb(height: int, width: int) -> bytes:
    """A small PNG whose header states height x width pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(4096)))
        + _chunk(b"IEND", b"")
    )


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("<html>404 not found</html>\n" * 20)


def _truncated_jpeg(path: Path) -> None:
    whole = encoded(noisy(1, 64, 64), "JPEG")
    path.write_bytes(whole[: len(whole) // 2])


def _truncated_png(path: Path) -> None:
    whole = encoded(noisy(2), "PNG")
    path.write_bytes(whole[: len(whole) // 2])


def _corrupt_png(path: Path) -> None:
    whole = bytearray(encoded(noisy(3), "PNG"))
    whole[whole.index(b"IDAT") + 200] ^= 0xFF  # in the pixels, so the checksum is wrong
    path.write_bytes(whole)


def _bomb(path: Path) -> None:
    path.write_bytes(bomb(60_000, 60_000))


def _gif(path: Path) -> None:
    path.write_bytes(encoded(scene(), "GIF"))


def _dangling(path: Path) -> None:
    path.symlink_to(path.parent / "taken away.jpg")


def _float(path: Path) -> None:
    Image.fromarray(np.ones((8, 8), np.float32)).save(path, "TIFF")


def _truncated_bmp(path: Path) -> None:
    whole = encoded(noisy(4), "BMP")
    path.write_bytes(whole[: len(whole) // 2])


def _truncated_tiff(path: Path) -> None:
    whole = encoded(noisy(5), "TIFF", compression="raw")
    path.write_bytes(whole[: len(whole) // 2])


def _truncated_webp(path: Path) -> None:
    whole = encoded(noisy(6, 64, 64), "WEBP")
    path.write_bytes(whole[: len(whole) // 2])


def _headless_jpeg(path: Path) -> None:
    path.write_bytes(encoded(scene(), "JPEG")[200:])


def _zeros(path: Path) -> None:
    path.write_bytes(bytes(5000))


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


# For a suffix: how to damage a file, and the reason that must be reported.
BROKEN: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "empty": (".jpg", _empty, "empty file"),
    "text": (".jpg", _text, "not an image"),
    "truncated jpeg": (".jpg", _truncated_jpeg, "truncated"),
    "truncated png": (".png", _truncated_png, "truncated"),
    "corrupt png": (".png", _corrupt_png, "corrupt"),
    "bomb": (".png", _bomb, "too large"),
    "gif": (".jpg", _gif, "GIF file"),
    "dangling link": (".jpg", _dangling, "vanished"),
    "float tiff": (".tif", _float, "unsupported pixels"),
    "truncated bmp": (".bmp", _truncated_bmp, "truncated"),
    "truncated tiff": (".tif", _truncated_tiff, "truncated"),
    "truncated webp": (".webp", _truncated_webp, "corrupt"),
    "headless jpeg": (".jpg", _headless_jpeg, "not an image"),
    "zeros": (".png", _zeros, "not an image"),
    "link to itself": (".jpg", _loop, "unreadable"),
}


def broken(folder: Path, kind: str, name: str = "broken") -> Path:
    """Write a damaged file of a kind in `BROKEN`."""
    suffix, damage, _ = BROKEN[kind]
    path = folder / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    damage(path)
    return path
