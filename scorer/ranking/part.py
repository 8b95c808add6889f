"""A part of a ranking: the results for the images of a shard, in a Parquet file.

It has a row per chosen pixel. An image without any has one row: with the `reason` for which it was
skipped or, if no pixel was eligible, with its sizes only. Properties of a whole image are in the
first of its rows. The footer records what the part depends on.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scorer.errors import PASSING, BadInput, CannotWrite
from scorer.files import replacing_path
from scorer.images.geometry import Geometry
from scorer.selection.result import Pixel, Ranked, Skipped
from scorer.selection.sight import Sight

RUNTIMES = "runtimes"
_WORDS = {
    "contract": "graphs", "options": "options", "images": "images", "decoding": "versions",
    "computing": RUNTIMES,
}  # fmt: skip
_KEY = b"balentacq"
_FORMAT = 3
_WHOLE = pa.int32()
_SCHEMA = pa.schema(
    {
        "image": pa.string(), "row": _WHOLE, "col": _WHOLE, "rank": _WHOLE, "score": pa.float32(),
        "predicted": pa.string(), "height": _WHOLE, "width": _WHOLE, "grid_height": _WHOLE,
        "grid_width": _WHOLE, "share": pa.float32(), "nonnegative": pa.float32(),
        "reason": pa.string(), "detail": pa.string(),
    }
)  # fmt: skip
_SIGHTS = {"mean": pa.float64(), "classes": pa.list_(pa.int32()), "palette": pa.binary()}


@dataclass(frozen=True)
class Stamp:
    """What a part depends on: hashes of the graph's contract, the options and the images; versions
    of the decoding and the computing software.
    """

    contract: str
    options: str
    images: str
    decoding: str
    computing: str

    def differs(self, other: "Stamp") -> str | None:
        """The first difference to another stamp, in a word; the runtime only if nothing else
        differs.
        """
        words = (
            word for name, word in _WORDS.items() if getattr(self, name) != getattr(other, name)
        )
        return next(words, None)


@dataclass(frozen=True)
class Counts:
    """Numbers of images, of ranked ones, of those with pixels, of those with fewer than n; of
    pixels.

    passing: images skipped for reasons that may no longer apply. measured: images whose share of
    pixels with BalEnt ≥ 0 is known; nonnegative: sum of these shares.
    """

    images: int
    ranked: int
    asked: int
    short: int
    pixels: int
    passing: int
    measured: int
    nonnegative: float

    @classmethod
    def of(cls, results: Sequence[Ranked | Skipped], n: int) -> "Counts":
        ranked = [one for one in results if isinstance(one, Ranked)]
        found = [len(one.pixels) for one in ranked]
        shares = [one.nonnegative for one in ranked if one.nonnegative is not None]
        asked, short = sum(map(bool, found)), sum(count < n for count in found)
        passing = sum(isinstance(one, Skipped) and one.reason in PASSING for one in results)
        return cls(
            len(results), len(found), asked, short, sum(found), passing,
            len(shares), math.fsum(shares),
        )  # fmt: skip


def path(folder: Path, shard: int) -> Path:
    return folder / f"part-{shard:08}.parquet"


def number_of(path: Path) -> int:
    """The shard number of a part's file."""
    return int(path.stem.removeprefix("part-"))


def write(
    folder: Path,
    shard: int,
    results: Sequence[Ranked | Skipped],
    classes: Sequence[str],
    stamp: Stamp,
    n: int,
    *,
    sights: bool,
) -> None:
    """Write a part atomically; the same results give the same bytes.

    sights: whether to write the columns for whole images. Raises CannotWrite.
    """
    if not folder.is_dir():  # not created again, as the run that uses it has ended
        raise CannotWrite(
            f"cannot write {path(folder, shard)}: the folder is gone",
            remedy="do not remove it during a run; run the same command again",
        )
    rows = [row for one in results for row in _rows(one, classes)]
    footer = {
        "format": _FORMAT, "rows": len(rows), "stamp": asdict(stamp),
        "counts": asdict(Counts.of(results, n)),
    }  # fmt: skip
    schema = pa.schema([*_SCHEMA, *(pa.schema(_SIGHTS) if sights else ())])
    schema = schema.with_metadata({_KEY: json.dumps(footer, sort_keys=True)})
    with replacing_path(path(folder, shard), shared=True) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema), temporary, compression="zstd")


def footer_of(folder: Path, shard: int) -> tuple[Stamp, Counts] | None:
    """The stamp and the counts of a part; None if it is missing or incomplete."""
    try:
        with pq.ParquetFile(path(folder, shard)) as file:
            footer = json.loads(file.schema_arrow.metadata[_KEY])
            if footer["format"] != _FORMAT or footer["rows"] != file.metadata.num_rows:
                return None
            return Stamp(**footer["stamp"]), Counts(**footer["counts"])
    except (OSError, pa.ArrowInvalid, ValueError, KeyError, TypeError):
        return None


def read(folder: Path, shard: int, classes: Sequence[str]) -> Iterator[Ranked | Skipped]:
    """Yield the results for the images of a shard, in order. Raises BadInput."""
    try:
        with pq.ParquetFile(path(folder, shard)) as file:
            rows = file.read(use_threads=False).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(
            f"cannot read {path(folder, shard)}: {error}",
            remedy="remove it and give the same command again",
        ) from error
    for image, found in groupby(rows, key=lambda row: row["image"]):
        yield _result(image, list(found), classes)


def digest(parts: Iterable[object]) -> str:
    """A hash of texts and numbers."""
    text = "\n".join(map(repr, parts))
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _rows(result: Ranked | Skipped, classes: Sequence[str]) -> Iterator[dict[str, Any]]:
    # An image with a name that is not UTF-8 is skipped, and its name escaped.
    image = result.image.encode("utf-8", "backslashreplace").decode()
    if isinstance(result, Skipped):
        yield {"image": image, "reason": result.reason, "detail": result.detail}
        return
    (height, width), (grid_height, grid_width) = result.geometry.image, result.geometry.grid
    same = {
        "image": image, "height": height, "width": width, "grid_height": grid_height,
        "grid_width": grid_width, "share": result.share, "nonnegative": result.nonnegative,
    }  # fmt: skip
    sight = {} if result.sight is None else asdict(result.sight)
    for one in result.pixels:
        yield same | sight | result.place(one).coordinates | {
            "rank": one.rank, "score": one.score, "predicted": classes[one.label]
        }  # fmt: skip
        sight = {}
    if not result.pixels:
        yield same | sight


def _result(
    image: str, rows: Sequence[Mapping[str, Any]], classes: Sequence[str]
) -> Ranked | Skipped:
    first = rows[0]
    if first["reason"] is not None:
        return Skipped(image, first["reason"], first["detail"])
    geometry = Geometry(
        (first["height"], first["width"]), (first["grid_height"], first["grid_width"])
    )
    pixels = (
        Pixel(row["row"], row["col"], row["rank"], row["score"], classes.index(row["predicted"]))
        for row in rows
        if row["rank"] is not None
    )
    sight = None
    if first.get("palette") is not None:
        sight = Sight(first["mean"], tuple(first["classes"]), first["palette"])
    return Ranked(
        image,
        geometry,
        tuple(pixels),
        share=first["share"],
        nonnegative=first["nonnegative"],
        sight=sight,
    )
