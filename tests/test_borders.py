"""The scorer stands alone: it ranks where PyTorch, onnx and the other two packages are absent."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import photographs
import pytest

from scorer.ranking import table

ROOT = Path(__file__).parent.parent
FORBIDDEN = ("torch", "onnx", "onnxscript", "safetensors", "trainer", "export", "lightning_fabric")

WITHOUT = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {FORBIDDEN!r}:
            raise ImportError(f"{{name}} is not installed here")

sys.meta_path.insert(0, Absent())
for name in {FORBIDDEN!r}:
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(f"{{name}} could be imported: this test shows nothing")
"""

RANK = f"""
from scorer.cli import main
try:
    main(sys.argv[1:])
finally:
    found = {{name.partition(".")[0] for name in sys.modules}} & set({FORBIDDEN!r})
    print("imported:", sorted(found), file=sys.stderr)
"""


def alone(code: str, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + code, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
    )


def test_a_pool_is_ranked_and_drawn_without_pytorch_and_onnx(
    baked: Callable[..., Path], tmp_path: Path
) -> None:
    names = photographs.photographs(tmp_path / "images", 4, height=80, width=120)
    (tmp_path / "scorer.onnx").write_bytes(baked().read_bytes())
    process = alone(RANK, "rank", "--n", "3", "--overlay", "pictures", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "imported: []" in process.stderr
    assert "Warning" not in process.stderr
    rows = list(table.read(tmp_path / "ranking.csv"))
    assert [(row["image"], row["rank"]) for row in rows] == [
        (name, rank) for name in names for rank in (1, 2, 3)
    ]
    assert len(list((tmp_path / "pictures").rglob("*.jpg"))) == 4


def test_every_command_explains_itself_without_pytorch_and_onnx(tmp_path: Path) -> None:
    for command in ([], ["rank"], ["inspect"]):
        process = alone(RANK, *command, "--help", cwd=tmp_path)
        assert process.returncode == 0, process.stderr
        assert process.stdout.startswith("Usage:")
        assert "imported: []" in process.stderr


def test_without_a_runtime_the_remedy_is_the_pip_command(tmp_path: Path) -> None:
    code = WITHOUT.replace("('torch'", "('onnxruntime', 'openvino', 'torch'") + RANK
    assert code != WITHOUT + RANK
    photographs.photographs(tmp_path / "images", 1)
    process = subprocess.run(
        [sys.executable, "-c", code, "rank"],
        check=False, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert process.returncode == 3, process.stderr
    assert "ONNX Runtime" in process.stderr
    assert "pip install 'balentacq[cpu]'" in process.stderr
    assert "Traceback" not in process.stderr


def test_importing_the_scorer_is_light(tmp_path: Path) -> None:
    """Parquet and the runtime are imported by what needs them, so --help answers at once."""
    code = """
import scorer.cli
heavy = sorted({"pyarrow", "onnxruntime"} & set(sys.modules))
print(heavy)
"""
    process = alone(code, cwd=tmp_path)
    assert process.stdout == "[]\n", process.stderr


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_ranking_does_not_load_pandas(
    baked: Callable[..., Path], tmp_path: Path, executor: str
) -> None:
    """Arrow would import pandas for its first column, in this process and in every worker."""
    pytest.importorskip("pandas")
    pytest.importorskip("pyarrow", minversion="26", reason="early ones look for it again and again")
    photographs.photographs(tmp_path / "images", 2, height=80, width=120)
    process = subprocess.run(
        [
            sys.executable, "-X", "importtime", "-m", "scorer", "rank", "--graph", baked(),
            "--executor", executor, "--workers", "1",
        ],
        check=True, capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    loaded = [line.rpartition("|")[2].strip() for line in process.stderr.splitlines()]
    assert loaded.count("pyarrow.lib") == (2 if executor == "processes" else 1)
    assert not [name for name in loaded if name.startswith("pandas.")]


def test_imports_run_in_the_directions_of_the_design() -> None:
    program = Path(sys.executable).parent / "lint-imports"
    process = subprocess.run(
        [program, "--no-cache"], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert process.returncode == 0, process.stdout + process.stderr
    assert "6 kept, 0 broken" in process.stdout
