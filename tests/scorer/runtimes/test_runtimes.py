"""Every runtime gives PyTorch's answer, whatever the acquisition, the layout and the stride."""

from collections.abc import Callable
from dataclasses import replace
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import photographs
import pytest

from export.verification import verify
from scorer import runtimes
from scorer.contract import ACQUISITIONS
from scorer.errors import BadGraph, BadInput, Failure, MissingDependency
from scorer.pools import Index, list_pool
from scorer.runtimes import cpu, cuda, openvino
from scorer.runtimes.base import Installed, Runtime
from scorer.selection.select import rank
from trainer.network import BayesianNetwork

ON_CPU = tuple(runtimes.ON_CPU)
Graph = Callable[..., Path]

RASTERS: dict[str, dict[str, Any]] = {
    "stride 2": {"stride": 2},
    "stride 4": {"stride": 4},
    "whole": {"target": "gpu"},
}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("pool")
    photographs.photographs(folder, 3, height=80, width=120)
    return list_pool(folder)


def opened(name: str, path: Path, *, workers: int = 1, precision: str = "float32") -> Runtime:
    return runtimes.open_graph(name, path, workers=workers, precision=precision)


def failures(name: str, path: Path, network: BayesianNetwork, pool: Index) -> list[str]:
    return verify(path, opened(name, path), network, pool, images=3).failures


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_openvino_gives_pytorchs_pixels(
    acquisition: str, baked: Graph, network: BayesianNetwork, pool: Index
) -> None:
    assert failures("openvino", baked(acquisition), network, pool) == []


@pytest.mark.parametrize("name", ON_CPU)
@pytest.mark.parametrize("raster", RASTERS)
@pytest.mark.parametrize("acquisition", ["balentacq", "powerbald"])
def test_every_layout_and_stride_gives_pytorchs_pixels(
    acquisition: str, raster: str, name: str, baked: Graph, network: BayesianNetwork, pool: Index
) -> None:
    assert failures(name, baked(acquisition, **RASTERS[raster]), network, pool) == []


def test_the_layout_is_in_the_contract(baked: Graph) -> None:
    assert opened("cpu", baked()).contract.raster == "strips"
    assert opened("cpu", baked(target="gpu")).contract.raster == "whole"
    assert opened("cpu", baked(stride=4)).contract.stride == 4


