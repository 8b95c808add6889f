"""The versions of what decodes images and computes scores: others may give other bytes."""

from functools import cache
from importlib import metadata

from scorer import __version__

_DECODING = ("numpy", "Pillow", "pyarrow")
_COMPUTING = {
    "cpu": "onnxruntime", "openvino": "openvino", "cuda": "onnxruntime-gpu",
    "ort-tensorrt": "onnxruntime-gpu", "tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt-rtx",
}  # fmt: skip


def decoding() -> str:
    """Of this program and of what it decodes, draws and writes with."""
    return ", ".join([f"balentacq {__version__}", *map(_version, _DECODING)])


def computing(runtime: str) -> str:
    """What a runtime of this name computes in and with; cards of one kind are not told apart."""
    what = runtime.partition(" on ")[0]
    package = _COMPUTING.get(what.split()[0])
    return f"{what} ({_version(package)})" if package else what


@cache
def _version(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package
