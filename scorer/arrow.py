"""Keeps Arrow small in processes of the command line."""

import sys
from importlib.abc import MetaPathFinder


class _WithoutPandas(MetaPathFinder):
    """Lets imports of pandas fail, as on a machine that lacks it."""

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "pandas":
            raise ImportError(fullname)


def lighten() -> None:
    """Let Arrow in this process do without pandas.

    Where pandas is installed, Arrow imports it for its first column, which takes 0.2 s and 20 MB.
    Afterwards Arrow cannot convert to pandas in this process: call this where no code of others
    runs.
    """
    import pyarrow as pa  # noqa: PLC0415  # it loads slowly

    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, finder := _WithoutPandas())
    try:
        pa.array(())  # Arrow looks for pandas once
    finally:
        sys.meta_path.remove(finder)
