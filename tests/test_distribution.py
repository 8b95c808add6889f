"""What is handed out: one version everywhere, a wheel and an sdist that install and rank."""

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from importlib.metadata import metadata, version
from pathlib import Path

import photographs
import pytest

import scorer

ROOT = Path(__file__).parent.parent


def test_one_version_everywhere() -> None:
    assert version("balentacq") == scorer.__version__
    written = [
        path
        for path in (ROOT / "pyproject.toml", *(ROOT / "export").glob("*.py"))
        if f'"{scorer.__version__}"' in path.read_text("utf-8")
    ]
    assert written == []
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == scorer.__version__


def test_the_metadata_says_what_it_is() -> None:
    told = metadata("balentacq")
    assert told["License-Expression"] == "Apache-2.0"
    assert told["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in told.get_all("Classifier", [])
    assert told.get_all("Author") is None


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_wheel_and_sdist_hold_all_that_is_needed(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for package in ("scorer", "trainer", "export"):
        assert {f"{package}/py.typed", f"{package}/__init__.pyi"} <= set(names)
    assert "scorer/service/page/index.html" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not any(name.startswith(("tests/", "demo/")) for name in names)
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "README.md", "pyproject.toml", "scorer/py.typed"} <= inside


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_what_is_built_installs_and_ranks(
    kind: str, built: Path, tiny: Callable[..., Path], tmp_path: Path
) -> None:
    (file,) = built.glob(kind)
    # Of a path that leads to the sources pip would say that the package is installed already.
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    bin_ = tmp_path / "env" / "bin"
    install = [str(bin_ / "pip"), "install", "--quiet", f"{file}[cpu]"]
    subprocess.run(install, check=True, cwd=tmp_path, env=alone)
    photographs.photographs(tmp_path / "images", 2)
    (tmp_path / "scorer.onnx").write_bytes(tiny().read_bytes())
    done = subprocess.run(
        [bin_ / "scorer", "rank", "--n", "3"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=alone,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "ranking.csv").read_text().splitlines()) == 7
