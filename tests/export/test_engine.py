"""Engines: NVIDIA's own parser and builder take every graph that is exported, without a GPU."""

import importlib
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner

from export import builder, engine, operators, plain
from export.cli import main
from export.graph import save
from scorer import cli
from scorer.contract import ACQUISITIONS, VERSION
from scorer.errors import BadGraph, BadInput, NoGpu
from scorer.plain import CLASS_MAP, PROBABILITIES
from scorer.runtimes import choose, gpu, sidecar, tensorrt
from scorer.segmentation.network import open_network
from trainer import networks
from trainer.model import Card

pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX has no build for this platform")

Graph = Callable[..., Path]
RTX = builder.EngineOptions(flavour="rtx", gpu="sm89", batch=(1, 2, 4))
TARGETS = ("cpu", "gpu")
VARIANTS = [
    *((acquisition, {"target": "gpu"}) for acquisition in ACQUISITIONS),
    *(("balentacq", {"target": target, "stride": s}) for target in TARGETS for s in (2, 4)),
    *(
        ("balentacq", {"target": target, "precision": precision})
        for target in TARGETS
        for precision in ("float16", "bfloat16")
    ),
    ("balentacq", {"with_map": False}),
    *((acquisition, {"target": "cpu"}) for acquisition in ACQUISITIONS),
]
# The raster for CPUs is not built on a GPU, and strides change sizes alone: what they have in
# common with the others is enough.
CASES = [
    pytest.param(*one, marks=[pytest.mark.slow] * is_rare)
    for one in VARIANTS
    for is_rare in (
        one[1].get("target") == "cpu"
        or "stride" in one[1]
        or one[1].get("precision") == "bfloat16",
    )
]


@pytest.mark.parametrize(
    ("acquisition", "options"), CASES, ids=lambda v: v if isinstance(v, str) else str(v)
)
def test_tensorrt_builds_every_variant(
    acquisition: str, options: dict[str, object], baked: Graph, tmp_path: Path
) -> None:
    graph = baked(acquisition, **options)
    assert operators.violations(onnx.load(graph), batch=32) == []
    out = tmp_path / "scorer.engine"
    heard: list[tuple[str, int, int]] = []
    built = engine.build(graph, out, RTX, lambda *step: heard.append(step))
    assert out.stat().st_size > 1_000_000
    assert heard, "the build reports its progress"
    assert sidecar.read(out, out.read_bytes()) == built
    half = {"float16": "half", "bfloat16": "bf16"}.get(built.contract.precision)
    assert "float" in built.precisions
    assert half is None or built.precisions[half] > 40


@pytest.mark.parametrize(
    ("output", "precision"),
    [
        (CLASS_MAP, "float16"),
        pytest.param(PROBABILITIES, "float32", marks=pytest.mark.slow),
    ],
)
def test_a_plain_network_is_an_engine_too(output: str, precision: str, tmp_path: Path) -> None:
    card = Card(
        network=networks.NAMES[0], dropout=0.2, dropout_kind="channel", classes=("a", "b", "c"),
        colours=((0, 0, 0), (0, 0, 1), (0, 0, 2)), height=64, width=96, pretrained="none",
    )  # fmt: skip
    network, graph, out = card.build().eval(), tmp_path / "network.onnx", tmp_path / "n.engine"
    contract = plain.contract_for(
        network, card, plain.PlainOptions(output=output, precision=precision)
    )
    save(plain.bake(network, contract), graph)
    built = engine.build(graph, out, RTX)
    assert built.contract == contract
    assert sidecar.read(out, out.read_bytes()) == built
    inspected = CliRunner().invoke(cli.main, ["inspect", str(out)])
    assert f"output         {output}: " in inspected.stdout
    _needs_no_gpu()
    with pytest.raises(NoGpu, match="driver"):
        open_network("auto", out, workers=1)


