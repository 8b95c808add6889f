"""Networks of others, grafted: each against a proof that shares nothing with the graft.

The untouched network runs in ONNX Runtime up to what its classifier reads, which is found by
looking for the classifier's weights. Masks, classifier, enlarging, softmax, moments and BalEnt
follow in float64 in the oracle, and are compared with the graph that the command line made.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import oracle
import photographs
import pytest
import torch
import zoo
from click.testing import CliRunner
from onnx import ModelProto, numpy_helper

from export import builder, engine, foreign, onnx_file, operators
from export.cli import main
from export.join import PREFIX
from scorer.contract import BALENT_FLOOR, RELATIVE_SD_FLOOR
from scorer.errors import BadGraph, CannotGraft
from scorer.images.photograph import load
from scorer.pools import list_pool
from scorer.runtimes import open_graph
from scorer.selection.result import Ranked
from scorer.selection.select import rank
from trainer.graph.dropout import masks

PASSES, RATE = 6, 0.3
FLOOR = oracle.Floor(relative_sd=RELATIVE_SD_FLOOR, balent_min=BALENT_FLOOR)
RTX = builder.EngineOptions(flavour="rtx", gpu="sm89", batch=(1, 2, 4))
Grafted = Callable[[str], tuple[zoo.Exported, Path]]


def run(*words: str) -> str:
    """Run `export` and return what it says on stderr."""
    result = CliRunner().invoke(main, list(words))
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(scope="module")
def grafted(folder: Path) -> Grafted:
    """grafted("unet") → the network's file, and a graph made from it."""
    done: dict[str, tuple[zoo.Exported, Path]] = {}

    def make(name: str) -> tuple[zoo.Exported, Path]:
        if name not in done:
            torch.manual_seed(0)
            exported = zoo.ALL[name](folder)
            out = folder / f"{name}-graph.onnx"
            run("onnx", "--from", str(exported.path), "--mc", str(PASSES), "--dropout", str(RATE),
                "--top", "16", "--stride", "1", "--out", str(out), *exported.options)  # fmt: skip
            done[name] = exported, out
        return done[name]

    return make


@pytest.fixture(scope="module")
def pool(folder: Path) -> Path:
    """Real photographs where they are at hand, else drawn ones."""
    target = folder / "pool"
    if root := os.environ.get("CAMVID_ROOT"):
        target.mkdir()
        for source in sorted(Path(root, "val").glob("*.png"))[::40]:
            shutil.copy(source, target)
    else:
        photographs.photographs(target, 3, height=80, width=110)
    return target


@pytest.mark.parametrize("name", zoo.CASES)
def test_the_map_is_the_oracles(name: str, grafted: Grafted, pool: Path) -> None:
    exported, graph = grafted(name)
    runtime = open_graph("cpu", graph, workers=1)
    contract = runtime.contract
    assert contract.align_corners == exported.align_corners
    photos = list_pool(pool)
    for photo in photos.names[:2]:
        image = load(photos.image(photo), contract.grid).pixels[None]
        found = runtime.run(image, np.zeros((1, *contract.map), np.uint8), want_map=True)
        passes = probabilities(exported, image, contract.grid, contract.align_corners)
        exact = oracle.balent(passes)
        selectable = exact >= -8
        assert selectable.mean() > 0.3
        assert found.map is not None
        assert np.abs(found.map[0] - exact)[selectable].max() <= (
            5e-3 if name == "half" else 1e-3
        )  # float16 rounds as its runtime likes
        floored = oracle.balent(passes, FLOOR)
        assert np.abs(found.map[0] - floored)[~selectable].max(initial=0) <= 5e-3
        rows, columns = found.pixel[0].T
        mean = oracle.mean(passes)
        assert (found.label[0] == mean.argmax(0)[rows, columns]).all()


