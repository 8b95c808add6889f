"""The Python door: names that are promised, and every block of docs/python.md as it stands."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import export
import scorer
import trainer
from scorer.cli import main
from scorer.ranking.table import COLUMNS

ROOT = Path(__file__).parent.parent
PROMISED = {
    scorer: (
        "BadDataset BadGraph BadImage BadInput BadLabels BadModel BadPool CannotGraft CannotWrite "
        "Click Contract Entry Failure Labels MissingDependency NoGpu Pixel Place Pool Ranked "
        "Results Runtime Scores Skipped divide list_pool open_graph open_pool rank read_labels "
        "write_labels"
    ),
    trainer: "BayesianNetwork Card Evaluation Fitted calibrate evaluate evaluate_masks fit load",
    export: "GraphOptions Source Verdict export graft verify",
}
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
STREETS = ("--train", "3", "--val", "1", "--size", "64x96", "--seed", "0")


@pytest.mark.parametrize("package", PROMISED, ids=lambda package: package.__name__)
def test_the_names_that_are_promised_are_there_and_no_others(package: Any) -> None:
    assert sorted(package.__all__) == sorted(PROMISED[package].split())
    assert all(getattr(package, name) is not None for name in package.__all__)
    with pytest.raises(AttributeError):
        package.nobody  # noqa: B018


def test_importing_the_scorer_loads_nothing_heavy() -> None:
    code = "import sys, scorer; print({'numpy', 'PIL', 'pyarrow', 'fsspec'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Streets with a dataset.toml, and a graph of a model that has hardly learned."""
    folder = tmp_path_factory.mktemp("door")
    command = [sys.executable, str(ROOT / "scripts/streets.py"), str(folder), *STREETS]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        from trainer.cli import main as trainer_main

        with pytest.raises(SystemExit):
            trainer_main(["init", ".", "--force"])
        trainer.fit("dataset.toml", steps=20, keep=0.0)
        export.export(passes=4)
    return folder


def test_every_block_of_the_page_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    blocks = BLOCK.findall((ROOT / "docs" / "python.md").read_text("utf-8"))
    assert len(blocks) >= 9
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert list(names["table"].columns) == list(COLUMNS)
    assert len(names["table"]) == 15
    assert "no such folder does not exist - " in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["rank", "--out", "parts", "--shard", "16"])
    assert ended.value.code == 0
    assert "3 of the images were ranked by an earlier run" in capsys.readouterr().err


