"""The folder that the parts of a ranking are in, until it is whole or for good."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scorer.errors import BadInput, Failure
from scorer.files import cannot_write
from scorer.ranking import manifest, part

SUCCESS, SUMMARY, _SKIPPED = "_SUCCESS", "_summary.json", "_skipped.csv"
_OURS = (manifest.NAME, SUCCESS, SUMMARY, _SKIPPED)


def is_folder(out: Path) -> bool:
    """Whether a ranking is to stay in parts: a name without a suffix is a folder."""
    return not out.suffix


def folder_of(out: Path) -> Path:
    """Where the parts of a ranking are."""
    return out if is_folder(out) else out.with_name(f"{out.name}.parts")


def skipped_path(out: Path) -> Path:
    """Where the images that could not be ranked are named: ranking.csv → ranking.skipped.csv."""
    return out / _SKIPPED if is_folder(out) else out.with_name(f"{out.stem}.skipped.csv")


def take(folder: Path) -> None:
    """Make the folder; refuse somebody's of other things."""
    there = list(folder.glob("[!.]*")) if folder.is_dir() else []  # another task may be listing
    if there and not (folder / manifest.NAME).is_file():
        raise BadInput(
            f"{folder} is a folder with other files in it, not with parts of a ranking",
            remedy="choose another name with --out, or a file such as ranking.csv",
        )
    with cannot_write(folder):
        folder.mkdir(parents=True, exist_ok=True)


def begin(folder: Path) -> None:
    """From now on it holds no whole ranking."""
    with cannot_write(folder):
        for name in (SUCCESS, SUMMARY):
            (folder / name).unlink(missing_ok=True)


def tidy(folder: Path, shards: int) -> None:
    """Remove parts of a pool that had more shards, and what killed processes have left."""
    for found in folder.glob("part-*.parquet"):
        if part.number_of(found) >= shards:
            found.unlink()
    for found in folder.glob(".*.tmp"):
        found.unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Of what is in it, only what is ours."""
    with cannot_write(folder):
        for pattern in ("part-*.parquet", ".*.tmp"):
            for found in folder.glob(pattern):
                found.unlink()
        for name in _OURS:
            (folder / name).unlink(missing_ok=True)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


@contextmanager
def removed_if_empty(folder: Path) -> Iterator[None]:
    """Of a run that is refused before it has scored anything, nothing stays."""
    try:
        yield
    except Failure:
        if not any(folder.glob("part-*.parquet")):
            remove(folder)
        raise