def test_an_operator_that_tensorrt_lacks_is_named(baked: Graph, tmp_path: Path) -> None:
    model = onnx.load(baked())
    node = next(node for node in model.graph.node if node.op_type == "Relu")
    node.op_type, node.name = "Bernoulli", "drawn"
    onnx.save(model, tmp_path / "scorer.onnx")
    assert any("Bernoulli 'drawn'" in said for said in operators.violations(model))
    with pytest.raises(BadGraph, match="does not take Bernoulli 'drawn'"):
        engine.build(tmp_path / "scorer.onnx", tmp_path / "scorer.engine", RTX)
    assert not list(tmp_path.glob("*.engine*"))


def test_the_command_writes_an_engine_that_inspect_reads(baked: Graph, tmp_path: Path) -> None:
    out = tmp_path / "scorer.engine"
    arguments = ["tensorrt", str(baked()), "--flavour", "rtx", "--gpu", "sm89", "--out", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.stderr
    assert "wrote" in result.stderr
    inspected = CliRunner().invoke(cli.main, ["inspect", "--graph", str(out), "--json"])
    assert json.loads(inspected.stdout)["acquisition"] == "balentacq"


@pytest.fixture(scope="module")
def original(baked: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("engines") / "scorer.engine"
    engine.build(baked(), out, RTX)
    return out


@pytest.fixture
def built(original: Path, tmp_path: Path) -> Path:
    """An engine with its sidecar, to be spoilt."""
    for path in (original, sidecar.path_of(original)):
        shutil.copy(path, tmp_path)
    return tmp_path / original.name


def test_a_machine_without_a_gpu_says_so(
    built: Path, baked: Graph, tiny: Graph, tmp_path: Path
) -> None:
    _needs_no_gpu()
    with pytest.raises(NoGpu, match="driver"):
        tensorrt.TensorRt(built, workers=1)
    with pytest.raises(NoGpu, match="built on the GPU"):
        engine.build(tiny(), tmp_path / "x.engine", builder.EngineOptions())
    _edit(built, refittable=True)
    with pytest.raises(NoGpu, match="driver"):
        engine.refit(baked(), built, tmp_path / "x.engine")
    for command in (
        [cli.main, "rank", "--graph", str(built), "--pool", str(tmp_path)],
        [main, "tensorrt", str(tiny()), "--out", str(tmp_path / "x.engine")],
        [cli.main, "rank", "--graph", str(tiny()), "--runtime", "cuda", "--pool", str(tmp_path)],
        [cli.main, "rank", "--graph", str(tiny()), "--runtime", "ort-tensorrt"],
    ):
        result = CliRunner().invoke(command[0], command[1:])
        assert result.exit_code == 3, result.output
        assert "Traceback" not in result.output
    assert not (tmp_path / "x.engine").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: sidecar.path_of(path).unlink(), "has no sidecar"),
        (lambda path: sidecar.path_of(path).write_text("{"), "cannot be read"),
        (lambda path: sidecar.path_of(path).write_text("{}"), "no sidecar of version"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is not the engine that"),
        (lambda path: _edit(path, flavour="other"), "unknown flavour"),
        (lambda path: _edit(path, contract={"version": VERSION}), "lacks or adds fields"),
    ],
    ids=["gone", "torn", "empty", "truncated", "flavour", "contract"],
)
def test_a_damaged_engine_is_refused(
    spoil: Callable[[Path], None], message: str, built: Path
) -> None:
    spoil(built)
    with pytest.raises(BadGraph, match=message):
        sidecar.read(built, built.read_bytes())
    result = CliRunner().invoke(cli.main, ["inspect", "--graph", str(built)])
    assert result.exit_code == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": (2, 1, 4)}, "least ≤ usual ≤ most"),
        ({"gpu": "sm89"}, "the GPU of this machine only"),
        ({"flavour": "rtx", "gpu": "sm89", "refittable": True}, "is built on its GPU"),
        ({"flavour": "rtx", "version_compatible": True}, "other versions"),
        ({"flavour": "rtx", "hardware_compatible": True}, "several kinds of GPU"),
        ({"timing_cache": Path("scorer.onnx")}, "must end in .cache"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict, message: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(BadInput, match=message):
        builder.EngineOptions(**options)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PyTorch's exporter of its own parts
def test_a_bare_network_is_an_engine_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As scripts/gpu times it beside the scoring."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "scripts")
    contestants = importlib.import_module("contestants")
    plain = tmp_path / "plain.onnx"
    setting = contestants.Setting((64, 96), 5)
    contestants.bake_plain(setting, plain, batch=2, precision="float16")
    plan = builder.compiled(plain, RTX)
    assert plan.batch == (2, 2, 2)
    assert plan.precisions["half"] > 40
    assert len(plan.data) > 1_000_000


def test_an_unknown_gpu_is_refused_with_those_that_are_known(tiny: Graph, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="sm1: this") as caught:
        engine.build(tiny(), tmp_path / "x.engine", builder.EngineOptions(flavour="rtx", gpu="sm1"))
    assert "sm89" in caught.value.remedy


def test_only_engines_built_for_it_of_the_same_graph_are_refitted(
    built: Path, tiny: Graph, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="built to keep its weights"):
        engine.refit(tiny(top_k=5), built, tmp_path / "x.engine")
    _edit(built, refittable=True)
    with pytest.raises(BadInput, match="was built from a graph of another"):
        engine.refit(tiny(top_k=5), built, tmp_path / "x.engine")


def test_a_graph_that_is_none_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.onnx"
    text.write_text("hello")
    with pytest.raises(BadGraph, match="is not an ONNX graph"):
        engine.contract_in(text)
    with pytest.raises(BadGraph, match="does not exist"):
        engine.contract_in(tmp_path / "no.onnx")


def test_ctrl_c_stops_the_build_and_leaves_nothing(
    baked: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes to the main thread while another one builds."""
    stopped: list[bool] = []

    def interrupted(work: Callable[[], object], monitor: Any) -> object:
        monitor.stop.set()
        stopped.append(True)
        assert work() is None, "the builder heard it"
        raise KeyboardInterrupt

    monkeypatch.setattr(builder, "_interruptible", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.build(baked(), tmp_path / "x.engine", RTX)
    assert stopped
    assert not list(tmp_path.iterdir())


def test_the_thread_that_waits_hears_ctrl_c_and_the_build_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monitor, ended = SimpleNamespace(stop=threading.Event()), threading.Event()

    def work() -> None:
        time.sleep(0.3)  # the main thread waits by then
        os.kill(os.getpid(), signal.SIGINT)
        assert monitor.stop.wait(timeout=30)
        ended.set()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            builder._interruptible(work, monitor)
    finally:
        signal.signal(signal.SIGINT, before)
    assert ended.is_set()


def test_what_goes_wrong_in_the_build_is_raised() -> None:
    def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        builder._interruptible(work, SimpleNamespace())


def test_engines_go_to_tensorrt_and_graphs_do_not() -> None:
    engine_file, graph = Path("scorer.engine"), Path("scorer.onnx")
    assert choose("auto", graph=engine_file) == "tensorrt"
    assert choose("tensorrt", graph=engine_file) == "tensorrt"
    for name, path in (("cpu", engine_file), ("tensorrt", graph)):
        with pytest.raises(BadInput, match=f"--runtime {name} does not open"):
            choose(name, graph=path)


def test_a_gpu_and_its_engine_must_fit(built: Path) -> None:
    described = sidecar.read(built, built.read_bytes())
    for card, version, message in (
        (gpu.Gpu("other", (9, 0)), described.tensorrt, "was built for sm89"),
        (gpu.Gpu("same", (8, 9)), "99.1", "was built by TensorRT"),
    ):
        with pytest.raises(BadGraph, match=message):
            tensorrt._check_fits(described, built, card, version)
    card = gpu.Gpu("same", (8, 9))
    tensorrt._check_fits(described, built, card, described.tensorrt)
    lasting = replace(described, tensorrt="10.15.1", version_compatible=True)
    tensorrt._check_fits(lasting, built, card, "11.4")
    with pytest.raises(BadGraph, match=r"was built by TensorRT 11\.4"):
        tensorrt._check_fits(replace(lasting, tensorrt="11.4"), built, card, "10.15.1")


@pytest.mark.parametrize(
    ("architecture", "capability", "runs"),
    [("sm89", (8, 9), True), ("sm89", (9, 0), False), ("sm80+", (7, 5), False),
     ("sm80+", (8, 0), True), ("sm80+", (12, 0), True), ("sm100", (10, 0), True)],
)  # fmt: skip
def test_where_an_engine_runs(architecture: str, capability: tuple[int, int], runs: bool) -> None:
    assert tensorrt.fits(architecture, gpu.Gpu("card", capability)) == runs


def test_the_last_of_a_pool_fill_up_a_batch() -> None:
    found = tensorrt.padded(np.arange(6).reshape(3, 2), 5)
    assert found.tolist() == [[0, 1], [2, 3], [4, 5], [4, 5], [4, 5]]


def test_a_batch_beyond_tensorrts_tensors_is_refused(baked: Graph, tmp_path: Path) -> None:
    options = replace(RTX, batch=(1, 8, 200_000))
    with pytest.raises(BadInput, match=r"200000 images at a time .* less than 2\^31"):
        engine.build(baked(target="gpu"), tmp_path / "x.engine", options)


def test_refitting_takes_no_other_options(baked: Graph, built: Path) -> None:
    arguments = ["tensorrt", str(baked()), "--refit", str(built), "--batch", "4"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "--batch does not go with --refit" in result.stderr


def test_the_bar_is_of_the_outermost_phase() -> None:
    trt = pytest.importorskip("tensorrt_rtx")
    heard: list[tuple[str, int, int]] = []
    monitor = builder._monitor(trt, lambda *step: heard.append(step))
    monitor.phase_start("building", None, 2)
    monitor.phase_start("subgraph", "building", 9)
    monitor.phase_start("tactics", "subgraph", 30)
    for phase, step in (("tactics", 0), ("subgraph", 0), ("building", 0), ("building", 1)):
        assert monitor.step_complete(phase, step)
    assert heard == [("building", 1, 2), ("building", 2, 2)]


def test_a_contestant_that_fails_ends_no_race(monkeypatch: pytest.MonkeyPatch) -> None:
    """scripts/gpu has one machine for one hour: all that can run must."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "scripts")
    script = importlib.import_module("gpu")

    def rows(error: Exception) -> Iterator[object]:
        yield script.Row("first", 1.0, "ran")
        raise error

    said = [
        [row.said for row in script.guarded("second", rows, error)]
        for error in (
            NoGpu("no card", remedy="go"),
            BadInput("refused", remedy="no"),
            RuntimeError("memory\nlong story"),
        )
    ]
    assert said == [
        ["ran", "skipped: no card"],
        ["ran", "FAIL: BadInput: refused"],
        ["ran", "FAIL: RuntimeError: memory"],
    ]


def _edit(path: Path, **changes: object) -> None:
    beside = sidecar.path_of(path)
    beside.write_text(json.dumps(json.loads(beside.read_text()) | changes))


def _needs_no_gpu() -> None:
    try:
        gpu.find()
    except NoGpu:
        return
    pytest.skip("this machine has a GPU")


def test_the_native_runtime_gives_what_onnx_runtime_gives(baked: Graph, tmp_path: Path) -> None:
    try:
        gpu.find()
    except NoGpu as error:
        pytest.skip(str(error))
    from scorer.runtimes.cpu import OnnxRuntime

    out = tmp_path / "scorer.engine"
    engine.build(baked(), out, builder.EngineOptions(flavour="rtx", batch=(1, 2, 4)))
    image = np.random.default_rng(0).integers(0, 255, (2, 64, 96, 3), np.uint8)
    exclude = np.zeros((2, 64, 96), np.uint8)
    found = tensorrt.TensorRt(out, workers=1).run(image, exclude, want_map=True)
    expected = OnnxRuntime(baked(), workers=1).run(image, exclude, want_map=True)
    assert found.map is not None
    assert expected.map is not None
    np.testing.assert_allclose(found.map, expected.map, atol=5e-3)
