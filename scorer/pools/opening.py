"""Which kind of place a --pool is."""

from pathlib import Path

from scorer.errors import BadPool
from scorer.pools.collection import Collection
from scorer.pools.files import Store, filesystem
from scorer.pools.folder import Folder
from scorer.pools.listing import Listing
from scorer.pools.remote import Remote
from scorer.pools.table import Tables
from scorer.pools.tar import Tars

_KINDS = (Tars, Tables)


def open_pool(where: str) -> Collection:
    """A folder with images, tar or Parquet files, one of these, or a .txt list of paths and URLs;
    here, or at a URL that fsspec knows. Raises BadPool.
    """
    suffix = Path(where).suffix.lower()
    if "://" in where:
        return _kind(suffix, where) or _holding(Store(where.rstrip("/")), None)
    path = Path(where)
    if path.is_dir():
        folder = Folder(path)
        return folder if next(folder.names(), None) else _holding(Store(str(path)), folder)
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


def _kind(suffix: str, where: str) -> Collection | None:
    folder, _, name = where.rpartition("/")
    found = (kind(Store(folder), name) for kind in _KINDS if kind.suffix == suffix)
    return next(found, None)


def _holding(store: Store, folder: Folder | None) -> Collection:
    """What a folder without images holds instead; images, if it is not known to have none."""
    filesystem(store.url)  # says what is missing
    if folder is None and next(store.walk(), None):
        return Remote(store)
    for kind in _KINDS:
        found = kind(store)
        if next(found.files(), None):
            return found
    return folder or Remote(store)
