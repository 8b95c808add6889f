"""A pool of images: a folder or a list, always in the same order."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scorer.errors import BadImage, BadPool
from scorer.images import SUFFIXES


@dataclass(frozen=True)
class Pool:
    """Images by name, sorted. A name is the path below `root`, with forward slashes."""

    root: Path
    names: tuple[str, ...]
    searched: bool = True  # a folder, to which files may be added; False for a list

    def path(self, name: str) -> Path:
        return self.root / name

    def __len__(self) -> int:
        return len(self.names)


def list_pool(location: Path) -> Pool:
    """List a folder (recursively, by suffix) or a .txt file with one path per line.

    Paths in a list are relative to the list's folder; repeated ones count once. Hidden files and
    folders are passed over, links to folders are not followed. Raises BadPool if nothing is found.
    """
    if location.is_dir():
        pool = Pool(location, tuple(sorted(_walk(location))))
    elif location.is_file() and location.suffix.lower() == ".txt":
        pool = Pool(location.parent, tuple(sorted(set(_lines(location)))), searched=False)
    elif location.exists():
        raise BadPool(
            f"{location} is neither a folder nor a .txt list of images",
            remedy="give --pool a folder, or a .txt file with one image path per line",
        )
    else:
        raise BadPool(f"{location} does not exist", remedy="give --pool a folder of images")
    if not pool.names:
        suffixes = " ".join(sorted(SUFFIXES))
        raise BadPool(
            f"{location} holds no images", remedy=f"looked for files ending in {suffixes}"
        )
    return pool


def check_name(name: str) -> None:
    """Raise BadImage for a name that no UTF-8 file could hold: rankings and labels are UTF-8."""
    if name != name.encode("utf-8", "replace").decode():
        raise BadImage("file name is not UTF-8", ascii(name))


def _walk(root: Path) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        raise BadPool(
            f"cannot read the folder {error.filename}: {error.strerror}",
            remedy="give --pool a folder that you may read",
        ) from error

    for folder, folders, files in os.walk(root, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES:
                yield (Path(folder) / name).relative_to(root).as_posix()


def _lines(path: Path) -> Iterator[str]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadPool(
            f"cannot read the list {path}: {error}", remedy="a list is UTF-8, one path per line"
        ) from error
    for line in text.split("\n"):
        if line.strip():
            yield Path(line.strip()).as_posix()
