"""Reads text tables of spreadsheets and pandas: fields separated by commas, semicolons or tabs.

A first line sep=; is Excel's. Names in the header are lower-cased and stripped. Empty fields behind
the last column, which spreadsheets write, are dropped where the header and a row have as many.
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
# pandas writes 20.0 in a column with gaps; 1.000 may mean a thousand, and is rejected.
_WHOLE = re.compile(r"([0-9]{1,9})(\.0{1,2})?")


@dataclass(frozen=True)
class Sheet:
    """A table whose header has been read, with its open file."""

    header: Sequence[str]
    file: TextIO
    separator: str
    before: int  # number of lines up to the header
    padding: int = 0  # number of empty fields behind the last column, in the header and in rows

    def rows(self) -> Iterator[tuple[list[str], int]]:
        """Yield the fields of every row and the number of its last line; empty rows are ignored."""
        reader = csv.reader(self.file, strict=True, delimiter=self.separator)
        own, padded = len(self.header), len(self.header) + self.padding
        for fields in reader:
            is_padded = len(fields) == padded and not any(field.strip() for field in fields[own:])
            if any(field.strip() for field in fields):
                yield fields[:own] if is_padded else fields, self.before + reader.line_num


@contextmanager
def opened(path: Path) -> Iterator[Sheet]:
    """Open a text table. Raises OSError, UnicodeError or csv.Error if it is none."""
    with path.open(encoding=_encoding(path), newline="") as file:
        first = file.readline()
        told = _SEP_LINE.fullmatch(first.strip("\r\n"))
        line = file.readline() if told else first
        separator = told[1] if told else max(_SEPARATORS, key=line.count)
        header = next(csv.reader([line], strict=True, delimiter=separator), [])
        names = [name.strip().lower() for name in header]
        own = len(names)
        while own and not names[own - 1]:
            own -= 1
        yield Sheet(names[:own], file, separator, 2 if told else 1, padding=len(names) - own)


def whole(text: str) -> int | None:
    """Parse a whole number from 0 up, which may be written 20.0; None for other texts."""
    found = _WHOLE.fullmatch(text.strip())
    return int(found[1]) if found else None


def has_decimal_comma(text: str) -> bool:
    return re.fullmatch(r"\s*\d+,\d+\s*", text) is not None


def _encoding(path: Path) -> str:
    """The encoding: UTF-8, or UTF-16 as in Excel's "Unicode text"."""
    with path.open("rb") as file:
        start = file.read(2)
    return "utf-16" if start in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE} else "utf-8-sig"
