"""Versions of the software that decodes images and computes scores, on which results may depend."""

from functools import cache
from importlib import metadata

from scorer import __version__

_DECODING = ("numpy", "Pillow", "pyarrow")
_COMPUTING = {
    "cpu": "onnxruntime", "openvino": "openvino", "cuda": "onnxruntime-gpu",
    "ort-tensorrt": "onnxruntime-gpu", "tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt-rtx",
}  # fmt: skip


def decoding() -> str:
    """The versions of this package, and of the libraries that decode, draw and write."""
    return ", ".join([f"balentacq {__version__}", *map(_version, _DECODING)])


def computing(runtime: str) -> str:
    """The runtime of this name with its package version; GPUs of one model are not
    distinguished.
    """
    what = runtime.partition(" on ")[0]
    package = _COMPUTING.get(what.split()[0])
    return f"{what} ({_version(package)})" if package else what


@cache
def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package
