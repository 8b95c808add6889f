"""Examines which runtimes work on this machine, and what would install missing ones."""

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata

from scorer import runtimes
from scorer.errors import MissingDependency

# Two builds of ONNX Runtime in the same import folder.
_BUILDS = ("onnxruntime", "onnxruntime-gpu")
# ONNX Runtime's TensorRT provider loads libnvinfer.so.10; `pip install tensorrt` installs 11.
_PROVIDERS_TENSORRT = 10
_TIMEOUT_S = 120
_PROBE = """
import json, sys
from dataclasses import asdict
from scorer.runtimes import doctor
print(json.dumps(asdict(doctor.finding(sys.argv[1]))))
"""


@dataclass(frozen=True)
class Finding:
    """The state of a runtime; remedy: a command if it is not ready."""

    runtime: str
    ready: bool
    detail: str
    precisions: tuple[str, ...] = ()
    remedy: str = ""


def examine() -> list[Finding]:
    """Examine every runtime, in the order of "auto".

    GPU runtimes are examined in separate processes, because TensorRT crashes without a GPU.
    """
    return [finding(name) if name in runtimes.ON_CPU else _apart(name) for name in runtimes.NAMES]


def clashes() -> list[tuple[str, str]]:
    """Conflicts between installed packages, each with the command that resolves it."""
    found = []
    builds = [f"{name} {version}" for name in _BUILDS if (version := _version(name))]
    if len(builds) == len(_BUILDS):
        found.append(
            (
                f"{' and '.join(builds)} are both installed, in one folder: each overwrote the "
                "other",
                "pip uninstall -y onnxruntime onnxruntime-gpu && pip install 'balentacq[cpu]'",
            )
        )
    tensorrt = _version("tensorrt") or _version("tensorrt-cu13")
    if (
        tensorrt
        and _version("onnxruntime-gpu")
        and int(tensorrt.split(".")[0]) > _PROVIDERS_TENSORRT
    ):
        found.append(
            (
                f"TensorRT {tensorrt} beside onnxruntime-gpu, whose TensorRT provider loads "
                f"version {_PROVIDERS_TENSORRT}: --runtime ort-tensorrt cannot work",
                "pip install 'balentacq[ort-tensorrt]' for that runtime, or use --runtime tensorrt",
            )
        )
    return found


def _apart(name: str) -> Finding:
    try:
        done = subprocess.run(  # noqa: S603  # this program
            [sys.executable, "-c", _PROBE, name],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding(name, False, f"does not answer within {_TIMEOUT_S} s", remedy="nvidia-smi")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        detail = f"crashed (exit status {done.returncode}): {last}"
        return Finding(name, False, detail, remedy="nvidia-smi shows whether there is a GPU")
    values = json.loads(done.stdout.splitlines()[-1])
    return Finding(**values | {"precisions": tuple(values["precisions"])})


def finding(name: str) -> Finding:
    """Examine a runtime in this process."""
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
