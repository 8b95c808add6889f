"""Reads JSON files of other programs, up to a size limit."""

import json
from pathlib import Path
from typing import Any, NoReturn

from scorer.errors import BadLabels

MAX_BYTES = 2**28


def read(path: Path, remedy: str) -> Any:
    """The content of a JSON file. Raises BadLabels if it is too large or no JSON."""
    if path.stat().st_size > MAX_BYTES:
        raise BadLabels(f"{path} is larger than 256 MiB", remedy="export fewer images at a time")
    try:
        return json.loads(path.read_bytes(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadLabels(f"{path} cannot be read as JSON: {error}", remedy=remedy) from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
