"""Intersection over union, against a count by hand in NumPy."""

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import oracle
import pytest
import torch
import torch.nn.functional as F
import trees
from PIL import Image
from torch import Tensor, nn

from scorer.errors import BadDataset
from scorer.images.colours import default_colours
from scorer.pools import list_pool, named
from trainer import evaluation
from trainer.classes import Classes
from trainer.evaluation import Evaluation, _largest, evaluate
from trainer.graph.dropout import FeatureDropout
from trainer.network import BayesianNetwork
from trainer.split import Split

Floats = npt.NDArray[np.float64]

FOUR = Classes(names=("ground", "fire", "ice", "gold"), colours=default_colours(4), ignore=255)
GRID = (64, 64)


class Means(nn.Module):
    """A trunk of 4x4 block means: enough to tell colours, and blurred enough to be wrong."""

    channels = 3

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        return F.avg_pool2d(image, 4)


def nearest_colour(bias: float = 0.0) -> BayesianNetwork:
    """Logits that prefer the class whose paint is nearest; gold is what nobody has seen."""
    network = BayesianNetwork(
        Means(), nn.Conv2d(3, 4, 1), FeatureDropout(0.5), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
    )
    paints = torch.tensor([*trees.PAINTS, (255, 255, 0)]) / 255
    with torch.no_grad():
        network.classifier.weight.copy_(2 * paints[:, :, None, None])
        network.classifier.bias.copy_(-paints.square().sum(1))  # type: ignore[union-attr]
        network.classifier.bias[3] -= 9 - bias  # type: ignore[index]
    return network


