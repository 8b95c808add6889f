"""Tables of text as spreadsheets and pandas write them: commas, semicolons or tabs between fields.

A first line sep=; is Excel's. A header is compared in lower case, without spaces around it.
"""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

_SEPARATORS = (",", ";", "\t")
_SEP_LINE = re.compile(r'"?sep=(.)"?')
# What pandas writes of a column with gaps; 1.000 may be a thousand, and is no whole number.
_WHOLE = re.compile(r"([0-9]{1,9})(\.0{1,2})?")


@dataclass(frozen=True)
class Sheet:
    """An open file behind its header."""

    header: Sequence[str]
    file: TextIO
    separator: str
    before: int  # lines of the file up to the header

    def rows(self) -> Iterator[tuple[list[str], int]]:
        """Fields and the number of their last line; rows without any text are passed over."""
        reader = csv.reader(self.file, strict=True, delimiter=self.separator)
        for fields in reader:
            if any(fields):
                yield fields, self.before + reader.line_num


@contextmanager
def opened(path: Path) -> Iterator[Sheet]:
    """A table of text. Raises OSError, UnicodeError and csv.Error for what is none."""
    with path.open(encoding=_encoding(path), newline="") as file:
        first = file.readline()
        told = _SEP_LINE.fullmatch(first.strip("\r\n"))
        line = file.readline() if told else first
        separator = told[1] if told else max(_SEPARATORS, key=line.count)
        header = next(csv.reader([line], strict=True, delimiter=separator), [])
        names = [name.strip().lower() for name in header]
        yield Sheet(names, file, separator, before=2 if told else 1)


def whole(text: str) -> int | None:
    """A whole number from 0 up, which may be written 20.0; None for anything else."""
    found = _WHOLE.fullmatch(text.strip())
    return int(found[1]) if found else None


def has_decimal_comma(text: str) -> bool:
    return re.fullmatch(r"\s*\d+,\d+\s*", text) is not None


def _encoding(path: Path) -> str:
    """UTF-8, or the UTF-16 of "Unicode text" of Excel."""
    with path.open("rb") as file:
        start = file.read(2)
    return "utf-16" if start in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else "utf-8-sig"