@pytest.mark.parametrize("stride", [2, 4])
def test_a_coarse_map_asks_for_pixels_of_the_photograph(
    stride: int, baked: Graph, pool: Index
) -> None:
    results = list(rank(opened("cpu", baked(stride=stride)), pool, n=5, want_map=True))
    for result in results:
        assert result.map.shape == (64 // stride, 96 // stride)
        places = {(pixel.row, pixel.col) for pixel in result.pixels}
        assert len(places) == 5
        cells = {(row * 64 // 80 // stride, col * 96 // 120 // stride) for row, col in places}
        assert len(cells) == 5  # one pixel of the map each
        assert all(0 <= row < 80 and 0 <= col < 120 for row, col in places)


@pytest.mark.parametrize("name", ON_CPU)
def test_several_workers_choose_what_one_does(name: str, baked: Graph, pool: Index) -> None:
    one, three = (
        list(rank(opened(name, baked(), workers=workers), pool, n=5)) for workers in (1, 3)
    )
    assert one == three


def test_bfloat16_is_refused_where_the_processor_has_none(
    baked: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "_capabilities", lambda core: ["FP32"])
    with pytest.raises(BadInput, match="no bfloat16"):
        opened("openvino", baked(), precision="bfloat16")
    assert openvino.examine().precisions == ("float32",)


def test_auto_is_the_first_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtimes.choose("auto") == "cpu"
    assert runtimes.choose("openvino") == "openvino"
    assert runtimes.choose("auto", "bfloat16") == "openvino"
    with pytest.raises(BadInput, match="takes the precision of the graph"):
        runtimes.choose("cpu", "bfloat16")
    found = util.find_spec
    monkeypatch.setattr(
        runtimes, "find_spec", lambda name: None if name == "onnxruntime" else found(name)
    )
    assert runtimes.choose("auto") == "openvino"
    monkeypatch.setattr(runtimes, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="ONNX Runtime or OpenVINO"):
        runtimes.choose("auto")


@pytest.mark.parametrize("name", ON_CPU)
def test_what_is_no_scoring_graph_is_refused(name: str, baked: Graph, tmp_path: Path) -> None:
    with pytest.raises(BadGraph, match="does not exist"):
        opened(name, tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("not a graph")
    with pytest.raises(BadGraph, match="cannot be opened"):
        opened(name, tmp_path / "text.onnx")
    (tmp_path / "half.onnx").write_bytes(baked().read_bytes()[:100_000])
    with pytest.raises(BadGraph, match="cannot be opened"):
        opened(name, tmp_path / "half.onnx")
    model = onnx.load(baked())
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "bare.onnx")
    with pytest.raises(BadGraph, match="carries no"):
        opened(name, tmp_path / "bare.onnx")


def test_openvino_needs_the_seam(tiny: Graph) -> None:
    with pytest.raises(BadInput, match="does not name its features"):
        opened("openvino", tiny())


@pytest.mark.parametrize("name", ON_CPU)
def test_a_batch_is_scored_image_by_image(name: str, baked: Graph) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), dtype=np.uint8)
    exclude = np.zeros((3, 64, 96), np.uint8)
    runtime = opened(name, baked())
    together = runtime.run(images, exclude, want_map=True)
    for index in range(3):
        alone = runtime.run(images[index : index + 1], exclude[index : index + 1], want_map=True)
        for whole, part in zip(vars(together).values(), vars(alone).values(), strict=True):
            np.testing.assert_array_equal(whole[index : index + 1], part)


def test_every_runtime_says_its_version() -> None:
    for name in ON_CPU:
        engine = runtimes.examine(name)
        assert isinstance(engine, Installed)
        assert engine.precisions[0] == "float32"


def test_work_left_to_the_cpu_is_noticed(baked: Graph) -> None:
    """A graph whose nodes all run on the CPU is what a GPU's provider must never be taken for."""
    options = ort.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = ort.InferenceSession(baked(), options, providers=["CPUExecutionProvider"])
    with pytest.raises(Failure, match=r"leaves .*Add.*Conv.*TopK.* to the CPU"):
        cuda.check_placed(session, baked())


def test_the_tiny_graph_is_one() -> None:
    session = ort.InferenceSession(cuda._TINY, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": np.array([-2.0], np.float32)})
    assert found.tolist() == [0.0]


def test_engines_are_built_for_as_many_images_as_tensors_hold(tiny: Graph) -> None:
    contract = runtimes.open_graph("cpu", tiny(), workers=1).contract
    assert cuda.most(contract) == 32
    large = replace(
        contract, height=320, width=320, classes=("c",) * 150, colours=((0, 0, 0),) * 150
    )
    assert cuda.most(large) == 2**31 // (8 * 150 * 320 * 320)


@pytest.mark.parametrize("shapes", [True, False])
def test_arithmetic_may_stay_on_the_cpu_where_it_is_on_shapes(shapes: bool, tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Mul", ["x", "x"], ["square"])]
    if shapes:
        nodes.append(onnx.helper.make_node("Shape", ["square"], ["sides"]))
    last = ("sides", onnx.TensorProto.INT64) if shapes else ("square", onnx.TensorProto.FLOAT)
    graph = onnx.helper.make_graph(
        nodes,
        "one",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 4])],
        [onnx.helper.make_tensor_value_info(*last, None)],
    )
    path = tmp_path / "one.onnx"
    onnx.save(
        onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10
        ),
        path,
    )
    options = ort.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    if shapes:
        cuda.check_placed(session, path)
    else:
        with pytest.raises(Failure, match="leaves Mul to the CPU"):
            cuda.check_placed(session, path)


@pytest.mark.parametrize("threads", [1, 2])
def test_an_image_is_scored_by_so_many_threads(threads: int, tiny: Graph) -> None:
    runtime = cpu.OnnxRuntime(tiny(), workers=2, threads=threads)
    sessions = [runtime._sessions._free.get() for _ in range(2)]
    counts = [one.get_session_options().intra_op_num_threads for one in sessions]
    assert counts == [threads, threads]