def tree(
    root: Path, sizes: list[tuple[int, int]], *, void: bool = True, noise: bool = True
) -> Split:
    for index, size in enumerate(sizes):
        mask = trees.regions((5, index), size, 3)
        trees.save(root / "images" / f"{index}.png", trees.paint(mask, trees.PAINTS, (5, index)))
        if noise:  # the truth differs from the picture: no score is perfect by accident
            mask = np.roll(mask, size[1] // 5, axis=1)
        if void:
            mask[:, : size[1] // 6] = 255
        trees.save(root / "masks" / f"{index}.png", mask)
    return Split(images=list_pool(root / "images"), masks=root / "masks")


def axis_weights(length: int, target: int) -> Floats:
    """The matrix of linear interpolation along an axis, pixel centres at i + 1/2."""
    weights = np.zeros((target, length))
    for i in range(target):
        place = np.clip((i + 0.5) * length / target - 0.5, 0, length - 1)
        low = min(int(place), max(length - 2, 0))
        weights[i, low] += 1 - (place - low)
        weights[i, min(low + 1, length - 1)] += place - low
    return weights


def stretched(maps: Floats, size: tuple[int, int]) -> Floats:
    rows, cols = axis_weights(maps.shape[1], size[0]), axis_weights(maps.shape[2], size[1])
    return np.einsum("ih,chw,jw->cij", rows, maps, cols)


def by_hand(
    network: BayesianNetwork, split: Split, grid: tuple[int, int]
) -> tuple[Evaluation, float]:
    """Pixels counted class by class over all images, which Pillow alone fits to the grid; and the
    expected calibration error.
    """
    scores, truths = [], []
    hits, either = np.zeros(4), np.zeros(4)
    right = known = 0
    for name in split.images.names:
        mask_path = split.mask(name)
        assert mask_path is not None
        with Image.open(split.images.image(name)) as image, Image.open(mask_path) as mask:
            height, width = image.height, image.width
            scale = min(grid[0] / height, grid[1] / width)
            inner = round(height * scale), round(width * scale)
            canvas = np.zeros((*grid, 3), np.uint8)
            small = image.resize((inner[1], inner[0]), Image.Resampling.BILINEAR)
            canvas[: inner[0], : inner[1]] = np.asarray(small)
            truth = np.asarray(mask)
        with torch.inference_mode():
            logits = network.eval()(torch.from_numpy(canvas)[None])[0].double().numpy()
        whole = stretched(stretched(logits, grid)[:, : inner[0], : inner[1]], (height, width))
        predicted = whole.argmax(0)[truth != 255]
        scores.append(whole[:, truth != 255])
        truth = truth[truth != 255]
        truths.append(truth)
        for index in range(4):
            hits[index] += ((predicted == index) & (truth == index)).sum()
            either[index] += ((predicted == index) | (truth == index)).sum()
        right += (predicted == truth).sum()
        known += truth.size
    iou = tuple(h / e if e else math.nan for h, e in zip(hits, either, strict=True))
    powers = np.exp(np.concatenate(scores, axis=1))
    error = oracle.calibration_error(powers / powers.sum(0), np.concatenate(truths))
    return Evaluation(iou, right / known, len(split.images)), error


@pytest.mark.parametrize(
    "sizes",
    [
        [(64, 64), (64, 64)],
        [(48, 80), (64, 64)],
        [(96, 48)],
        [(150, 100), (31, 57), (64, 64)],
    ],
    ids=["as the grid", "other sizes", "portrait", "mixed"],
)
def test_iou_is_that_of_a_count_by_hand(tmp_path: Path, sizes: list[tuple[int, int]]) -> None:
    split, network = tree(tmp_path, sizes), nearest_colour()
    found = evaluate(network, split, FOUR, GRID)
    expected, error = by_hand(network, split, GRID)
    assert found.iou == pytest.approx(expected.iou, abs=1e-3, nan_ok=True)
    assert found.accuracy == pytest.approx(expected.accuracy, abs=1e-3)
    assert found.reliability is not None
    assert found.reliability.ece == pytest.approx(error, abs=1e-3)
    assert error > 0.1
    assert found.images == len(sizes)
    assert found.skipped == []
    assert 0.3 < found.miou < 0.95


@pytest.mark.parametrize("size", [(96, 48), (48, 96), (64, 64)])
def test_a_portrait_image_is_as_good_as_any(tmp_path: Path, size: tuple[int, int]) -> None:
    split = tree(tmp_path, [size], void=False, noise=False)
    assert evaluate(nearest_colour(), split, FOUR, GRID).miou > 0.75


def test_a_class_that_does_not_occur_is_absent_from_the_mean(tmp_path: Path) -> None:
    found = evaluate(nearest_colour(), tree(tmp_path, [(64, 64)]), FOUR, GRID)
    assert math.isnan(found.iou[3])
    assert found.miou == pytest.approx(sum(found.iou[:3]) / 3)


def test_a_class_that_is_predicted_but_never_there_counts_as_zero(tmp_path: Path) -> None:
    split = tree(tmp_path, [(64, 64)])
    found = evaluate(nearest_colour(bias=100.0), split, FOUR, GRID)
    assert found.iou == (0, 0, 0, 0)
    assert found.miou == 0
    assert found.accuracy == 0


def test_ignored_pixels_count_nowhere(tmp_path: Path) -> None:
    split = tree(tmp_path, [(64, 64)], noise=False)
    before = evaluate(nearest_colour(), split, FOUR, GRID)
    assert before.accuracy > 0.9
    path = split.images.image("0.png")
    with Image.open(path) as image:
        pixels = np.array(image)
    pixels[:, :8] = 0, 255, 255  # well inside what is void
    trees.save(path, pixels)
    after = evaluate(nearest_colour(), split, FOUR, GRID)
    assert (after.iou[:3], after.accuracy) == (before.iou[:3], before.accuracy)


def test_pixels_are_counted_over_the_split_not_per_image(tmp_path: Path) -> None:
    sizes = [(64, 64), (128, 128)]
    split, network = tree(tmp_path, sizes), nearest_colour()
    whole = evaluate(network, split, FOUR, GRID)
    parts = [
        evaluate(
            network,
            Split(images=split.images.only([name]), masks=split.masks),
            FOUR,
            GRID,
        )
        for name in split.images.names
    ]
    known = 64 * (64 - 10), 128 * (128 - 21)  # without the void columns
    hits = sum(part.accuracy * pixels for part, pixels in zip(parts, known, strict=True))
    assert parts[0].accuracy != pytest.approx(parts[1].accuracy, abs=1e-3)
    assert whole.accuracy == pytest.approx(hits / sum(known))


def test_dropout_is_off_while_measuring(tmp_path: Path) -> None:
    split, network = tree(tmp_path, [(64, 64)]), nearest_colour().train()
    first, again = (evaluate(network.train(), split, FOUR, GRID) for _ in range(2))
    assert first.iou[:3] == again.iou[:3] == evaluate(network, split, FOUR, GRID).iou[:3]


def test_every_image_is_reported_as_done(tmp_path: Path) -> None:
    split, done = tree(tmp_path, [(64, 64)] * 3), []
    split.images.image("1.png").write_bytes(b"")
    evaluate(nearest_colour(), split, FOUR, GRID, done.append)
    assert done == [1, 2, 3]


def test_what_cannot_be_used_is_skipped_with_its_reason(tmp_path: Path) -> None:
    split = tree(tmp_path, [(64, 64)] * 5)
    assert split.masks is not None
    split.images.image("0.png").write_bytes(b"")
    (split.masks / "1.png").unlink()
    (split.masks / "2.png").write_bytes(b"x")
    trees.save(split.masks / "3.png", np.zeros((64, 63), np.uint8))
    found = evaluate(nearest_colour(), split, FOUR, GRID)
    assert found.images == 1
    reasons = dict(found.skipped)
    assert reasons.keys() == {"0.png", "1.png", "2.png", "3.png"}
    assert reasons["0.png"] == "empty file"
    assert reasons["1.png"].startswith("mask missing")
    assert reasons["2.png"].startswith("mask unreadable")
    assert reasons["3.png"].startswith("mask of another size")
    alone = Split(images=split.images.only(["4.png"]), masks=split.masks)
    expected = evaluate(nearest_colour(), alone, FOUR, GRID)
    assert found.iou[:3] == expected.iou[:3]


def test_a_split_without_masks_is_refused(tmp_path: Path) -> None:
    split = Split(images=tree(tmp_path, [(64, 64)]).images, masks=None)
    with pytest.raises(BadDataset, match="no masks to compare with") as caught:
        evaluate(nearest_colour(), split, FOUR, GRID)
    assert caught.value.remedy


def test_a_split_of_broken_images_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    split = tree(tmp_path, [(64, 64)])
    split.images.image("0.png").write_bytes(b"")
    with pytest.raises(BadDataset, match=r"could be evaluated: 0\.png: empty file"):
        evaluate(nearest_colour(), split, FOUR, GRID)


def test_a_split_of_no_images_is_refused(tmp_path: Path) -> None:
    split = Split(images=named(tmp_path, ()), masks=tmp_path)
    with pytest.raises(BadDataset):
        evaluate(nearest_colour(), split, FOUR, GRID)


def test_a_split_where_all_is_ignored_is_refused(tmp_path: Path) -> None:
    split = tree(tmp_path, [(64, 64)])
    assert split.masks is not None
    trees.save(split.masks / "0.png", np.full((64, 64), 255, np.uint8))
    with pytest.raises(BadDataset):
        _ = evaluate(nearest_colour(), split, FOUR, GRID).miou


@pytest.mark.parametrize("classes", [2, 16, 17, 40])
def test_classes_a_few_at_a_time_give_the_largest_of_all(
    classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "_AT_ONCE", 16 * 13 * 20)
    torch.manual_seed(classes)
    scores = torch.randn(1, classes, 5, 7).round(decimals=1)  # with ties
    enlarged = F.interpolate(scores, (13, 20), mode="bilinear", align_corners=False)[0]
    whole = enlarged.argmax(0)
    label, confidence = _largest(scores, (13, 20))
    assert torch.equal(label, whole)
    torch.testing.assert_close(confidence, enlarged.softmax(0).amax(0))
