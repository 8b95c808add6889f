"""The annotation tools themselves take what we export, and what they export is taken.

Each tool is a PyPI package in an environment of its own, which is made for the test; or it is there
already, as TOOLS_ROOT/<name>, with python in its bin/.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from scorer.cli import main
from scorer.labels.store import Store, reading
from scorer.ranking import table

CLASSES = ("road", "sky")
PACKAGES = {
    "labelstudio": "label-studio==1.23.2", "labelme": "labelme==6.3.1",
    "datumaro": "datumaro==1.13.12",
}  # fmt: skip
SCRIPTS = Path(__file__).parents[2] / "support" / "tools"
ROW = {
    "image": "north/a b.png", "row": 3, "col": 4, "rank": 1, "score": -0.5, "predicted": "sky",
    "height": 32, "width": 48, "grid_height": 32, "grid_width": 48,
}  # fmt: skip
ASKED = [ROW, ROW | {"row": 9, "rank": 2, "score": -0.9}, ROW | {"image": "b.png", "score": 1764.6}]
PIXELS = [("b.png", 3, 4), ("north/a b.png", 3, 4), ("north/a b.png", 9, 4)]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

Tool = Callable[..., None]


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The Python of a tool."""
    made: dict[str, Path] = {}

    def python(name: str) -> Path:
        if name not in made:
            root = os.environ.get("TOOLS_ROOT")
            made[name] = Path(root, name) if root else install(name)
        return made[name] / "bin" / "python"

    def install(name: str) -> Path:
        folder = tmp_path_factory.mktemp("tools") / name
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        done = subprocess.run(
            [folder / "bin" / "python", "-m", "pip", "install", "-q", PACKAGES[name]],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            pytest.skip(f"{PACKAGES[name]} cannot be installed: {done.stderr[-300:]}")
        return folder

    return python


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three images, the ranking of two, and an empty label store."""
    for name in ("north/a b.png", "b.png", "up load (1).png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (48, 32)).save(path)
    Image.new("RGB", (48, 32)).save(tmp_path / "upload.png")
    table.write(tmp_path / "ranking.jsonl", ASKED)
    Store(tmp_path / "labels.db", CLASSES).close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(environments: Callable[[str], Path]) -> Tool:
    """A script in the environment of a tool."""

    def call(name: str, script: str, *arguments: str) -> None:
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        done = subprocess.run(
            [environments(name), SCRIPTS / script, *arguments],
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]

    return call


def labels(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["labels", *arguments], catch_exceptions=False)


def export(kind: str, out: str) -> None:
    result = labels(
        "export", "--ranking", "ranking.jsonl", "--labels", "labels.db", "--format", kind,
        "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr


def taken(kind: str, path: str, *options: str) -> Result:
    return labels("import", path, "--format", kind, "--annotator", "ann", *options)


def standing() -> dict[tuple[str, int, int], str | None]:
    with reading(Path("labels.db"), CLASSES) as store:
        return {one.pixel: one.class_name for one in store.standing()}


def test_label_studio(project: Path, run: Tool) -> None:
    export("label-studio", "tasks.json")
    run("labelstudio", "label_studio_project.py", ".")
    order = json.loads((project / "order.json").read_text())
    assert order == ["b.png", "north/a b.png", ""], "the most informative task comes first"
    refused = taken("label-studio", "project.json")
    assert refused.exit_code == 5
    assert "1 pixels have different answers: b.png row 3, col 4 is sky, road" in refused.stderr
    result = taken("label-studio", "project.json", "--on-conflict", "newest")
    assert result.exit_code == 0, result.stderr
    assert "up_load_1.png as up load (1).png" in result.stderr
    assert standing() == {
        PIXELS[0]: "road", PIXELS[1]: "sky", PIXELS[2]: "sky", ("up load (1).png", 8, 24): "road",
    }  # fmt: skip


def test_labelme(project: Path, run: Tool) -> None:
    export("labelme", "images")
    run("labelme", "labelme_files.py", "images", "elsewhere")
    result = taken("labelme", "elsewhere")
    assert result.exit_code == 0, result.stderr
    assert standing() == dict.fromkeys(PIXELS, "sky")
    assert "3 pixels are not labelled yet" in taken("labelme", "images").stderr


def test_cvat_through_datumaro(project: Path, run: Tool) -> None:
    export("cvat", "queries.xml")
    run("datumaro", "cvat_files.py", ".")
    result = taken("cvat", "labelled/queries.xml")
    assert result.exit_code == 0, result.stderr
    assert standing() == dict.fromkeys(PIXELS, "sky")
