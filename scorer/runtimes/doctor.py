"""Which runtimes this machine can rank with, and what would install those that it lacks."""

import json
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata

from scorer import runtimes
from scorer.errors import MissingDependency

# Two builds of ONNX Runtime that own the same import folder.
_BUILDS = ("onnxruntime", "onnxruntime-gpu")
# ONNX Runtime's TensorRT provider loads libnvinfer.so.10; `pip install tensorrt` gives 11.
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
    """What was found of one runtime; `remedy` is a command where it is not ready."""

    runtime: str
    ready: bool
    detail: str
    precisions: tuple[str, ...] = ()
    remedy: str = ""


def examine() -> list[Finding]:
    """Open every runtime that there could be, those first that "auto" would choose.

    Those of a GPU each in a process of its own: TensorRT without a GPU crashes it.
    """
    return [finding(name) if name in runtimes.ON_CPU else _apart(name) for name in runtimes.NAMES]


def clashes() -> list[tuple[str, str]]:
    """What is wrong between packages that are installed, each with the command that cures it."""
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
        done = subprocess.run(  # noqa: S603  # this program, with a name of its own
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
    """What there is of one runtime, found in this process."""
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
