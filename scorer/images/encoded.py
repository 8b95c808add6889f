"""An encoded image: its file, or the bytes of one, and what its owner says of its samples."""

from dataclasses import dataclass
from pathlib import Path

Content = Path | bytes


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How samples are read, as somebody says. bit_depth: bits that samples of more than eight hold.
    bands: which of a TIFF's are red, green and blue, from 1.
    """

    bit_depth: int | None = None
    bands: tuple[int, int, int] | None = None


AS_STORED = Reading()  # as the file says


@dataclass(frozen=True)
class Declared:
    """An image of whose samples somebody says something."""

    content: Content
    reading: Reading


Encoded = Content | Declared


def parts(source: Encoded) -> tuple[Content, Reading]:
    """The file or its bytes, and how its samples are read."""
    if isinstance(source, Declared):
        return source.content, source.reading
    return source, AS_STORED


def declared(content: Content, reading: Reading) -> Encoded:
    """The image, read so."""
    return content if reading == AS_STORED else Declared(content, reading)
