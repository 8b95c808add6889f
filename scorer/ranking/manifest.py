"""The list of a pool in a Parquet file: its images in order, divided into shards of one size."""

import os
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scorer.errors import BadInput
from scorer.files import replacing_path
from scorer.pools import Entry, Pool, no_images

NAME = "_manifest.parquet"  # readers of Parquet folders ignore names with an underscore
# Names are bytes, because file names may not be valid text.
_SCHEMA = pa.schema(
    {"name": pa.binary(), "location": pa.binary(), "size": pa.int64(), "mark": pa.string()}
)
_WHERE, _SHARD = b"pool", b"shard"
_GROUP = 512  # least number of images per row group: a group per shard would fill the memory
_KEPT = 4  # cached groups


class Manifest:
    """The images of a pool, read shard by shard; thread-safe.

    where: the pool's place. shard: images per shard, fewer in the last. Raises BadInput for a file
    that is no manifest.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._file = pq.ParquetFile(folder / NAME)
            metadata = self._file.schema_arrow.metadata
            self.where, self.shard = os.fsdecode(metadata[_WHERE]), int(metadata[_SHARD])
        except (OSError, pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
            raise BadInput(
                f"{folder / NAME} is no manifest: {error}",
                remedy="remove the folder and give the command again, or choose another --out",
            ) from error
        self._one = threading.Lock()
        self._group = lru_cache(_KEPT)(partial(self._file.read_row_group, use_threads=False))
        self.images = self._file.metadata.num_rows
        self.shards = -(-self.images // self.shard)

    def read(self, shard: int) -> list[Entry]:
        """The images of a shard, in order."""
        group, place = divmod(shard, _shards_to_group(self.shard))
        with self._one:  # concurrent reads of one open file corrupt each other
            table = self._group(group).slice(place * self.shard, self.shard)
        columns = table.to_pydict().values()
        return [
            Entry(os.fsdecode(name), os.fsdecode(location), size, mark)
            for name, location, size, mark in zip(*columns, strict=True)
        ]

    def close(self) -> None:
        """Close the file: on network file systems an open file cannot be removed."""
        self._file.close()

    def names(self) -> Iterator[str]:
        """The names of all images, in order."""
        return (entry.name for entry in self.entries())

    def entries(self) -> Iterator[Entry]:
        """All images, in order."""
        return (entry for number in range(self.shards) for entry in self.read(number))


def write(
    folder: Path, pool: Pool, *, shard: int, on_image: Callable[[int], None] = lambda _: None
) -> None:
    """List a pool into a folder, `shard` images per shard; on_image: called with the number found.

    The same pool gives the same bytes. Raises BadPool if it has no images.
    """
    entries, found = pool.entries(), 0
    metadata = {_WHERE: os.fsencode(pool.where), _SHARD: str(shard).encode()}
    schema, group = _SCHEMA.with_metadata(metadata), shard * _shards_to_group(shard)
    with (
        replacing_path(folder / NAME, shared=True) as temporary,
        pq.ParquetWriter(temporary, schema) as writer,
    ):
        while rows := list(islice(entries, group)):
            writer.write_table(_table(rows, schema), row_group_size=group)
            found += len(rows)
            on_image(found)
        if not found:
            raise no_images(pool.where)


def _shards_to_group(shard: int) -> int:
    return -(-_GROUP // shard)


def _table(rows: list[Entry], schema: pa.Schema) -> pa.Table:
    names, locations, sizes, marks = zip(*rows, strict=True)
    columns: list[Any] = [map(os.fsencode, names), map(os.fsencode, locations), sizes, marks]
    return pa.table([list(column) for column in columns], schema=schema)
