"""Clicks drawn from masks, clicks read from people, and the samples made of them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from scorer.errors import BadDataset, BadLabels
from scorer.images.photograph import load
from scorer.labels import Click, Labels
from trainer import clicks, dataset
from trainer.dataset import Dataset
from trainer.sample import Sample, Samples
from trainer.split import Split


@pytest.fixture
def toy(tmp_path: Path) -> Dataset:
    return dataset.read(trees.folders(tmp_path, images=4, val=0, size=(40, 56)) / "dataset.toml")


def truth(toy: Dataset, name: str) -> trees.Pixels:
    path = toy.train.mask(name)
    assert path is not None
    with Image.open(path) as image:
        return np.asarray(image)


def write(toy: Dataset, name: str, mask: trees.Pixels) -> None:
    path = toy.train.mask(name)
    assert path is not None
    trees.save(path, mask)


@pytest.mark.parametrize("pixels", [1, 5, 100, 40 * 56])
def test_n_different_pixels_with_the_masks_labels_are_drawn(toy: Dataset, pixels: int) -> None:
    labels, skipped = clicks.draw(toy.train, toy.classes, pixels=pixels, seed=0)
    assert skipped == []
    assert set(labels.clicks) == set(toy.train.images.names)
    for name, found in labels.clicks.items():
        assert len({(click.row, click.col) for click in found}) == len(found) == pixels
        mask = truth(toy, name)
        assert all(mask[click.row, click.col] == click.label for click in found)


def test_a_mask_with_fewer_labelled_pixels_gives_them_all(toy: Dataset) -> None:
    mask = np.full((40, 56), 255, np.uint8)
    mask[3, 4], mask[39, 55] = 1, 2
    write(toy, "toy_01.png", mask)
    labels, _ = clicks.draw(toy.train, toy.classes, pixels=5, seed=0)
    assert labels.of("toy_01.png") == [Click(3, 4, 1), Click(39, 55, 2)]


def test_ignored_pixels_are_never_drawn(toy: Dataset) -> None:
    mask = truth(toy, "toy_00.png").copy()
    mask[:, ::2] = 255
    write(toy, "toy_00.png", mask)
    labels, _ = clicks.draw(toy.train, toy.classes, pixels=10_000, seed=0)
    assert len(labels.of("toy_00.png")) == 40 * 28
    assert all(click.col % 2 == 1 for click in labels.of("toy_00.png"))


def test_a_mask_without_labels_gives_no_clicks_and_the_others_do(toy: Dataset) -> None:
    write(toy, "toy_02.png", np.full((40, 56), 255, np.uint8))
    labels, skipped = clicks.draw(toy.train, toy.classes, pixels=5, seed=0)
    assert len(labels.of("toy_02.png")) == 0
    assert len(labels) == 15
    assert skipped == []


def test_the_seed_decides_what_is_drawn(toy: Dataset) -> None:
    first, again, other = (
        clicks.draw(toy.train, toy.classes, pixels=5, seed=seed)[0] for seed in (3, 3, 4)
    )
    assert first == again
    assert all(first.of(name) != other.of(name) for name in toy.train.images.names)


def test_images_are_drawn_from_independently(toy: Dataset) -> None:
    labels, _ = clicks.draw(toy.train, toy.classes, pixels=5, seed=0)
    places = [tuple((c.row, c.col) for c in labels.of(name)) for name in toy.train.images.names]
    assert len(set(places)) == 4


def test_what_is_drawn_depends_on_the_name_not_on_the_order(toy: Dataset) -> None:
    whole, _ = clicks.draw(toy.train, toy.classes, pixels=5, seed=0)
    names = ("toy_03.png", "toy_01.png")
    part = replace(toy.train, images=toy.train.images.only(names))
    drawn, _ = clicks.draw(part, toy.classes, pixels=5, seed=0)
    assert drawn.clicks == {name: whole.of(name) for name in names}


def test_drawing_is_uniform_over_the_labelled_pixels(toy: Dataset) -> None:
    """Chi-square over the four quarters of an image, 40 seeds of 50 pixels: 3 degrees, p = 1e-5."""
    one = replace(toy.train, images=toy.train.images.only(["toy_00.png"]))
    counts = np.zeros(4)
    for seed in range(40):
        labels, _ = clicks.draw(one, toy.classes, pixels=50, seed=seed)
        for click in labels.of("toy_00.png"):
            counts[2 * (click.row >= 20) + (click.col >= 28)] += 1
    assert counts.sum() == 2000
    assert ((counts - 500) ** 2 / 500).sum() < 25.9


def _remove(path: Path) -> None:
    path.unlink()


def _scribble(path: Path) -> None:
    path.write_bytes(b"no image")


def _transpose(path: Path) -> None:
    with Image.open(path) as image:
        turned = np.asarray(image).T
    trees.save(path, turned)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_remove, "mask missing"),
        (_scribble, "mask unreadable"),
        (_transpose, "mask of another size"),
    ],
)
def test_a_mask_that_cannot_be_used_is_a_skip_with_its_reason(
    toy: Dataset, damage: Callable[[Path], None], reason: str
) -> None:
    path = toy.train.mask("toy_01.png")
    assert path is not None
    damage(path)
    labels, skipped = clicks.draw(toy.train, toy.classes, pixels=5, seed=0)
    assert [name for name, _ in skipped] == ["toy_01.png"]
    assert skipped[0][1].startswith(reason)
    assert set(labels.clicks) == {"toy_00.png", "toy_02.png", "toy_03.png"}


def test_both_sizes_of_a_mask_of_another_size_are_told(toy: Dataset) -> None:
    write(toy, "toy_00.png", np.zeros((7, 9), np.uint8))
    _, skipped = clicks.draw(toy.train, toy.classes, pixels=5, seed=0)
    assert "7x9" in skipped[0][1]
    assert "40" in skipped[0][1]
    assert "56" in skipped[0][1]


def test_an_image_that_cannot_be_opened_is_a_skip_with_its_reason(toy: Dataset) -> None:
    toy.train.images.image("toy_03.png").write_bytes(b"")
    labels, skipped = clicks.draw(toy.train, toy.classes, pixels=5, seed=0)
    assert skipped == [("toy_03.png", "empty file")]
    assert "toy_03.png" not in labels.clicks


def test_no_labelled_pixel_at_all_is_refused(toy: Dataset) -> None:
    for name in toy.train.images.names:
        write(toy, name, np.full((40, 56), 255, np.uint8))
    with pytest.raises(BadDataset, match=r"no mask in .*masks has a labelled pixel"):
        clicks.draw(toy.train, toy.classes, pixels=5, seed=0)


def test_masks_that_all_fail_are_refused_with_the_first_reason(toy: Dataset) -> None:
    for name in toy.train.images.names:
        path = toy.train.mask(name)
        assert path is not None
        path.unlink()
    with pytest.raises(BadDataset, match=r"such as toy_00\.png: mask missing"):
        clicks.draw(toy.train, toy.classes, pixels=5, seed=0)


def test_a_value_that_is_no_class_ends_the_run(toy: Dataset) -> None:
    write(toy, "toy_01.png", np.full((40, 56), 9, np.uint8))
    with pytest.raises(BadDataset, match=r"toy_01\.png holds the value 9"):
        clicks.draw(toy.train, toy.classes, pixels=5, seed=0)


def test_a_turned_photograph_is_drawn_from_upright(toy: Dataset) -> None:
    """EXIF orientation 6: the file is 40x56, the upright image and its mask 56x40."""
    path = toy.train.images.image("toy_00.png")
    with Image.open(path) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(path, exif=exif)
    write(toy, "toy_00.png", np.ones((56, 40), np.uint8))
    labels, skipped = clicks.draw(toy.train, toy.classes, pixels=10_000, seed=0)
    assert skipped == []
    assert max(click.row for click in labels.of("toy_00.png")) == 55


def csv(folder: Path, *rows: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join(("image,row,col,label", *rows)) + "\n", encoding="utf-8")
    return path


def test_labels_are_read_by_name_and_by_index(toy: Dataset, tmp_path: Path) -> None:
    path = csv(tmp_path, "toy_00.png,1,2,fire", "toy_00.png,3,4,2", "toy_01.png,0,0,")
    labels = clicks.read(path, toy)
    assert labels.of("toy_00.png") == [Click(1, 2, 1), Click(3, 4, 2)]
    assert labels.of("toy_01.png") == [Click(0, 0, None)]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("toy_00.png,1,2,water", r"line 2: unknown label 'water'"),
        ("toy_00.png,1,2,3", r"line 2: unknown label '3'"),
        ("toy_00.png,-1,2,fire", r"line 2: row is '-1'"),
        ("toy_00.png,1,2.5,fire", r"line 2: col is '2.5'"),
        ("stranger.png,1,2,fire", r"1 of its images are not in .*images, such as 'stranger.png'"),
    ],
)
def test_a_row_that_fits_nothing_is_refused_with_file_and_place(
    toy: Dataset, tmp_path: Path, row: str, said: str
) -> None:
    path = csv(tmp_path, row)
    with pytest.raises(BadLabels, match=said) as caught:
        clicks.read(path, toy)
    assert str(path) in str(caught.value)


def gathered(split: Split, labels: Labels, grid: tuple[int, int]) -> list[Sample]:
    found = list(clicks.gather(split, labels, grid))
    assert all(isinstance(sample, Sample) for sample in found)
    return [sample for sample in found if isinstance(sample, Sample)]


@pytest.mark.parametrize("grid", [(40, 56), (80, 112), (32, 32), (64, 48)])
def test_a_sample_holds_pixels_points_and_labels_on_the_grid(
    toy: Dataset, grid: tuple[int, int]
) -> None:
    labels = Labels({"toy_02.png": [Click(0, 0, 1), Click(39, 55, 2), Click(20, 10, None)]})
    [sample] = gathered(toy.train, labels, grid)
    photograph = load(toy.train.images.image("toy_02.png"), grid)
    assert sample.name == "toy_02.png"
    assert np.array_equal(sample.pixels, photograph.pixels)
    assert sample.labels.tolist() == [1, 2]  # the one that is asked but not labelled is no sample
    assert sample.labels.dtype == np.int64
    assert sample.points.dtype == np.float32
    height, width = photograph.geometry.content
    expected = [
        [(row + 0.5) * height / 40 - 0.5, (col + 0.5) * width / 56 - 0.5]
        for row, col in ((0, 0), (39, 55))
    ]
    np.testing.assert_allclose(sample.points, expected, atol=1e-5)


def test_images_without_labels_are_not_even_opened(toy: Dataset) -> None:
    toy.train.images.image("toy_00.png").write_bytes(b"")
    labels = Labels({"toy_00.png": [Click(0, 0, None)], "toy_01.png": [Click(0, 0, 1)]})
    assert [sample.name for sample in gathered(toy.train, labels, (40, 56))] == ["toy_01.png"]


def test_a_broken_image_is_a_name_and_a_reason(toy: Dataset) -> None:
    path = toy.train.images.image("toy_01.png")
    path.write_bytes(path.read_bytes()[:-200])
    labels = Labels({name: [Click(0, 0, 1)] for name in toy.train.images.names})
    found = list(clicks.gather(toy.train, labels, (40, 56)))
    assert len(found) == 4
    [broken] = [each for each in found if not isinstance(each, Sample)]
    assert broken[0] == "toy_01.png"
    assert broken[1].startswith(("truncated", "corrupt"))


@pytest.mark.parametrize("place", [(40, 0), (0, 56), (1000, 1000)])
def test_a_label_outside_its_image_is_refused_with_image_and_place(
    toy: Dataset, place: tuple[int, int]
) -> None:
    labels = Labels({"toy_00.png": [Click(*place, 1)]})
    with pytest.raises(BadLabels) as caught:
        list(clicks.gather(toy.train, labels, (40, 56)))
    said = f"row {place[0]}, col {place[1]} of toy_00.png, which is 40x56"
    assert said in str(caught.value)
    assert caught.value.remedy


def test_samples_count_their_points(toy: Dataset) -> None:
    labels, _ = clicks.draw(toy.train, toy.classes, pixels=5, seed=0)
    assert Samples(gathered(toy.train, labels, (40, 56))).points == 20
