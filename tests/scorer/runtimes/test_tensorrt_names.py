"""What cannot run without TensorRT's libraries: its names stand in NVIDIA's own bindings.

The wheels of the bindings are fetched from the package index; their libraries are not needed.
"""

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from export import builder, engine
from scorer.runtimes import tensorrt

VERSIONS = ("10.15.1.29", "11.0.0.114", "11.4.0.106")
# Of Python, NumPy, CUDA and ourselves. Whatever else is asked of an object must be TensorRT's.
OWN = {
    "Event", "Gpu", "ModelProto", "NDArray", "architecture", "as_array", "c_uint8", "concatenate",
    "contract", "copy", "ctypes", "ctypeslib", "cudaMemcpyDeviceToHost", "cudaMemcpyHostToDevice",
    "cudaMemcpyKind", "encode", "endswith", "find", "find_spec", "flavour", "from_address", "gpu",
    "gpu_name", "hardware_compatible", "import_module", "is_file", "is_set", "items", "itemsize",
    "join", "kinds", "last", "load", "loads", "lower", "metadata_props", "outer", "package",
    "path_of", "precision", "precisions", "precisions_of", "prod", "read_bytes", "remedy", "repeat",
    "reshape", "result", "run", "sha256", "sidecar", "split", "splitlines", "startswith", "stop",
    "submit", "suffix", "tf32", "to_json", "upper", "util", "version_compatible", "view",
    "multiple", "too_large", "workers", "workspace_mb", "write_bytes",
}  # fmt: skip


@pytest.fixture(scope="module", params=VERSIONS)
def bindings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One version's extension module, where names end in a zero."""
    folder = tmp_path_factory.mktemp("bindings")
    wheel = f"tensorrt-cu13-bindings=={request.param}"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), wheel]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip(f"the index has no {wheel} for this machine")
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        (library,) = (name for name in archive.namelist() if name.endswith("tensorrt.so"))
        return archive.read(library)


def every_name() -> set[str]:
    """What our code asks of any object."""
    found: set[str] = set()
    for module in (builder, engine, tensorrt):
        assert module.__file__
        tree = ast.parse(Path(module.__file__).read_text())
        found |= {
            node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and not node.attr.startswith("_")
        }
    return found


def test_every_name_is_one_of_tensorrts(bindings: bytes) -> None:
    only_rtx = {
        "num_compute_capabilities",
        "set_compute_capability",
        "ComputeCapability",
        "CURRENT",
    }
    names = every_name() - OWN - only_rtx
    assert len(names) > 35
    assert every_name() >= OWN, "a name that is not asked for any more"
    assert [name for name in sorted(names) if f"{name}\0".encode() not in bindings] == []
    assert b"platform_has_fast_int4\0" not in bindings


def test_the_names_of_cuda_are_those_of_its_package() -> None:
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")
    text = Path(tensorrt.__file__).read_text()
    names = set(re.findall(r"\bcuda[A-Z]\w+", text))
    assert len(names) > 6
    kinds = {"cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost"}
    assert all(hasattr(runtime, name) for name in names - kinds)
    assert all(hasattr(runtime.cudaMemcpyKind, name) for name in kinds)
