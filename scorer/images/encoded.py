"""An encoded image: a file or its bytes, and the user's statements about its samples."""

from dataclasses import dataclass
from pathlib import Path

Content = Path | bytes


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The user's statements about samples. bit_depth: bits in use, of samples of more than eight.
    bands: the red, green and blue band of a TIFF, from 1.
    """

    bit_depth: int | None = None
    bands: tuple[int, int, int] | None = None


AS_STORED = Reading()  # as the file declares


@dataclass(frozen=True)
class Declared:
    """An image with statements about its samples."""

    content: Content
    reading: Reading


Encoded = Content | Declared


def parts(source: Encoded) -> tuple[Content, Reading]:
    """The file or its bytes, and the statements about its samples."""
    if isinstance(source, Declared):
        return source.content, source.reading
    return source, AS_STORED


def declared(content: Content, reading: Reading) -> Encoded:
    """An image with this `reading`."""
    return content if reading == AS_STORED else Declared(content, reading)
