"""A graph in two halves computes what the whole one does, and keeps what its backbone has seen."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.graph import GraphOptions, bake, contract_for, save
from export.halves import halves
from scorer.runtimes import open_graph
from scorer.runtimes.kept import Features, KeptFeatures, halves_of, open_halves
from trainer import networks
from trainer.model import Card
from trainer.network import BayesianNetwork

SIZE, CLASSES = (64, 96), ("sky", "road", "car")
ROOM = 100_000_000

pytestmark = pytest.mark.usefixtures("one_thread")


def network(name: str = networks.NAMES[0], seed: int = 0) -> tuple[BayesianNetwork, Card]:
    torch.manual_seed(seed)
    made = networks.build(name, len(CLASSES), rate=0.2, kind="channel").eval()
    card = Card(
        network=name, dropout=0.2, dropout_kind="channel", classes=CLASSES,
        colours=((255, 0, 0), (0, 255, 0), (0, 0, 255)), height=SIZE[0], width=SIZE[1],
        pretrained="none", training={},
    )  # fmt: skip
    return made, card


def write(folder: Path, seed: int = 0, acquisition: str = "balentacq") -> Path:
    """A graph with its halves."""
    made, card = network(seed=seed)
    options = GraphOptions(passes=4, acquisition=acquisition, stride=4)
    model = bake(made, contract_for(made, card, options))
    parts = halves(model, made)
    assert parts is not None
    graph = folder / "scorer.onnx"
    for part, path in zip(parts, halves_of(graph), strict=True):
        onnx.checker.check_model(part, full_check=True)
        save(part, path)
    save(model, graph)
    return graph


def image(seed: int, count: int = 1) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), np.uint8)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("halves"))


def test_both_halves_together_are_the_whole(graph: Path) -> None:
    whole = open_graph("cpu", graph, workers=1)
    kept = open_halves(graph, Features(ROOM), workers=2)
    assert kept is not None
    assert kept.contract == whole.contract
    exclude = np.zeros((3, *whole.contract.map), np.uint8)
    exclude[:, :2] = 1
    images = image(1, 3)
    for _ in range(2):  # seen, and seen before
        for one, other in zip(
            vars(whole.run(images, exclude, want_map=True)).values(),
            vars(kept.run(images, exclude, want_map=True)).values(),
            strict=True,
        ):
            np.testing.assert_array_equal(one, other)


def test_a_photograph_is_seen_once_also_by_the_next_model(graph: Path, tmp_path: Path) -> None:
    features = Features(ROOM)
    first = open_halves(graph, features, workers=1)
    assert first is not None
    exclude = np.zeros((1, *first.contract.map), np.uint8)
    first.run(image(1), exclude)
    used = features.bytes
    assert used > 0
    first.run(image(1), exclude)
    assert features.bytes == used
    made, card = network()
    with torch.no_grad():
        made.trunk.second.weight.mul_(2.0)  # type: ignore[union-attr, operator]
    model = bake(made, contract_for(made, card, GraphOptions(passes=4, stride=4)))
    parts = halves(model, made)
    assert parts is not None
    later = tmp_path / "scorer.onnx"
    for part, path in zip((*parts, model), (*halves_of(later), later), strict=True):
        save(part, path)
    second = open_halves(later, features, workers=1)
    assert second is not None
    found = second.run(image(1), exclude, want_map=True)
    assert features.bytes == used, "the backbone is the same"
    whole = open_graph("cpu", later, workers=1).run(image(1), exclude, want_map=True)
    np.testing.assert_array_equal(found.score, whole.score)
    second.run(image(2), exclude)
    assert features.bytes == 2 * used


def test_a_full_one_keeps_what_it_has(graph: Path) -> None:
    measured = Features(ROOM)
    runtime = KeptFeatures(graph, measured, workers=1)
    exclude = np.zeros((1, *runtime.contract.map), np.uint8)
    first = runtime.run(image(0), exclude)
    each = measured.bytes
    few = Features(2 * each + each // 2)
    runtime = KeptFeatures(graph, few, workers=1)
    for _ in range(2):
        for seed in range(5):
            found = runtime.run(image(seed), exclude)
            if seed == 0:
                np.testing.assert_array_equal(found.score, first.score)
        assert few.bytes == 2 * each
    before = set(few._kept)
    runtime.run(image(9), exclude)
    assert set(few._kept) == before


def test_halves_of_another_graph_are_not_taken(tmp_path: Path) -> None:
    graph = write(tmp_path)
    front, behind = halves_of(graph)
    content = behind.read_bytes()
    behind.unlink()
    assert open_halves(graph, Features(ROOM), workers=1) is None
    behind.write_bytes(content[: len(content) // 2])
    assert open_halves(graph, Features(ROOM), workers=1) is None
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other", acquisition="entropy")
    behind.write_bytes(halves_of(other)[1].read_bytes())
    assert open_halves(graph, Features(ROOM), workers=1) is None
    behind.write_bytes(content)
    assert open_halves(graph, Features(ROOM), workers=1) is not None
    front.write_bytes(b"")
    assert open_halves(graph, Features(ROOM), workers=1) is None


@pytest.mark.slow
def test_a_network_that_learns_as_a_whole_has_no_halves() -> None:
    made, card = network("fpn-resnet50")
    model = bake(made, contract_for(made, card, GraphOptions(passes=2)))
    assert halves(model, made) is None
