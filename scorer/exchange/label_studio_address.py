"""Finds the image of a Label Studio task from the addresses in its data."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from scorer.errors import BadLabels
from scorer.exchange.reading import Reading

_KEY = "image"  # the key that scorer writes, and the usual one
# Label Studio stores uploads as upload/<project>/<8 digits>-<name>.
_UPLOADED = re.compile(r"(?:^|/)upload/(?:\d+/)?[0-9a-f]{8}-([^/]+)$")
_BARE = re.compile(r"^[0-9a-f]{8}-([^/]+)$")
_LOCAL = re.compile(r"(?:^|/)data/local-files/?$")


def images(data: Mapping[str, Any], reading: Reading) -> list[str]:
    """The images of a task, in order: by the name that scorer wrote or, in other tasks, by the
    addresses of images under any key. Raises BadLabels if there are none.
    """
    name, catalogue = data.get("name"), reading.catalogue
    is_ours = name in catalogue.names or (isinstance(name, str) and not catalogue.names)
    if is_ours or (catalogue.has_strangers and isinstance(name, str)):
        return [reading.image(str(name))]
    found = _addresses(data[_KEY]) if _KEY in data else _one_key(data, reading)
    return [_image(address, reading) for address in found]


def _one_key(data: Mapping[str, Any], reading: Reading) -> list[str]:
    """The addresses under the only key whose values are known images. Raises BadLabels."""
    fitting = {}
    for key, value in data.items():
        addresses = _addresses(value)
        if addresses and all(_is_known(one, reading) for one in addresses):
            fitting[key] = addresses
    if len(fitting) != 1:
        keys = ", ".join(map(str, fitting or data))
        raise BadLabels(
            f"which of the keys {keys} of data is the image?"
            if fitting
            else f"data has no known image, only {keys}",
            remedy="give the --pool or the --ranking that has the image; one key of data holds it",
        )
    return next(iter(fitting.values()))


def _addresses(value: Any) -> list[str]:
    """One address, or a list of them."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, str) and one]


def _is_known(address: str, reading: Reading) -> bool:
    try:
        _find(path_of(address), reading)
    except BadLabels:
        return False
    return True


def _image(address: str, reading: Reading) -> str:
    return reading.image(path_of(address), find=lambda path: _find(path, reading))


def _find(path: str, reading: Reading) -> str:
    """The image of a path; an upload has no folder, and a changed name."""
    catalogue = reading.catalogue
    uploaded = _UPLOADED.search(path) or _BARE.search(path)
    if uploaded is None or path in catalogue.names:
        return catalogue.find(path)
    return catalogue.find_renamed(uploaded[1], as_uploaded, path)


def path_of(address: str) -> str:
    """The path in an address: of Label Studio's local files, of another URL, or a Windows path."""
    if re.match(r"[A-Za-z]:[\\/]", address):
        return address
    parts = urlsplit(address)
    if _LOCAL.search(parts.path):
        return next(iter(parse_qs(parts.query).get("d", [])), "").lstrip("/")
    return unquote(parts.path).lstrip("/")


def as_uploaded(name: str) -> str:
    """The file name that Label Studio, or Django in it, gives to an upload."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))
