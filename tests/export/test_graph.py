"""The exported graph: its bytes, its contract, its inputs, and its answers in ONNX Runtime."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from onnx import helper

from export import stages
from export.graph import GraphOptions, bake, contract_for, reference, save
from export.pass_weights import pass_weights
from export.regret import regret
from scorer.contract import ACQUISITIONS, METADATA_KEY, TRAITS, Contract
from scorer.errors import BadInput
from scorer.runtimes.cpu import OnnxRuntime
from scorer.selection.noise import uniform
from trainer.graph.dropout import masks, widen
from trainer.model import Card
from trainer.network import BayesianNetwork

SIZE = (64, 96)


def photograph(count: int = 1) -> np.ndarray:
    """Blurred noise: smooth enough for an untrained network to see structure."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((count, 3, 8, 12), np.float32) * 255)
    fine = torch.nn.functional.interpolate(coarse, SIZE, mode="bicubic").clamp(0, 255)
    return fine.permute(0, 2, 3, 1).to(torch.uint8).numpy()


@pytest.mark.slow
def test_the_same_export_gives_the_same_bytes(
    network: BayesianNetwork, card: Card, trunks: dict[Any, Any], tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in ("a.onnx", "b.onnx")]
    for path in paths:
        trunks.clear()
        contract = contract_for(network, card, GraphOptions(passes=3, top_k=8))
        save(bake(network, contract), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_the_contract_is_read_back_from_the_file(baked, network, card) -> None:  # type: ignore[no-untyped-def]
    written = contract_for(network, card, GraphOptions(passes=4, top_k=16))
    assert OnnxRuntime(baked(), workers=1).contract == written
    assert written.grid == SIZE
    assert written.classes == card.classes


def test_nothing_of_this_machine_is_in_the_file(baked) -> None:  # type: ignore[no-untyped-def]
    data = baked().read_bytes()
    here = str(Path(__file__).resolve().parents[2]).encode()
    assert here not in data
    assert b'File "' not in data


def test_the_file_says_its_versions_and_holds_no_random_or_training_operator(baked) -> None:  # type: ignore[no-untyped-def]
    model = onnx.load(baked())
    kinds = {node.op_type for node in model.graph.node}
    assert model.ir_version == 10
    assert [entry.version for entry in model.opset_import if not entry.domain] == [18]
    assert not kinds & {
        "Dropout",
        "Bernoulli",
        "RandomUniform",
        "RandomNormal",
        "BatchNormalization",
    }
    assert not model.functions
    assert [prop.key for prop in model.metadata_props] == [METADATA_KEY]


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_every_acquisition_gives_pytorchs_pixels_up_to_regret(
    acquisition: str,
    baked,  # type: ignore[no-untyped-def]
    network: BayesianNetwork,
) -> None:
    runtime = OnnxRuntime(baked(acquisition), workers=2)
    module = reference(network, runtime.contract)
    image, exclude = photograph(), np.zeros((1, *SIZE), np.uint8)
    noise = uniform(0, "x", (1, *SIZE)) if TRAITS[acquisition].stochastic else None
    drawn = None if noise is None else torch.from_numpy(noise)
    with torch.inference_mode():
        expected = module(torch.from_numpy(image), torch.from_numpy(exclude), drawn)
    got = runtime.run(image, exclude, noise, want_map=True)
    assert got.map is not None
    np.testing.assert_allclose(got.map, expected.map, atol=1e-3)
    rows, cols = got.pixel[0].T
    chosen = torch.zeros(SIZE, dtype=torch.bool)
    chosen[rows, cols] = True
    assert chosen.sum() == 16
    score = module.tail.acquisition.score(expected.map, drawn)
    value = expected.map if acquisition == "balentacq" else score
    assert regret(TRAITS[acquisition], value[0], chosen, torch.ones_like(chosen)) <= 2e-3


def test_a_batch_gives_every_image_its_own_scores(baked) -> None:  # type: ignore[no-untyped-def]
    session = ort.InferenceSession(baked())
    images, exclude = photograph(3), np.zeros((3, *SIZE), np.uint8)
    assert len({image.tobytes() for image in images}) == 3
    (together,) = session.run(["map"], {"image": images, "exclude": exclude})
    for index in range(3):
        one = {"image": images[index : index + 1], "exclude": exclude[:1]}
        np.testing.assert_allclose(together[index], session.run(["map"], one)[0][0], atol=1e-4)


def test_more_passes_grow_the_file_by_the_classifier_only(baked) -> None:  # type: ignore[no-untyped-def]
    few, many = (onnx.load(baked(passes=passes)) for passes in (4, 8))
    others = []
    for model, passes in ((few, 4), (many, 8)):
        sizes = {t.name: int(np.prod(t.dims)) for t in model.graph.initializer}
        own, index = (sizes.pop(f"scoring/raster.classifier.{name}") for name in ("own", "index"))
        assert own == index * 5
        assert index < passes * 256 / 2, "fewer channels than a pass keeps"
        others.append(sum(sizes.values()))
    assert abs(others[1] - others[0]) <= 20


def test_a_graph_without_a_map_has_no_such_output(baked) -> None:  # type: ignore[no-untyped-def]
    model = onnx.load(baked(with_map=False))
    assert [output.name for output in model.graph.output] == ["score", "pixel", "label"]
    contract = Contract.from_json(model.metadata_props[0].value, source="")
    assert not contract.has_map


@pytest.mark.slow
def test_the_graph_serves_another_size_than_that_of_training(baked) -> None:  # type: ignore[no-untyped-def]
    runtime = OnnxRuntime(baked(size=(50, 70)), workers=1)
    got = runtime.run(np.zeros((1, 50, 70, 3), np.uint8), np.zeros((1, 50, 70), np.uint8))
    assert (got.pixel[0] < (50, 70)).all()


@pytest.mark.parametrize("top_k", [3840, 64 * 96 + 1])
def test_more_places_than_tensorrt_sorts_are_refused(
    top_k: int, network: BayesianNetwork, card: Card
) -> None:
    with pytest.raises(BadInput, match="--top"):
        contract_for(network, card, GraphOptions(top_k=top_k))


@pytest.mark.parametrize("target", ["cpu", "gpu"])
def test_the_weights_of_all_passes_are_found_in_the_file(
    target: str,
    baked,  # type: ignore[no-untyped-def]
    network: BayesianNetwork,
) -> None:
    path = baked(target=target)
    contract = OnnxRuntime(path, workers=1).contract
    keep = masks(
        contract.passes, network.classifier.in_channels, contract.dropout, contract.mask_seed
    )
    expected = widen(network.classifier, keep, contract.dropout).weight.detach().flatten(1)
    found = pass_weights(onnx.load(path), contract)
    assert found.shape == (contract.passes, len(contract.classes), network.classifier.in_channels)
    np.testing.assert_array_equal(found, expected.numpy().reshape(found.shape))


def test_nodes_without_a_name_stay_so() -> None:
    """Networks of other tools may name none; a runtime refuses two nodes with the same name."""
    names = ["image", "a", "b", "features"]
    nodes = [helper.make_node("Relu", [x], [y]) for x, y in itertools.pairwise(names)]
    nodes[1].name = "named"
    ends = [helper.make_tensor_value_info(name, 1, [1]) for name in (names[0], names[-1])]
    graph = helper.make_graph(nodes, "hand", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    stages.name(model)
    assert [node.name for node in model.graph.node] == ["", "backbone/named", ""]
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"image": np.ones(1, np.float32)}) == [1]


def test_a_name_that_is_taken_is_not_given_twice() -> None:
    """A network may have a tensor backbone/a beside its a."""
    nodes = [
        helper.make_node("Add", ["image", "backbone/a"], ["a"], name="x"),
        helper.make_node("Relu", ["a"], ["features"], name="y"),
    ]
    ends = [helper.make_tensor_value_info(name, 1, [1]) for name in ("image", "features")]
    weight = helper.make_tensor("backbone/a", 1, [1], [2.0])
    graph = helper.make_graph(nodes, "hand", ends[:1], ends[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    stages.name(model)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"image": np.ones(1, np.float32)}) == [3]
