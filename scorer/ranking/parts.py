"""The folder of a ranking's parts, which exists until they are joined, or is the result."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scorer.errors import BadInput, Failure
from scorer.files import cannot_write
from scorer.ranking import manifest, part

SUCCESS, SUMMARY, _SKIPPED = "_SUCCESS", "_summary.json", "_skipped.csv"
_OURS = (manifest.NAME, SUCCESS, SUMMARY, _SKIPPED)


def is_folder(out: Path) -> bool:
    """Whether a ranking stays in parts: a name without a suffix is a folder."""
    return not out.suffix


def folder_of(out: Path) -> Path:
    """The folder of a ranking's parts."""
    return out if is_folder(out) else out.with_name(f"{out.name}.parts")


def skipped_path(out: Path) -> Path:
    """The file that lists skipped images: ranking.csv → ranking.skipped.csv."""
    return out / _SKIPPED if is_folder(out) else out.with_name(f"{out.stem}.skipped.csv")


def take(folder: Path) -> None:
    """Create the folder. Raises BadInput if it contains other files."""
    # another task may be listing the pool there
    there = list(folder.glob("[!.]*")) if folder.is_dir() else []
    if there and not (folder / manifest.NAME).is_file():
        raise BadInput(
            f"{folder} is a folder with other files in it, not with parts of a ranking",
            remedy="choose another name with --out, or a file such as ranking.csv",
        )
    with cannot_write(folder):
        folder.mkdir(parents=True, exist_ok=True)


def begin(folder: Path) -> None:
    """Remove the marks of a complete ranking."""
    with cannot_write(folder):
        for name in (SUCCESS, SUMMARY):
            (folder / name).unlink(missing_ok=True)


def tidy(folder: Path, shards: int) -> None:
    """Remove parts beyond the number of shards, and temporary files of killed processes."""
    for found in folder.glob("part-*.parquet"):
        if part.number_of(found) >= shards:
            found.unlink()
    for found in folder.glob(".*.tmp"):
        found.unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Remove the folder's files of a ranking, and the folder if nothing else is in it."""
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
    """Remove the files if a Failure occurs before anything was scored."""
    try:
        yield
    except Failure:
        if not any(folder.glob("part-*.parquet")):
            remove(folder)
        raise