def test_the_lines_that_run_a_plain_network(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from export.cli import main as export_main

    monkeypatch.chdir(home)
    with pytest.raises(SystemExit):
        export_main(["onnx", "--plain", "--result", "probabilities"])
    with pytest.raises(SystemExit):
        main(["segment", "--soft", "soft", "--uncertainty", "uncertain"])
    soft, names = BLOCK.findall((ROOT / "docs" / "segment.md").read_text("utf-8"))
    found: dict[str, Any] = {}
    exec(soft, found)
    assert found["probabilities"].shape[1:] == found["nats"].shape
    exec(names, {})
    counts = eval(capsys.readouterr().out.splitlines()[-1])
    assert sum(counts.values()) == 64 * 96
    assert "road" in counts


def test_rank_writes_what_the_command_writes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    with pytest.raises(SystemExit):
        main(["rank", "--out", str(tmp_path / "command.csv"), "--labels", "model.labels.csv"])
    scorer.rank(labels="model.labels.csv").write(tmp_path / "call.csv")
    assert (tmp_path / "call.csv").read_bytes() == (tmp_path / "command.csv").read_bytes()


def test_a_picture_needs_a_map(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    results = scorer.rank()
    with pytest.raises(scorer.BadInput, match="no map"):
        results.picture(next(results))
    with pytest.raises(scorer.BadInput, match=r"bad\.jpg was skipped: corrupt"):
        results.picture(scorer.Skipped("bad.jpg", "corrupt"))


def test_divide_takes_what_rank_takes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    labels = "model.labels.csv"
    criteria: dict[str, Any] = {"n": 2, "min_distance": 3.0, "labels": labels, "seed": 4}
    work = scorer.divide("scorer.onnx", "images", tmp_path / "parts", shard=2, **criteria)
    work.score(range(work.parts))
    options = ["--n", "2", "--min-distance", "3", "--labels", labels, "--seed", "4"]
    with pytest.raises(SystemExit) as ended:
        main(["rank", "--out", str(tmp_path / "parts"), "--shard", "2", *options])
    assert ended.value.code == 0
    scorer.rank(**criteria).write(tmp_path / "one.parquet")
    both = [pd.read_parquet(tmp_path / name) for name in ("parts", "one.parquet")]
    columns = ["image", "row", "col", "rank"]
    assert both[0][columns].values.tolist() == both[1][columns].values.tolist()
    with pytest.raises(scorer.BadInput, match="no split 'test'"):
        trainer.evaluate(split="test")


def test_fit_refuses_a_setting_that_it_has_not(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    with pytest.raises(scorer.BadInput, match="no setting 'epoch'") as caught:
        trainer.fit(epoch=3)
    assert "epochs" in caught.value.remedy


def test_evaluate_measures_what_fit_has_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    seen: list[tuple[int, int]] = []
    fitted = trainer.fit(out="same.safetensors", steps=20, keep=0.0)
    measured = trainer.evaluate("same.safetensors", on_image=lambda *one: seen.append(one))
    assert fitted.evaluation is not None
    assert measured.miou == fitted.evaluation.miou
    assert seen == [(1, 1)]


RECIPE = re.compile(r"\*\*(\w+)\*\*.*?(?=\n\*\*|\n## |\Z)", re.DOTALL)
HERE = {
    "/shared/scorer.onnx": "scorer.onnx",
    "/data/photographs": "images",
    "shard=1024": "shard=1",
}


def recipes(name: str, into: str) -> list[str]:
    """The Python of a recipe for a cluster, on this machine: three parts, no GPU."""
    page = (ROOT / "docs" / "scale.md").read_text("utf-8")
    recipe = next(one.group() for one in RECIPE.finditer(page) if one.group(1) == name)
    found = BLOCK.findall(recipe)
    here = {**HERE, "/shared/ranking": into, '"cuda"': '"cpu"', "num_gpus=1": "num_cpus=1"}
    for there, place in here.items():
        found = [block.replace(there, place) for block in found]
    return found


def ranked(into: Path) -> str:
    """The ranking of the parts in a folder, none of which is scored again."""
    with pytest.raises(SystemExit) as ended:
        main(["rank", "--runtime", "cpu", "--out", str(into), "--shard", "1"])
    assert ended.value.code == 0
    return (into / "_summary.json").read_text("utf-8")


def test_the_recipe_for_slurm_scores_the_pool(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home)
    into = tmp_path / "ranking"
    first, task = recipes("Slurm", str(into))
    with pytest.raises(scorer.BadInput, match="no pool is listed"):
        scorer.divide("scorer.onnx", "images", into, shard=1, listed=True)
    exec(first, {})
    monkeypatch.setenv("SLURM_ARRAY_TASK_COUNT", "2")
    for number in range(2):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(number))
        exec(task, {})
    times = {part: part.stat().st_mtime_ns for part in into.glob("part-*")}
    assert len(times) == 3
    exec(task, {})
    assert {part: part.stat().st_mtime_ns for part in into.glob("part-*")} == times, "kept"
    ranked(into)
    assert "3 of the images were ranked by an earlier run" in capsys.readouterr().err
    with pytest.raises(scorer.BadInput, match="in shards of 1, not "):
        scorer.divide("scorer.onnx", "images", into, shard=2, listed=True)


@pytest.mark.slow
def test_the_recipe_for_ray_scores_the_pool(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.chdir(home)
    into = tmp_path / "ranking"
    (block,) = recipes("Ray", str(into))
    monkeypatch.setattr(ray, "init", lambda _address, begin=ray.init: begin(num_cpus=2))
    try:
        exec(block, {})
    finally:
        ray.shutdown()
    ranked(into)
    assert "3 of the images were ranked by an earlier run" in capsys.readouterr().err
