"""Which runtimes this machine can rank with, and what would install those that it lacks."""

from dataclasses import dataclass
from importlib import metadata

from scorer import runtimes
from scorer.errors import MissingDependency

# Two builds of ONNX Runtime that own the same import folder.
_BUILDS = ("onnxruntime", "onnxruntime-gpu")


@dataclass(frozen=True)
class Finding:
    """What was found of one runtime; `remedy` is a command where it is not ready."""

    runtime: str
    ready: bool
    detail: str
    precisions: tuple[str, ...] = ()
    remedy: str = ""


def examine() -> list[Finding]:
    """Open every runtime that there could be, in the order in which "auto" would choose."""
    return [_finding(name) for name in runtimes.NAMES]


def clash() -> str | None:
    """What is wrong where two builds of one package have overwritten each other, or None."""
    found = [f"{name} {version}" for name in _BUILDS if (version := _version(name))]
    if len(found) < len(_BUILDS):
        return None
    return f"{' and '.join(found)} are both installed, in one folder: each overwrote the other"


def _finding(name: str) -> Finding:
    try:
        found = runtimes.examine(name)
    except MissingDependency as error:
        return Finding(name, False, str(error), remedy=error.remedy)
    return Finding(name, True, found.version, found.precisions)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
