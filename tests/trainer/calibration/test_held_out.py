"""Pixels that a model has not learned from, and what it says of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from answers import answer

from scorer.errors import BadDataset, BadLabels
from scorer.labels import Click, Labels
from scorer.labels.store import Store
from trainer import dataset
from trainer.calibration.held_out import Source, gather, of_audits, of_validation
from trainer.dataset import Dataset
from trainer.graph.upsampling import upsample
from trainer.model import Card
from trainer.network import BayesianNetwork

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = (64, 96)


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    root = trees.folders(tmp_path_factory.mktemp("held"), images=3, val=3, size=SIZE)
    return dataset.read(root / "dataset.toml")


def test_audit_answers_are_held_out_and_no_others(
    described: Dataset, card: Card, tmp_path: Path
) -> None:
    with_answers = Store(tmp_path / "labels.db", trees.NAMES)
    with_answers.add(answer(1, image="toy_00.png", class_name="ice"))
    with_answers.add(answer(2, image="toy_00.png", class_name="ice", source="audit"))
    with_answers.add(answer(3, image="toy_01.png", class_name="fire", source="free"))
    with_answers.add(
        answer(4, image="toy_01.png", answer="unsure", class_name=None, source="audit")
    )
    with_answers.close()
    found = of_audits(described, tmp_path / "labels.db", card)
    assert dict(found.labels.clicks) == {"toy_00.png": [Click(2, 2, 2)]}
    assert found.split is described.train


@pytest.mark.parametrize(
    ("learned", "said"),
    [({"audits": True}, "learned from the audit"), ({"dense": True}, "learned from whole masks")],
)
def test_a_model_that_has_learned_from_them_is_refused(
    described: Dataset, card: Card, tmp_path: Path, learned: dict[str, bool], said: str
) -> None:
    with pytest.raises(BadLabels, match=said) as caught:
        of_audits(described, tmp_path / "labels.db", replace(card, training=learned))
    assert "[val]" in caught.value.remedy


def test_a_store_without_audits_and_a_csv_are_refused(
    described: Dataset, card: Card, tmp_path: Path
) -> None:
    store = Store(tmp_path / "labels.db", trees.NAMES)
    store.add(answer(1, image="toy_00.png", class_name="ice"))
    store.close()
    (tmp_path / "labels.csv").write_text("image,row,col,label\ntoy_00.png,1,1,ice\n")
    for name, said in (("labels.db", "no answer to an audit"), ("labels.csv", "does not say")):
        with pytest.raises(BadLabels, match=said) as caught:
            of_audits(described, tmp_path / name, card)
        assert "trainer live" in caught.value.remedy
        assert "[val]" in caught.value.remedy


def test_an_audit_of_another_pool_is_refused(
    described: Dataset, card: Card, tmp_path: Path
) -> None:
    store = Store(tmp_path / "labels.db", trees.NAMES)
    store.add(answer(1, image="other.png", class_name="ice", source="audit"))
    store.close()
    with pytest.raises(BadLabels, match=r"not in .*images, such as 'other\.png'"):
        of_audits(described, tmp_path / "labels.db", card)


def test_pixels_of_the_masks_of_val_are_drawn(described: Dataset) -> None:
    found = of_validation(described)
    assert found.split is described.val
    assert {name: len(clicks) for name, clicks in found.labels.clicks.items()} == {
        f"toy_0{index}.png": 250 for index in range(3)
    }
    mask = trees.regions((1, 0), SIZE, 3)
    assert all(mask[one.row, one.col] == one.label for one in found.labels.of("toy_00.png"))


def test_clicks_of_val_come_before_its_masks(described: Dataset, tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_text("image,row,col,label\ntoy_01.png,5,6,fire\n")
    assert described.val is not None
    with_clicks = replace(described, val=replace(described.val, labels=tmp_path / "val.csv"))
    found = of_validation(with_clicks)
    assert dict(found.labels.clicks) == {"toy_01.png": [Click(5, 6, 1)]}


def test_photographs_that_were_learned_from_are_refused(described: Dataset) -> None:
    with pytest.raises(BadDataset, match=r"\[val\] has the photographs of \[train\]"):
        of_validation(replace(described, val=described.train))
    with pytest.raises(BadDataset, match=r"no \[val\]") as caught:
        of_validation(replace(described, val=None))
    assert "audit" in caught.value.remedy


def test_scores_are_those_of_the_plain_network(
    described: Dataset, network: BayesianNetwork, tmp_path: Path
) -> None:
    split = described.train
    clicks = {"toy_00.png": [Click(3, 90, 1), Click(9, 9, None), Click(63, 0, 2)],
              "toy_02.png": [Click(31, 47, 0)], "toy_01.png": [Click(2, 2, None)]}  # fmt: skip
    done: list[tuple[int, int]] = []
    held = gather(network, SIZE, Source(split, Labels(clicks)), lambda *at: done.append(at))
    assert held.classes.tolist() == [1, 2, 0]
    assert held.image.tolist() == [0, 0, 1]
    assert (held.images, done) == (2, [(1, 2), (2, 2)])
    expected = []
    for name, row, col in (("toy_00.png", 3, 90), ("toy_00.png", 63, 0), ("toy_02.png", 31, 47)):
        index = int(name[4:6])
        pixels = trees.paint(trees.regions((0, index), SIZE, 3), trees.PAINTS, (0, index))
        with torch.inference_mode():
            whole = upsample(network.eval()(torch.from_numpy(pixels)[None]), SIZE)
        expected.append(whole[0, :, row, col].double().numpy())
    np.testing.assert_allclose(held.logits.numpy(), expected, rtol=1e-4, atol=1e-4)


def test_a_broken_photograph_is_named_and_all_broken_are_refused(
    network: BayesianNetwork, tmp_path: Path
) -> None:
    root = trees.folders(tmp_path, images=1, val=2, size=SIZE)
    (root / "val/images/toy_00.png").write_bytes(b"")
    found = of_validation(dataset.read(root / "dataset.toml"))
    assert [name for name, _ in gather(network, SIZE, found).skipped] == ["toy_00.png"]
    of_one = Source(found.split, Labels({"toy_00.png": [Click(0, 0, 1)]}))
    with pytest.raises(BadLabels, match=r"can be used: toy_00\.png: empty file"):
        gather(network, SIZE, of_one)