def probabilities(
    exported: zoo.Exported, image: np.ndarray, size: tuple[int, int], align_corners: bool
) -> np.ndarray:
    """Of every pass by the oracle, from what the untouched network hands to its classifiers."""
    model = onnx.load(exported.path)
    names = [read_by(model, head.weight.detach().float().numpy()) for head in exported.classifiers]
    given = {entry.name for entry in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    session = ort.InferenceSession(model.SerializeToString())
    feeds = {session.get_inputs()[0].name: exported.prepare(image)}
    parts = [part.astype(np.float64) for part in session.run(names, feeds)]
    if exported.tokens is not None:
        parts = [part.reshape(*exported.tokens, -1).transpose(2, 0, 1)[None] for part in parts]
    features = np.concatenate(parts, axis=1)[0]
    heads = [head.weight.detach().double().numpy() for head in exported.classifiers]
    weight = np.concatenate([w if w.ndim == 4 else w[:, :, None, None] for w in heads], axis=1)
    bias = sum(head.bias.detach().double().numpy() for head in exported.classifiers)
    if exported.binary:
        weight, bias = (np.concatenate((np.zeros_like(v), v)) for v in (weight, bias))
    keep = masks(PASSES, len(features), RATE, 0).double().numpy()
    return oracle.probabilities(
        features, weight, bias, keep, RATE, *size, align_corners=align_corners,
        classify=exported.classify or oracle._classify,
    )  # fmt: skip


def read_by(model: ModelProto, weight: np.ndarray) -> str:
    """What the one node reads that multiplies with these weights."""
    holders = {
        tensor.name
        for tensor in model.graph.initializer
        if (values := numpy_helper.to_array(tensor).astype(np.float32)).size == weight.size
        and (same(values, weight) or same(values.T, weight))
    }
    readers = [node for node in model.graph.node if holders & set(node.input[:2])]
    assert len(readers) == 1, f"{len(readers)} nodes read the weights of the classifier"
    return str(readers[0].input[0])


def same(values: np.ndarray, weight: np.ndarray) -> bool:
    return values.shape == weight.shape and bool((values == weight).all())


@pytest.mark.parametrize("name", zoo.CASES)
def test_the_graph_is_verified_and_ranks_photographs(
    name: str, grafted: Grafted, pool: Path
) -> None:
    exported, graph = grafted(name)
    said = run("verify", "--graph", str(graph), "--from", str(exported.path), "--pool", str(pool))
    assert "PASS" in said
    for runtime in ("cpu", "openvino"):
        opened = open_graph(runtime, graph, workers=2)
        results = list(rank(opened, list_pool(pool), n=5))
        assert len(results) == 3
        assert all(isinstance(one, Ranked) and len(one.pixels) == 5 for one in results)


@pytest.mark.parametrize("name", ["fcn", "unet", "newest"])
def test_the_networks_part_of_the_file_is_unchanged(name: str, grafted: Grafted) -> None:
    exported, graph = grafted(name)
    theirs = {t.name: t for t in onnx.load(exported.path).graph.initializer}
    ours = {t.name: t for t in onnx.load(graph).graph.initializer}
    kept = {
        name: t
        for name, t in ours.items()
        if not name.startswith((PREFIX, "preprocessing/", "features/"))
    }
    assert len(kept) >= 8
    if name != "fcn":  # whose opset 13 is converted, which adds what were attributes
        assert set(kept) <= set(theirs)
    large = {n for n, t in theirs.items() if numpy_helper.to_array(t).size > 100}
    heads = {id(h): h.weight.detach().numpy() for h in exported.classifiers}
    for tensor in large:
        values = numpy_helper.to_array(theirs[tensor])
        if not any(same(values, w) for w in heads.values()) and "aux" not in tensor:
            assert tensor in kept
            assert numpy_helper.to_array(kept[tensor]).tobytes() == values.tobytes()


@pytest.mark.slow
def test_more_passes_grow_the_graph_by_less_than_a_classifier_each(
    grafted: Grafted, folder: Path
) -> None:
    exported, _ = grafted("fcn")
    sizes = []
    for passes in (2, 22):
        out = folder / f"grown-{passes}.onnx"
        run("onnx", "--from", str(exported.path), "--mc", str(passes), "--out", str(out))
        model = onnx.load(out)
        sizes.append(sum(numpy_helper.to_array(t).nbytes for t in model.graph.initializer))
    (head,) = exported.classifiers
    one_pass = head.weight.nbytes + head.bias.nbytes
    assert 0 < sizes[1] - sizes[0] < 20 * one_pass  # passes share most of their weights


def test_the_contract_says_where_the_network_came_from(grafted: Grafted) -> None:
    exported, graph = grafted("bgr")
    contract = open_graph("cpu", graph, workers=1).contract
    assert (contract.origin, contract.network, contract.output) == ("onnx", "bgr.onnx", "out")
    assert contract.preprocessing.channels == "bgr"
    assert contract.preprocessing.mean == (103.939, 116.779, 123.68)
    assert contract.dropout == RATE
    assert len(contract.weights_sha256) == 64
    assert exported.path.name == contract.network


@pytest.mark.slow
def test_the_same_graft_gives_the_same_bytes(grafted: Grafted, folder: Path) -> None:
    exported, _ = grafted("fpn")
    outs = [folder / "one.onnx", folder / "other.onnx"]
    for out in outs:
        run("onnx", "--from", str(exported.path), "--mc", "3", "--out", str(out))
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert str(Path(__file__).parent).encode() not in outs[0].read_bytes()


@pytest.mark.slow
def test_other_acquisitions_and_strides_are_verified_too(
    grafted: Grafted, folder: Path, pool: Path
) -> None:
    cases: list[tuple[str, dict[str, Any]]] = [
        ("unet", {"--stride": "4", "--acquisition": "bald"}),
        ("unet", {"--stride": "2", "--target": "gpu"}),
        ("deeplab", {"--stride": "2", "--acquisition": "powerbald"}),
        ("fcn", {"--stride": "4", "--acquisition": "margin"}),
        ("pspnet", {"--target": "gpu"}),
    ]
    for name, options in cases:
        exported, _ = grafted(name)
        words = [word for pair in options.items() for word in pair]
        out = folder / "case.onnx"
        source = ("--from", str(exported.path))
        run("onnx", *source, "--mc", "4", "--out", str(out), *words, *exported.options)
        assert "PASS" in run("verify", "--graph", str(out), *source, "--pool", str(pool))


@pytest.mark.parametrize("name", zoo.CASES)
def test_tensorrt_builds_it(name: str, grafted: Grafted, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX has no build for this platform")
    exported, graph = grafted(name)
    if name == "uint8":  # the network itself works on bytes, which TensorRT does not
        assert operators.violations(onnx.load(graph))
        with pytest.raises(BadGraph, match="TensorRT does not take"):
            engine.build(graph, tmp_path / "scorer.engine", RTX)
        return
    if engine.contract_in(graph).raster == "bands":  # a raster for CPUs
        graph = tmp_path / "gpu.onnx"
        run("onnx", "--from", str(exported.path), "--mc", "4", "--top", "16", "--target", "gpu",
            "--out", str(graph), *exported.options)  # fmt: skip
    assert operators.violations(onnx.load(graph)) == []
    built = engine.build(graph, tmp_path / "scorer.engine", RTX)
    assert built.contract.origin == "onnx"


@pytest.mark.parametrize(
    ("words", "said", "remedy"),
    [
        (["--mean", "0.5,0.5,0.5"], "must normalise them by itself", "leave --preset"),
        (["--size", "100x100"], "takes images of", "leave --size away"),
    ],
)
def test_what_a_network_on_bytes_does_not_take(
    words: list[str], said: str, remedy: str, grafted: Grafted, tmp_path: Path
) -> None:
    exported, _ = grafted("uint8")
    command = ["onnx", "--from", str(exported.path), "--out", str(tmp_path / "x.onnx"), *words]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 5
    assert said in result.output
    assert remedy in result.output


def test_a_network_too_large_for_a_file_is_refused(
    grafted: Grafted, monkeypatch: pytest.MonkeyPatch
) -> None:
    exported, _ = grafted("unet")
    monkeypatch.setattr(onnx_file, "_LARGEST", 1000)
    with pytest.raises(CannotGraft, match="is larger than 2 GB"):
        foreign.read(exported.path)


def test_a_network_is_not_written_over(grafted: Grafted) -> None:
    exported, _ = grafted("unet")
    before = exported.path.read_bytes()
    command = ["onnx", "--from", str(exported.path), "--out", str(exported.path)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 5
    assert "would write over the network" in result.output
    assert exported.path.read_bytes() == before
