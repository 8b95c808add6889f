"""A pool of images in memory: a folder or a list, always in the same order."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scorer.errors import BadImage, BadPool
from scorer.images.photograph import SUFFIXES, Source
from scorer.pools.collection import Entry
from scorer.pools.folder import Folder, of_file


@dataclass(frozen=True)
class Pool:
    """Images by name, sorted. A name is the path below `root`, with forward slashes."""

    root: Path
    names: tuple[str, ...]
    searched: bool = True  # a folder, to which files may be added; False for a list

    @property
    def where(self) -> str:
        return str(self.root)

    def path(self, name: str) -> Path:
        return self.root / name

    def entries(self) -> Iterator[Entry]:
        return (of_file(name, self.path(name)) for name in self.names)

    def read(self, entry: Entry) -> Source:
        return self.path(entry.name)

    def confined(self) -> tuple["Pool", int]:
        """Without links that lead out of a folder that was searched, and how many those are."""
        if not self.searched:
            return self, 0
        root = self.root.resolve()
        inside = tuple(
            name for name in self.names if self.path(name).resolve().is_relative_to(root)
        )
        if not inside:
            raise BadPool(
                f"all images of {self.root} are links out of it",
                remedy="give --pool the folder that they lead to, or a .txt list of them",
            )
        return Pool(self.root, inside), len(self.names) - len(inside)

    def __len__(self) -> int:
        return len(self.names)


def list_pool(location: Path) -> Pool:
    """List a folder (recursively, by suffix) or a .txt file with one path per line.

    Paths in a list are relative to the list's folder; repeated ones count once. Hidden files and
    folders are passed over, links to folders are not followed. Raises BadPool if nothing is found.
    """
    if location.is_dir():
        pool = Pool(location, tuple(Folder(location).names()))
    elif location.is_file() and location.suffix.lower() == ".txt":
        pool = Pool(location.parent, tuple(sorted(set(lines(location)))), searched=False)
    elif location.exists():
        raise BadPool(
            f"{location} is neither a folder nor a .txt list of images",
            remedy="give --pool a folder, or a .txt file with one image path per line",
        )
    else:
        raise BadPool(f"{location} does not exist", remedy="give --pool a folder of images")
    if not pool.names:
        raise no_images(location)
    return pool


def no_images(location: object) -> BadPool:
    suffixes = " ".join(sorted(SUFFIXES))
    return BadPool(f"{location} holds no images", remedy=f"looked for files ending in {suffixes}")


def check_name(name: str) -> None:
    """Raise BadImage for a name that no UTF-8 file could hold: rankings and labels are UTF-8."""
    if name != name.encode("utf-8", "replace").decode():
        raise BadImage("file name is not UTF-8", ascii(name))


def lines(path: Path) -> Iterator[str]:
    """The paths of a list, without the empty lines."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadPool(
            f"cannot read the list {path}: {error}", remedy="a list is UTF-8, one path per line"
        ) from error
    for line in filter(None, map(str.strip, text.split("\n"))):
        yield line if "://" in line else Path(line).as_posix()
