"""Verification must fail for graphs that are wrong, or it proves nothing."""

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import onnx
import photographs
import pytest
from click.testing import CliRunner
from onnx import numpy_helper

from export.cli import main
from export.plain_verification import PlainVerdict
from export.verification import TOLERANCES, Verdict, verify
from export.verify_cli import UNSAID
from scorer.errors import BadGraph
from scorer.pools import Index, list_pool
from scorer.runtimes.base import Scores
from scorer.runtimes.cpu import OnnxRuntime
from trainer.model import Card
from trainer.network import BayesianNetwork


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("pool")
    for index in range(3):
        photographs.noisy(index).save(folder / f"{index}.jpg")
    (folder / "-first.jpg").write_bytes(b"no image")
    return list_pool(folder)


def verdict(path: Path, network: BayesianNetwork, pool: Index) -> Verdict:
    return verify(path, OnnxRuntime(path, workers=2), network, pool, images=4)


def changed(source: Path, target: Path, change: str) -> Path:
    """A copy of a graph with one thing wrong in its widened classifier."""
    model = onnx.load(source)
    names = {"own": "scoring/raster.classifier.own", "index": "scoring/raster.classifier.index"}
    found = {tensor.name: tensor for tensor in model.graph.initializer}
    own, index = (numpy_helper.to_array(found[name]).copy() for name in names.values())
    if change == "dropout lost":
        own[:] = own[0]
        index[:] = np.tile(index[: len(index) // len(own)], len(own))
    else:
        own[1] *= 1.5
    for name, values in zip(names.values(), (own, index), strict=True):
        found[name].CopyFrom(numpy_helper.from_array(values, name))
    onnx.save(model, target)
    return target


def test_a_right_graph_passes_and_bad_images_are_passed_over(baked, network, pool) -> None:  # type: ignore[no-untyped-def]
    found = verdict(baked(), network, pool)
    assert found.failures == []
    assert found.images == 3
    assert found.spread > 0.001


@pytest.mark.parametrize("acquisition", ["powerbald", "random", "margin"])
def test_other_acquisitions_pass_too(acquisition, baked, network, pool) -> None:  # type: ignore[no-untyped-def]
    assert verdict(baked(acquisition), network, pool).failures == []


def test_a_graph_without_a_map_is_judged_by_its_pixels(baked, network, pool) -> None:  # type: ignore[no-untyped-def]
    found = verdict(baked(with_map=False), network, pool)
    assert found.failures == []
    assert found.map_difference is None


@pytest.mark.parametrize(
    ("change", "failure"), [("dropout lost", "dropout was lost"), ("one pass", "map differs")]
)
def test_a_wrong_graph_fails(change, failure, baked, network, pool, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = changed(baked(passes=20), tmp_path / "wrong.onnx", change)
    assert any(failure in text for text in verdict(path, network, pool).failures)


def test_a_graph_that_ignores_what_is_excluded_fails(baked, network, pool, tmp_path) -> None:  # type: ignore[no-untyped-def]
    model = onnx.load(baked())
    readers = [node for node in model.graph.node if "exclude" in node.input]
    nothing = numpy_helper.from_array(np.zeros((1, 1, 1), np.uint8), "nothing")
    model.graph.initializer.append(nothing)
    for node in readers:
        node.input[:] = ["nothing" if name == "exclude" else name for name in node.input]
    assert readers
    onnx.save(model, tmp_path / "blind.onnx")
    failures = verdict(tmp_path / "blind.onnx", network, pool).failures
    assert any("does not want" in text for text in failures)


def test_a_graph_of_another_model_is_refused(baked, card: Card, pool: Index) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadGraph, match="another model"):
        verdict(baked(), card.build().eval(), pool)


def test_numbers_that_are_no_numbers_fail() -> None:
    nan = float("nan")
    numbers = dict.fromkeys(
        ("map_difference", "map_difference_below", "regret", "labels", "spread"), nan
    )
    fixed = {"images": 1, "score_map": True, "positions": True, "tolerance": TOLERANCES["float32"]}
    assert len(Verdict(**fixed, **numbers).failures) == len(numbers)


def test_a_score_map_that_does_not_hold_the_best_scores_fails(
    baked: Callable[..., Path],
    network: BayesianNetwork,
    pool: Index,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From it the pixels that lie apart are chosen: nothing else in the graph shows its faults."""
    run = OnnxRuntime.run
    path = baked()

    def upside_down(scores: Scores) -> None:
        scores.score_map[:] = scores.score_map[:, ::-1].copy()

    def other_classes(scores: Scores) -> None:
        scores.segmentation[:] += 1

    def spoilt(change: Callable[[Scores], None]) -> list[str]:
        def broken(self: OnnxRuntime, *given: object, **options: object) -> Scores:
            scores = run(self, *given, **options)  # type: ignore[arg-type]
            change(scores)
            return scores

        monkeypatch.setattr(OnnxRuntime, "run", broken)
        return verify(path, OnnxRuntime(path, workers=1), network, pool, images=3).failures

    said = ["the score map does not hold the scores of the best pixels"]
    assert spoilt(lambda scores: None) == []
    assert spoilt(lambda scores: scores.score_map.fill(1.0)) == said
    assert spoilt(upside_down) == said
    assert spoilt(other_classes) == said


@pytest.mark.parametrize("kind", [Verdict, PlainVerdict])
def test_every_number_that_is_printed_is_explained(kind: type) -> None:
    said = CliRunner().invoke(main, ["verify", "--help"]).output
    for field in fields(kind):
        explained = re.search(rf"^ +{field.name} {{2,}}\w", said, re.MULTILINE)
        assert bool(explained) == (field.name not in UNSAID), field.name
