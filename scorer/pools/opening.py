"""Opens a pool: recognises the kind of place."""

from pathlib import Path
from typing import TYPE_CHECKING

from scorer.errors import BadPool
from scorer.images.encoded import AS_STORED
from scorer.pools.declared import DeclaredPool, parted
from scorer.pools.folder import Folder
from scorer.pools.index import Index
from scorer.pools.listing import Listing
from scorer.pools.pool import Pool, no_images

if TYPE_CHECKING:
    from scorer.pools.table import Tables
    from scorer.pools.tar import Tars

_PACKED = frozenset({".tar", ".parquet"})


def open_pool(where: str | Path) -> Pool:
    """Open a pool: a folder of images, of tar or of Parquet files, one such file, or a .txt list of
    paths and URLs; local, or at a URL that fsspec supports.

    The address may end in #bit-depth=N and #bands=R,G,B. Raises BadPool.
    """
    place, reading = parted(str(where))
    pool = _at(place)
    return pool if reading == AS_STORED else DeclaredPool(pool, reading)


def list_pool(where: str | Path) -> Index:
    """Open a pool and list it, for access by name. Raises BadPool if it holds no images."""
    index = Index.of(open_pool(where))
    if not index.names:
        raise no_images(where)
    return index


def _at(where: str) -> Pool:
    suffix = Path(where).suffix.lower()
    if "://" in where:
        return _kind(suffix, where) or _holding(where.rstrip("/"), None)
    path = Path(where)
    if path.is_dir():
        folder = Folder(path)
        return folder if next(folder.names(), None) else _holding(str(path), folder)
    if not path.exists():
        raise BadPool(f"{path} does not exist", remedy="give --pool a folder of images")
    if suffix == ".txt":
        return Listing(path)
    found = _kind(suffix, str(path.absolute()))
    if found is None:
        raise BadPool(
            f"{path} is neither a folder nor a .txt list, a tar or a Parquet file of images",
            remedy="give --pool a folder, or a .txt file with one image path per line",
        )
    return found


def _kind(suffix: str, where: str) -> Pool | None:
    if suffix not in _PACKED:
        return None
    from scorer.pools.files import Files  # noqa: PLC0415  # its libraries take long to load

    folder, _, name = where.rpartition("/")
    return next(kind(Files(folder), name) for kind in _kinds() if kind.suffix == suffix)


def _holding(url: str, folder: Folder | None) -> Pool:
    """The pool in a folder of tar or Parquet files; one of images if there are none. folder: the
    same place, if it is known to contain no images.
    """
    from scorer.pools.files import Files, filesystem  # noqa: PLC0415
    from scorer.pools.remote import Remote  # noqa: PLC0415

    files = Files(url)
    filesystem(files.url)  # raises an error that names a missing package
    if folder is None and next(files.walk(), None):
        return Remote(files)
    for kind in _kinds():
        found = kind(files)
        if next(found.files(), None):
            return found
    return folder or Remote(files)


def _kinds() -> "tuple[type[Tars], type[Tables]]":
    from scorer.pools.table import Tables  # noqa: PLC0415
    from scorer.pools.tar import Tars  # noqa: PLC0415

    return Tars, Tables
