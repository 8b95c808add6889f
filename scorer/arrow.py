"""Keeps Arrow small in processes of the command line."""

import sys
import threading
from importlib.abc import MetaPathFinder


class _WithoutPandas(MetaPathFinder):
    """Lets imports of pandas fail in this thread, as on a machine that lacks it."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas" and threading.get_ident() == self._thread:
            raise ImportError(fullname)


def lighten() -> None:
    """Let Arrow in this process build columns without pandas.

    Where pandas is installed, Arrow imports it for its first column, which takes time and memory.
    Arrow looks for it once; early versions, such as 17, look again, and load it.
    """
    import pyarrow as pa  # noqa: PLC0415  # it loads slowly

    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, finder := _WithoutPandas())
    try:
        pa.array(())  # Arrow looks for pandas once
    finally:
        sys.meta_path.remove(finder)
