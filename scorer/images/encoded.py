"""An encoded image: its file, or the bytes of one, and what its owner says of its samples."""

from dataclasses import dataclass
from pathlib import Path

Content = Path | bytes


@dataclass(frozen=True)
class Declared:
    """An image whose samples of more than eight bits hold `bit_depth` of them, as somebody says."""

    content: Content
    bit_depth: int


Encoded = Content | Declared


def parts(source: Encoded) -> tuple[Content, int | None]:
    """The file or its bytes, and the bits that its samples are said to hold."""
    if isinstance(source, Declared):
        return source.content, source.bit_depth
    return source, None
