"""Reads metadata of PNG files, wherever in the file they are."""

import struct
from dataclasses import dataclass, field
from typing import IO, Any

from PIL import Image, PngImagePlugin

_ORIENTATION = 0x0112
_TEXTS = (b"tEXt", b"zTXt", b"iTXt", b"eXIf")
# ImageMagick stores EXIF and XMP of a JPEG as text: a line of length, and hexadecimal digits.
_PROFILES = tuple(f"Raw profile type {kind}" for kind in ("exif", "APP1", "xmp"))
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"  # first bytes of APP1


@dataclass
class Remarks:
    """Metadata of a PNG file. info: texts and EXIF, by Pillow's names. significant: bits per sample
    of sBIT, or 0.
    """

    info: dict[Any, Any] = field(default_factory=dict)
    significant: int = 0

    @property
    def orientation(self) -> int:
        """The orientation of EXIF, else of XMP; 1 without any, or if it is damaged."""
        blank = Image.new("1", (1, 1))
        blank.info = dict(self.info)
        for name in _PROFILES:
            content = _unpacked(blank.info.pop(name, ""))
            if content.startswith(_EXIF):
                blank.info.setdefault("exif", content)
            elif content:
                blank.info.setdefault("xmp", content.removeprefix(_XMP))
        return int(blank.getexif().get(_ORIENTATION, 1))


def remarks(file: IO[bytes]) -> Remarks:
    """Read all metadata of a PNG file, ignoring damaged ones; the file's position is restored."""
    found, place = Remarks(), file.tell()
    stream = PngImagePlugin.PngStream(file)
    try:
        file.seek(8)
        while True:
            kind, begin, length = stream.read()
            if kind == b"IEND":
                break
            if kind == b"sBIT":
                found.significant = max(file.read(min(length, 4)), default=0)
            elif kind in _TEXTS:
                stream.call(kind, begin, length)
            file.seek(begin + length + 4)  # after its checksum
    except (OSError, ValueError, SyntaxError, EOFError, struct.error):
        pass  # the damage is reported when the pixels are read
    finally:
        file.seek(place)
    found.info = stream.im_info
    return found


def _unpacked(profile: str) -> bytes:
    try:
        return bytes.fromhex("".join(profile.split("\n")[3:]))
    except ValueError:
        return b""
