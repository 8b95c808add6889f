"""A pool in Parquet files: a column of encoded images, plain or as Hugging Face writes them."""

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scorer.errors import BadImage, BadPool
from scorer.images.encoded import Encoded
from scorer.pools.files import Files
from scorer.pools.packed import Packed
from scorer.pools.pool import Entry
from scorer.pools.walk import Item

_NAMES = ("id", "key", "name", "path", "file_name", "filename", "image_id", "__key__", "url")
_MOST_BYTES = 512_000_000  # of cached row groups, besides the one read last
_Key = tuple[Files, str, str, int, str]  # place, path, column, group, mark of the file

# Cache of row groups per process, as neighbouring images are read next.
_kept: OrderedDict[_Key, Any] = OrderedDict()
_reading = threading.Lock()  # threads that need the same group wait for the one that reads it
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_integer)


class Tables(Packed):
    """All Parquet files below a folder, or only the file `only`, in the order of their rows.

    The images are in the column `image`, or the only column of bytes. A name is <file>/<id>, with
    the id from a column such as id, key or path, else the number of the row.
    """

    suffix = ".parquet"

    def entries(self) -> Iterator[Entry]:
        for path, item in self.files():
            yield from self._rows(path, item)

    def read(self, entry: Entry, stop: threading.Event | None = None) -> Encoded:
        path, column, group, row = json.loads(entry.location)
        value = _group((self.place, path, column, group, entry.mark), stop)[row].as_py()
        content = value["bytes"] if isinstance(value, dict) else value
        if content is None:
            raise BadImage("empty file", "the table has no bytes there")
        return bytes(content)

    def _rows(self, path: str, item: Item) -> Iterator[Entry]:
        where, seen, number = f"{self.place.url}/{path}", set[str](), 0
        try:
            with self.place.open(path) as source, pq.ParquetFile(source) as file:
                column, identity = _column(file.schema_arrow, where), _identity(file.schema_arrow)
                for group in range(file.num_row_groups):
                    for row, name in enumerate(_names(file, group, identity, number)):
                        if name in seen:
                            raise BadPool(
                                f"{where} has two images called {name}",
                                remedy="give every row a name of its own",
                            )
                        seen.add(name)
                        location = json.dumps([path, column, group, row])
                        yield Entry(f"{path}/{name}", location, -1, self.mark(item))
                        number += 1
        except (pa.ArrowInvalid, OSError) as error:
            raise BadPool(
                f"cannot read the table {where}: {error}",
                remedy="give a whole Parquet file that may be read",
            ) from error


def _names(file: pq.ParquetFile, group: int, identity: str | None, number: int) -> list[str]:
    """The names of the images of a group; number: row number in the file of the group's first
    image.
    """
    if identity is None:
        count = file.metadata.row_group(group).num_rows
        return [f"{number + row:09}" for row in range(count)]
    table = file.read_row_group(group, columns=[identity], use_threads=False)
    return [str(one) for one in table.column(0).to_pylist()]


def _column(schema: pa.Schema, where: str) -> str:
    def holds(kind: Any) -> bool:
        if pa.types.is_struct(kind):
            return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    found = [field.name for field in schema if holds(field.type)]
    if "image" in found:
        return "image"
    if len(found) != 1:
        raise BadPool(
            f"{where} has {len(found)} columns of bytes, none of them called image",
            remedy=f"its columns are {', '.join(schema.names)}",
        )
    return str(found[0])


def _identity(schema: pa.Schema) -> str | None:
    texts = [field.name for field in schema if any(is_kind(field.type) for is_kind in _TEXTS)]
    return next((name for name in _NAMES if name in texts), None)


def _group(key: _Key, stop: threading.Event | None) -> Any:
    """A column of a row group of the file with this mark. Raises BadImage, Failure."""
    place, path, column, group, _ = key
    with _reading:
        if key not in _kept:
            _kept[key] = place.image(
                lambda files, root: _read(files, f"{root}/{path}", column, group), path, stop
            )
            while len(_kept) > 1 and sum(one.nbytes for one in _kept.values()) > _MOST_BYTES:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
        return _kept[key]


def _read(files: Any, path: str, column: str, group: int) -> Any:
    with files.open(path) as source:
        try:
            with pq.ParquetFile(source) as file:
                return file.read_row_group(group, columns=[column], use_threads=False).column(0)
        except pa.ArrowInvalid as error:
            raise BadImage("corrupt", "the table cannot be read") from error
