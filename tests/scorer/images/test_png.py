"""The orientation of a PNG, wherever tools write it, and however damaged it is."""

import zlib

import numpy as np
import photographs
import pytest
from PIL import Image

from scorer.images.photograph import load, size

WHOLE = (40, 60)
ORIENTATION = 0x0112
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="{0}"/>'
    "</rdf:RDF></x:xmpmeta>"
)
LONG_XMP = "<rdf:Description><tiff:Orientation>{0}</tiff:Orientation></rdf:Description>"
APP1 = b"http://ns.adobe.com/xap/1.0/\0"
XML = b"XML:com.adobe.xmp"


def exif(orientation: int) -> bytes:
    found = Image.Exif()
    found[ORIENTATION] = orientation
    return found.tobytes()


def profile(kind: str, content: bytes) -> bytes:
    """As ImageMagick writes it."""
    text = content.hex()
    lines = "\n".join(text[i : i + 72] for i in range(0, len(text), 72))
    return f"\n{kind}\n{len(content):8}\n{lines}\n".encode()


def text(keyword: bytes, content: bytes) -> tuple[bytes, bytes]:
    return b"tEXt", keyword + b"\0" + content


def packed(keyword: bytes, content: bytes) -> tuple[bytes, bytes]:
    return b"zTXt", keyword + b"\0\0" + zlib.compress(content)


def raw(kind: str) -> bytes:
    return f"Raw profile type {kind}".encode()


PLACES = {
    "eXIf": lambda n: (b"eXIf", exif(n).removeprefix(b"Exif\0\0")),
    "XMP": lambda n: (b"iTXt", XML + b"\0\0\0\0\0" + XMP.format(n).encode()),
    "XMP, packed": lambda n: (b"iTXt", XML + b"\0\1\0\0\0" + zlib.compress(XMP.format(n).encode())),
    "XMP, an element": lambda n: (b"iTXt", XML + b"\0\0\0\0\0" + LONG_XMP.format(n).encode()),
    "raw profile exif": lambda n: packed(raw("exif"), profile("exif", exif(n))),
    "raw profile exif, not packed": lambda n: text(raw("exif"), profile("exif", exif(n))),
    "raw profile APP1": lambda n: packed(raw("APP1"), profile("generic", exif(n))),
    "raw profile APP1 of XMP": lambda n: packed(
        raw("APP1"), profile("generic", APP1 + XMP.format(n).encode())
    ),
    "raw profile xmp": lambda n: packed(raw("xmp"), profile("xmp", XMP.format(n).encode())),
}


def stored(orientation: int) -> bytes:
    """The scene as it lies in a file that is turned, which does not say so yet."""
    turn = photographs.STORED[orientation]
    scene = photographs.scene()
    return photographs.encoded(scene if turn is None else scene.transpose(turn), "PNG")


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("place", PLACES)
def test_the_orientation_of_a_png_is_found_where_tools_write_it(
    place: str, orientation: int, where: str
) -> None:
    content = photographs.with_chunks(stored(orientation), **{where: [PLACES[place](orientation)]})
    assert size(content) == WHOLE
    assert np.array_equal(load(content, WHOLE).pixels, np.asarray(photographs.scene()))


@pytest.mark.parametrize("order", [("eXIf", "XMP"), ("XMP", "eXIf"), ("XMP", "raw profile APP1")])
def test_exif_counts_before_xmp(order: tuple[str, str]) -> None:
    chunks = [PLACES[place](3 if place == "XMP" else 6) for place in order]
    content = photographs.with_chunks(stored(6), before=chunks)
    assert np.array_equal(load(content, WHOLE).pixels, np.asarray(photographs.scene()))


@pytest.mark.parametrize(
    "chunk",
    [
        (b"eXIf", b""),
        (b"eXIf", b"MM\0*\xff\xff\xff\xff"),
        text(raw("exif"), b"\nexif\n  4\nzzzz"),
        text(raw("APP1"), b"no lines"),
        packed(raw("APP1"), profile("generic", b"Exif\0\0")),
        (b"zTXt", b"Raw profile type exif\0\0no zlib"),
        (b"iTXt", XML + b"\0\0\0\0\0" + b'tiff:Orientation="9"'),
        (b"iTXt", XML),
    ],
)
def test_a_damaged_remark_turns_nothing(chunk: tuple[bytes, bytes]) -> None:
    content = photographs.with_chunks(stored(1), after=[chunk])
    assert np.array_equal(load(content, WHOLE).pixels, np.asarray(photographs.scene()))
