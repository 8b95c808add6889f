"""Lists and reads the images of a pool, with a module for each kind of place."""

from scorer.pools.index import Index, is_among, named
from scorer.pools.opening import list_pool, open_pool
from scorer.pools.pool import Entry, Pool, check_name, no_images

__all__ = [
    "Entry",
    "Index",
    "Pool",
    "check_name",
    "is_among",
    "list_pool",
    "named",
    "no_images",
    "open_pool",
]
