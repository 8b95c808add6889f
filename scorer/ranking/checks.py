"""Rejects impossible rankings at the start, not after hours of work."""

import csv
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from scorer.contract import RANDOM, Contract
from scorer.errors import BadInput, BadLabels
from scorer.files import cannot_write, check_writable
from scorer.labels import spreadsheet
from scorer.pools import Pool, is_among
from scorer.ranking import parts, table
from scorer.ranking.shard import Shards
from scorer.selection.exclusion import mask_name


def check_places(out: Path, *others: Path | None) -> None:
    """Raise BadInput or CannotWrite if outputs cannot be written, are equal, or would replace
    labels.
    """
    files = [path for path in others if path is not None]
    if not parts.is_folder(out):
        files.insert(0, out)
        table.check_suffix(out)
    for path in (out, *files):
        if "://" in str(path) or str(path).startswith(("s3:/", "gs:/", "az:/")):
            raise BadInput(
                f"{path}: results are written to a folder that this machine has mounted",
                remedy="give --out a local path and copy it from there",
            )
    if len({path.absolute() for path in files}) < len(files):
        raise BadInput(
            "two results would be written to one file", remedy="give each a name of its own"
        )
    for path in files:
        check_writable(path)
    if not parts.is_folder(out):
        _check_replaceable(out)


def check_why(contract: Contract, *, why: bool) -> None:
    """Raise BadInput for --why with a graph of random pixels, whose map has no meaning."""
    if why and contract.acquisition == RANDOM:
        raise BadInput(
            "--why: this graph chooses pixels at random, and its map says nothing of an image",
            remedy="export it anew: python -m export onnx --acquisition balentacq",
        )


def check_pictures(folder: Path | None, pool: Pool) -> None:
    """Raise BadInput for overlays inside the pool, CannotWrite if the folder cannot be created."""
    if folder is None:
        return
    if is_among(folder, pool):
        raise BadInput(
            f"--overlay {folder} lies inside the pool: the next run would rank the pictures",
            remedy=f"choose a folder outside {pool.where}",
        )
    with cannot_write(folder):
        folder.mkdir(parents=True, exist_ok=True)


def check_labels(shards: Shards) -> int:
    """Number of labelled images that are not in the pool. Raises BadLabels if none is."""
    labels = shards.criteria.labels
    if labels is None or not labels.clicks:
        return 0
    missing = set(labels.clicks).difference(shards.manifest.names())
    if len(missing) == len(labels.clicks):
        raise BadLabels(
            f"none of the {len(missing)} images that the labels name is in the pool; "
            f"they name for example {min(missing)!r}, the pool {next(shards.manifest.names())!r}",
            remedy="image names are paths below --pool; give the folder that they start from, or "
            "leave the labels out with --labels none",
        )
    return len(missing)


def check_exclude(shards: Shards) -> None:
    """Raise BadInput for a folder without masks of the pool's images, which would exclude
    nothing.
    """
    folder = shards.criteria.exclude
    if folder is None:
        return
    if not any((folder / mask_name(name)).is_file() for name in shards.manifest.names()):
        raise BadInput(
            f"--exclude {folder} has no mask of any image of the pool, such as "
            f"{mask_name(next(shards.manifest.names()))}",
            remedy="a mask has the path of its image below --pool, with .png",
        )


def _check_replaceable(out: Path) -> None:
    """Raise BadInput if a ranking.csv to be replaced has a label column."""
    names: Sequence[str] = ()
    if out.suffix.lower() == ".csv" and out.is_file():
        with suppress(OSError, UnicodeError, csv.Error), spreadsheet.opened(out) as sheet:
            names = sheet.header
        if "label" in names:
            raise BadInput(
                f"{out} has a column of labels, which a new ranking would replace",
                remedy="keep it under another name, or write the ranking elsewhere with --out",
            )
