"""Writes and reads a ranking: one row per chosen pixel, as .csv, .jsonl or .parquet."""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from scorer.errors import BadInput
from scorer.files import replacing, replacing_path
from scorer.selection.result import Ranked

COLUMNS = (
    "image",
    "row",
    "col",
    "rank",
    "score",
    "predicted",
    "height",
    "width",
    "grid_height",
    "grid_width",
    "nonnegative",
)
_ROWS_AT_ONCE = 65536

Row = dict[str, Any]
Kinds = Mapping[str, type[str] | type[int] | type[float]]  # types of the columns, in order


def rows(results: Iterable[Ranked], classes: Sequence[str]) -> Iterator[Row]:
    """Yield a row per chosen pixel: row and col in the original image, both sizes, and the share of
    the image's pixels with BalEnt ≥ 0; None if unknown.
    """
    for result in results:
        share = None if result.nonnegative is None else float(f"{result.nonnegative:.6g}")
        for pixel in result.pixels:
            row = result.place(pixel).coordinates | {
                "rank": pixel.rank,
                "score": float(f"{pixel.score:.9g}"),  # the precision of float32
                "predicted": classes[pixel.label],
                "nonnegative": share,
            }
            yield {name: row[name] for name in COLUMNS}


def check_suffix(path: Path, option: str = "--out") -> None:
    """Raise BadInput for a file name without a known suffix, before any work is done."""
    if path.suffix.lower() not in _WRITERS:
        raise BadInput(
            f"{path}: a ranking is written as {', '.join(_WRITERS)}",
            remedy=f"choose a name with one of these suffixes for {option}",
        )


def write(path: Path, ranking: Iterable[Row], kinds: Kinds | None = None) -> None:
    """Write a ranking atomically, in the format of the suffix; kinds: other columns than the
    default.

    Raises BadInput, CannotWrite.
    """
    check_suffix(path)
    _WRITERS[path.suffix.lower()](path, ranking, _KINDS if kinds is None else kinds)


def read(path: Path) -> Iterator[Row]:
    """Yield the rows of a ranking. Raises BadInput."""
    check_suffix(path)
    yield from _READERS[path.suffix.lower()](path)


def _write_csv(path: Path, ranking: Iterable[Row], kinds: Kinds) -> None:
    with replacing(path) as file:
        writer = csv.DictWriter(file, list(kinds), lineterminator="\n")
        writer.writeheader()
        writer.writerows(ranking)


def _write_jsonl(path: Path, ranking: Iterable[Row], _: Kinds) -> None:
    with replacing(path) as file:
        file.writelines(json.dumps(row) + "\n" for row in ranking)


def _write_parquet(path: Path, ranking: Iterable[Row], kinds: Kinds) -> None:
    # takes half a second to import, and only this format needs it
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    types: dict[type, Any] = {str: pa.string(), int: pa.int32(), float: pa.float32()}
    schema = pa.schema([(name, types[kind]) for name, kind in kinds.items()])
    with replacing_path(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        ranking = iter(ranking)
        while chunk := list(islice(ranking, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(chunk, schema))


_WRITERS: dict[str, Callable[[Path, Iterable[Row], Kinds], None]] = {
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
    ".parquet": _write_parquet,
}


def _read_csv(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        header = next(reader, [])
        for fields in filter(None, reader):
            if len(fields) != len(header):
                raise BadInput(
                    f"{path} line {reader.line_num} has {len(fields)} fields, the header "
                    f"{len(header)}",
                    remedy="rank the pool again: this is not as scorer rank writes it",
                )
            named = zip(header, fields, strict=True)
            yield {name: _KINDS[name](value) if value else None for name, value in named}


def _read_jsonl(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _read_parquet(path: Path) -> Iterator[Row]:
    import pyarrow.parquet as pq  # noqa: PLC0415

    with pq.ParquetFile(path) as file:
        for chunk in file.iter_batches():
            yield from chunk.to_pylist()


_KINDS: Kinds = dict.fromkeys(COLUMNS, int) | {
    "image": str,
    "score": float,
    "predicted": str,
    "nonnegative": float,
}
_READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
