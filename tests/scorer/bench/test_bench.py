"""scorer bench: what a graph costs in every runtime, and in every stage."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import photographs
import pytest
from click.testing import CliRunner

from export import nodes
from scorer.bench import cost, timing
from scorer.bench.cli import _fastest
from scorer.bench.cost import Cost
from scorer.bench.stages import ORDER, stages
from scorer.cli import main
from scorer.pools import list_pool
from scorer.runtimes import cpu, open_graph, openvino
from scorer.stage import STAGES, stage_of

Graph = Callable[..., Path]


def test_bench_measures_every_runtime(baked: Graph, tmp_path: Path) -> None:
    photographs.photographs(tmp_path, 7, height=80, width=120)
    result = CliRunner().invoke(
        main,
        ["bench", str(baked()), "--pool", str(tmp_path), "--images", "6", "--seconds", "0.4",
         "--json"],
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    combinations = [("cpu", p) for p in cpu.examine().precisions]
    combinations += [("openvino", p) for p in openvino.examine().precisions]
    assert [(row["runtime"], row["precision"]) for row in rows] == combinations
    for row in rows:
        assert row["alone"] > 0
        assert row["rate"] > 0
        assert row["cpu"] > 0
        assert row["share"] == row["files"] / row["rate"]
        assert row["peak_memory"] > 50e6
    assert list(rows[0]["stages"]) == [*ORDER[:3], *STAGES, *ORDER[-2:]]
    assert all(seconds >= 0 for seconds in rows[0]["stages"].values())
    assert [row["stages"] for row in rows[1:]] == [None] * (len(rows) - 1)


def test_bench_tells_people_which_is_fastest(baked: Graph) -> None:
    result = CliRunner().invoke(
        main, ["bench", str(baked()), "--seconds", "0.2", "--threads", "1", "--runtime", "cpu"]
    )
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].startswith("runtime")
    stages = [line.split()[0] for line in result.stdout.splitlines()[4:-1]]
    assert stages == [*STAGES, "spacing", "write", "together"]
    assert "fastest here: --runtime cpu --precision float32" in result.stderr


def test_what_cannot_be_opened_is_told_across_the_process(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_text("no graph")
    result = CliRunner().invoke(main, ["bench", str(tmp_path / "bad.onnx"), "--runtime", "cpu"])
    assert result.exit_code == 5
    assert "cannot be opened" in result.stderr
    assert "write it again with" in result.stderr


def test_a_pool_without_a_photograph_is_told(baked: Graph, tmp_path: Path) -> None:
    photographs.broken(tmp_path, "text")
    plan = cost.Measurement(
        graph=baked(), runtime="cpu", precision="float32", workers=1, seconds=0.1,
        pool=list_pool(tmp_path),
    )  # fmt: skip
    with pytest.raises(Exception, match="can be read"):
        cost.measure(plan)


def test_every_worker_calls_at_least_once() -> None:
    calls: list[int] = []
    rate, cpu = timing.throughput(calls.append, 2, 0)
    assert sorted(calls) == [0, 1]
    assert rate > 0
    assert cpu >= 0


def test_the_peak_grows_with_what_is_held() -> None:
    before = timing.peak_memory()
    assert before is not None
    held = bytearray(b"x") * 300_000_000
    after = timing.peak_memory()
    assert after is not None
    assert after - before > 100_000_000 or before > 300_000_000
    del held


def test_images_that_cannot_be_read_are_left_out(tiny: Graph, tmp_path: Path) -> None:
    """The first twenty are broken, and one vanishes after the pool is listed; top 4 of a graph."""
    for index in range(20):
        (tmp_path / f"a{index:02}.png").write_bytes(b"no image")
    photographs.photographs(tmp_path, 3, height=16, width=24)
    pool = list_pool(tmp_path)
    (tmp_path / pool.names[20]).unlink()
    path = tiny(top_k=4)
    found = stages(open_graph("cpu", path, workers=1), path, pool)
    assert list(found) == ["read", "decode", "resize", "graph", "spacing", "write"]
    plan = cost.Measurement(
        graph=path, runtime="cpu", precision="float32", workers=1, seconds=0.1, pool=pool
    )
    assert cost.measure(plan).files is not None


def test_a_graph_that_names_no_stages_is_one(tiny: Graph) -> None:
    path = tiny()
    found = stages(open_graph("cpu", path, workers=1), path, None)
    assert list(found) == ["graph", "spacing", "write"]


@pytest.mark.parametrize(
    ("acquisition", "target"), [("balentacq", "cpu"), ("balentacq", "gpu"), ("random", "cpu")]
)
def test_every_node_of_a_graph_names_its_stage(acquisition: str, target: str, baked: Graph) -> None:
    model = onnx.load(baked(acquisition, target=target))
    every = list(nodes.every(model.graph))
    assert {stage_of(node.name) for node in every} == set(STAGES)
    assert len({node.name for node in every}) == len(every)
    by_operator = {
        kind: {stage_of(node.name) for node in every if node.op_type == kind}
        for kind in ("Exp", "ArgMax", "TopK", "Reciprocal")
    }
    assert by_operator == {
        "Exp": {"passes"}, "ArgMax": {"acquisition"}, "TopK": {"acquisition"},
        "Reciprocal": by_operator["Reciprocal"],
    }  # fmt: skip
    assert "passes" in by_operator["Reciprocal"]


def test_the_fastest_is_also_named_for_full_precision() -> None:
    usual = Cost(
        runtime="cpu", precision="float32", alone=1, rate=2, files=None, cpu=1, opening=1,
        peak_memory=None, stages=None,
    )  # fmt: skip
    other = replace(usual, runtime="openvino", precision="bfloat16", rate=3)
    assert list(_fastest([usual, other])) == [
        "fastest here: --runtime openvino --precision bfloat16",
        "bfloat16 may choose other pixels than float32: docs/numerics.md",
        "fastest in float32: --runtime cpu",
    ]
    assert len(list(_fastest([replace(usual, rate=4), other]))) == 1
