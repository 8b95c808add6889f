"""Row groups of Parquet files, kept a while: the neighbours of an image are asked for next."""

import threading
from collections import OrderedDict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scorer.errors import BadImage
from scorer.pools.files import Store

_MOST_BYTES = 512_000_000  # that are kept, beside the one that was read last
_Key = tuple[Store, str, str, int, str]

_kept: OrderedDict[_Key, Any] = OrderedDict()
_reading = threading.Lock()  # those who want the same group wait for the one who reads it


def read(store: Store, path: str, column: str, group: int, mark: str) -> Any:
    """A column of a row group of the file that has this mark. Raises BadImage, Failure."""
    key = (store, path, column, group, mark)
    with _reading:
        if key not in _kept:
            found = store.image(
                lambda files, root: _read(files, f"{root}/{path}", column, group), path
            )
            _kept[key] = found
            while len(_kept) > 1 and sum(one.nbytes for one in _kept.values()) > _MOST_BYTES:
                _kept.popitem(last=False)
        _kept.move_to_end(key)
        return _kept[key]


def _read(files: Any, place: str, column: str, group: int) -> Any:
    with files.open(place) as source:
        try:
            with pq.ParquetFile(source) as file:
                return file.read_row_group(group, columns=[column], use_threads=False).column(0)
        except pa.ArrowInvalid as error:
            raise BadImage("corrupt", "the table cannot be read") from error
