"""What is seen in a folder before anything is written: sizes, mask values, palette, damage."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from scorer.errors import BadDataset
from scorer.pools import Index, named
from trainer import survey
from trainer.split import Split
from trainer.survey import MaskValues


def pool(root: Path, count: int) -> Index:
    """Names of images that need not exist: masks are found by name alone."""
    return named(root / "images", tuple(f"{index:03d}.jpg" for index in range(count)))


def mask(root: Path, index: int, values: object, dtype: type = np.uint8) -> Path:
    return trees.save(root / "masks" / f"{index:03d}.png", np.array(values, dtype))


def with_palette(path: Path, *colours: tuple[int, int, int]) -> None:
    with Image.open(path) as image:
        copy = image.copy()
    copy.putpalette(np.ravel(colours).tolist())
    copy.save(path)


def test_one_size_is_told_alone(tmp_path: Path) -> None:
    images = [trees.save(tmp_path / f"{i}.png", np.zeros((4, 6, 3), np.uint8)) for i in range(2)]
    sizes = survey.sizes(named(tmp_path, tuple(path.name for path in images)))
    assert (sizes.commonest, sizes.different, sizes.broken) == ((4, 6), 1, 0)
    assert str(sizes) == "4x6"


def test_several_sizes_and_broken_images_are_counted(tmp_path: Path) -> None:
    for index, size in enumerate([(4, 6), (8, 6), (8, 6)]):
        trees.save(tmp_path / f"{index}.png", np.zeros((*size, 3), np.uint8))
    (tmp_path / "3.png").write_bytes(b"x")
    sizes = survey.sizes(named(tmp_path, ("0.png", "1.png", "2.png", "3.png", "vanished.png")))
    assert str(sizes) == "2 sizes, most 8x6, 2 unreadable"


def test_a_pool_without_a_whole_image_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(BadDataset, match="none of the first 1 images") as caught:
        survey.sizes(named(tmp_path, ("a.png",)))
    assert str(tmp_path) in str(caught.value)
    assert caught.value.remedy


def test_only_the_first_files_are_opened(tmp_path: Path) -> None:
    count = survey.LOOKED_AT
    assert (
        len(list(survey.mask_files(Split(images=pool(tmp_path, count + 1), masks=tmp_path))))
        == count
    )
    found = survey.mask_values(Split(images=pool(tmp_path, count + 1), masks=tmp_path))
    assert found.looked_at == count
    assert found.findings((), 255)[0].startswith(f"0 of the first {count} images")


def test_a_mask_has_the_path_of_its_image_and_ends_in_png(tmp_path: Path) -> None:
    images = named(tmp_path, ("a/b.jpeg", "v1.2_a.jpg"))
    assert list(survey.mask_files(Split(images=images, masks=tmp_path / "m"))) == [
        tmp_path / "m" / "a" / "b.png",
        tmp_path / "m" / "v1.2_a.png",
    ]


def test_values_are_counted_over_all_masks(tmp_path: Path) -> None:
    mask(tmp_path, 0, [[0, 1, 1]])
    mask(tmp_path, 1, [[1, 255, 7]], np.uint16)
    mask(tmp_path, 2, [[True, False]], np.bool_)
    found = survey.mask_values(Split(images=pool(tmp_path, 4), masks=tmp_path / "masks"))
    assert found.counts == {0: 2, 1: 4, 7: 1, 255: 1}
    assert (found.looked_at, found.present, found.broken) == (4, 3, [])


def test_without_a_folder_of_masks_nothing_is_counted(tmp_path: Path) -> None:
    assert survey.mask_values(Split(images=pool(tmp_path, 3), masks=None)) == MaskValues()


def test_a_broken_mask_is_named_and_the_others_count(tmp_path: Path) -> None:
    mask(tmp_path, 0, [[0, 1]]).write_bytes(b"x")
    mask(tmp_path, 1, [[0, 1]])
    found = survey.mask_values(Split(images=pool(tmp_path, 2), masks=tmp_path / "masks"))
    assert found.present == 1
    [line] = [line for line in found.findings((), 255) if "unreadable" in line]
    assert "000.png" in line


def test_masks_that_are_all_broken_are_refused_with_a_remedy(tmp_path: Path) -> None:
    mask(tmp_path, 0, [[0, 1]]).write_bytes(b"x")
    with pytest.raises(BadDataset, match=r"none of the masks .* can be read: .*000\.png") as caught:
        survey.mask_values(Split(images=pool(tmp_path, 2), masks=tmp_path / "masks"))
    assert caught.value.remedy


@pytest.mark.parametrize(
    "values",
    [np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2, 4), np.uint8), np.array([[256]], np.uint16)],
    ids=["colours", "colours with alpha", "beyond 255"],
)
def test_masks_of_anything_but_indices_are_refused_with_a_remedy(
    tmp_path: Path, values: np.ndarray
) -> None:
    trees.save(tmp_path / "masks" / "000.png", values)
    with pytest.raises(BadDataset, match=r"000\.png is no mask of class indices") as caught:
        survey.mask_values(Split(images=pool(tmp_path, 1), masks=tmp_path / "masks"))
    assert "dataset.toml" in caught.value.remedy


def test_findings_name_every_value_and_its_share() -> None:
    found = MaskValues(Counter({0: 5, 2: 3, 9: 2}), looked_at=4, present=3)
    head, *lines = found.findings(("sky", "road"), 9)
    assert head == "3 of 4 images have a mask; their pixels:"
    assert [line.split() for line in lines] == [
        ["0", "sky", "50.000%"],
        ["2", "?", "30.000%"],
        ["9", "ignored", "20.000%"],
    ]


@pytest.mark.parametrize(("values", "said"), [((0, 255), True), ((0, 1, 255), False)])
def test_a_mask_of_black_and_white_is_remarked_on(values: tuple[int, ...], said: bool) -> None:
    found = MaskValues(Counter(values), looked_at=1, present=1)
    assert any("not labelled" in line for line in found.findings((), 255)) is said


def test_the_palette_is_that_of_the_first_mask_that_opens(tmp_path: Path) -> None:
    mask(tmp_path, 0, [[0, 1]]).write_bytes(b"x")
    with_palette(mask(tmp_path, 2, [[0, 1]]), *trees.PAINTS)
    with_palette(mask(tmp_path, 3, [[0, 1]]), *reversed(trees.PAINTS))
    assert survey.palette(Split(images=pool(tmp_path, 4), masks=tmp_path / "masks"), 2) == list(
        trees.PAINTS[:2]
    )


@pytest.mark.parametrize(
    ("colours", "count"), [((), 2), (trees.PAINTS, 4), (((9, 9, 9), (9, 9, 9)), 2)]
)
def test_grey_short_and_repeated_palettes_are_none(
    tmp_path: Path, colours: tuple[tuple[int, int, int], ...], count: int
) -> None:
    path = mask(tmp_path, 0, [[0, 1]])
    if colours:
        with_palette(path, *colours)
    assert survey.palette(Split(images=pool(tmp_path, 1), masks=tmp_path / "masks"), count) is None
    assert survey.palette(Split(images=pool(tmp_path, 1), masks=None), count) is None
