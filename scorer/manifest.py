"""A pool listed once: its images in order, cut into shards, in a Parquet file."""

import os
import threading
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scorer.files import replacing_path
from scorer.pool import no_images
from scorer.pools import Collection, Entry

NAME = "_manifest.parquet"  # whoever reads a folder of Parquet files passes over such a name
# Names are bytes: those of files need not be text.
_SCHEMA = pa.schema(
    {"name": pa.binary(), "location": pa.binary(), "size": pa.int64(), "mark": pa.string()}
)
_WHERE = b"pool"


class Manifest:
    """The images of a pool, a shard at a time, for any thread. where: the pool, in words."""

    def __init__(self, folder: Path) -> None:
        self._file, self._one = pq.ParquetFile(folder / NAME), threading.Lock()
        self.where = self._file.schema_arrow.metadata[_WHERE].decode()
        self.images = self._file.metadata.num_rows
        self.shards = self._file.metadata.num_row_groups

    def read(self, shard: int) -> list[Entry]:
        """The images of a shard, sorted by name."""
        with self._one:  # two reads at once of one open file spoil each other
            table = self._file.read_row_group(shard, use_threads=False)
        columns = table.to_pydict().values()
        return [
            Entry(os.fsdecode(name), os.fsdecode(location), size, mark)
            for name, location, size, mark in zip(*columns, strict=True)
        ]

    def names(self) -> Iterator[str]:
        """Of all images, in order."""
        return (entry.name for number in range(self.shards) for entry in self.read(number))


def write(
    folder: Path, pool: Collection, *, shard: int, on_image: Callable[[int], None] = lambda _: None
) -> None:
    """List a pool into a folder, `shard` images to a shard; on_image hears how many were found.

    The same pool gives the same bytes. Raises BadPool where there is no image.
    """
    entries, found = pool.entries(), 0
    schema = _SCHEMA.with_metadata({_WHERE: pool.where})
    with (
        replacing_path(folder / NAME, shared=True) as temporary,
        pq.ParquetWriter(temporary, schema) as writer,
    ):
        while rows := list(islice(entries, shard)):
            writer.write_table(_table(rows, schema), row_group_size=shard)
            found += len(rows)
            on_image(found)
        if not found:
            raise no_images(pool.where)


def _table(rows: list[Entry], schema: pa.Schema) -> pa.Table:
    names, locations, sizes, marks = zip(*rows, strict=True)
    columns: list[Any] = [map(os.fsencode, names), map(os.fsencode, locations), sizes, marks]
    return pa.table([list(column) for column in columns], schema=schema)
