"""What is seen in a folder before anything is written: sizes, mask values, palette, damage."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from scorer.errors import BadDataset
from scorer.pools import Index, named
from trainer import headers, survey
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
    pool = named(tmp_path, tuple(path.name for path in images))
    sizes = headers.sizes(pool, pool.names)
    assert (sizes.commonest, sizes.different, sizes.broken) == ((4, 6), 1, 0)
    assert str(sizes) == "4x6"


def test_several_sizes_and_broken_images_are_counted(tmp_path: Path) -> None:
    for index, size in enumerate([(4, 6), (8, 6), (8, 6)]):
        trees.save(tmp_path / f"{index}.png", np.zeros((*size, 3), np.uint8))
    (tmp_path / "3.png").write_bytes(b"x")
    pool = named(tmp_path, ("0.png", "1.png", "2.png", "3.png", "vanished.png"))
    sizes = headers.sizes(pool, pool.names)
    assert str(sizes) == "2 sizes, most 8x6, 2 unreadable"


def test_a_pool_without_a_whole_image_is_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(
        BadDataset, match=r"none of the 1 images looked at .* not an image"
    ) as caught:
        headers.sizes(named(tmp_path, ("a.png",)), ("a.png",))
    assert str(tmp_path) in str(caught.value)
    assert caught.value.remedy


def test_only_the_first_files_are_opened(tmp_path: Path) -> None:
    count = headers.LOOKED_AT
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
    assert (found.looked_at, found.present, found.unfit) == (4, 3, [])


def test_without_a_folder_of_masks_nothing_is_counted(tmp_path: Path) -> None:
    assert survey.mask_values(Split(images=pool(tmp_path, 3), masks=None)) == MaskValues()


def test_a_broken_mask_is_named_and_the_others_count(tmp_path: Path) -> None:
    mask(tmp_path, 0, [[0, 1]]).write_bytes(b"x")
    mask(tmp_path, 1, [[0, 1]])
    found = survey.mask_values(Split(images=pool(tmp_path, 2), masks=tmp_path / "masks"))
    assert (found.present, found.usable) == (2, 1)
    [line] = found.warnings()
    assert "000.png" in line


def test_masks_that_are_all_broken_are_refused_with_a_remedy(tmp_path: Path) -> None:
    mask(tmp_path, 0, [[0, 1]]).write_bytes(b"x")
    with pytest.raises(BadDataset, match=r"none of the masks .* can be used: .*000\.png") as caught:
        survey.mask_values(Split(images=pool(tmp_path, 2), masks=tmp_path / "masks"))
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([[256]], np.uint16), r"000\.png is no mask of class indices .* holds 256"),
        (np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8), "is no mask: it holds"),
    ],
    ids=["beyond 255", "a photograph"],
)
def test_what_is_no_mask_is_refused_with_a_remedy(
    tmp_path: Path, values: np.ndarray, message: str
) -> None:
    trees.save(tmp_path / "masks" / "000.png", values)
    with pytest.raises(BadDataset, match=message) as caught:
        survey.mask_values(Split(images=pool(tmp_path, 1), masks=tmp_path / "masks"))
    assert caught.value.remedy


def test_colours_are_counted_as_values_are(tmp_path: Path) -> None:
    red, black = (255, 0, 0), (0, 0, 0)
    mask(tmp_path, 0, [[red, red, black]])
    mask(tmp_path, 1, [[[0, 0, 9, 255], [255, 0, 0, 9], [0, 0, 0, 9]]])
    found = survey.mask_values(Split(images=pool(tmp_path, 2), masks=tmp_path / "masks"))
    assert found.colours == {red: 3, black: 2, (0, 0, 9): 1}
    lines = [line.split() for line in found.findings_of_colours({red: "fire"})]
    assert lines[1] == ["#ff0000", "fire", "50.000%"]
    assert lines[2] == ["#000000", "ignored", "33.333%"]


def test_colours_beside_indices_are_refused(tmp_path: Path) -> None:
    mask(tmp_path, 0, [[(255, 0, 0)]])
    mask(tmp_path, 1, [[1]])
    with pytest.raises(BadDataset, match="some are colours and some are grey"):
        survey.mask_values(Split(images=pool(tmp_path, 2), masks=tmp_path / "masks"))


@pytest.mark.parametrize(("size", "turned"), [((2, 3), False), ((6, 4), True)])
def test_a_mask_of_another_size_than_its_image_cannot_be_used(
    tmp_path: Path, size: tuple[int, int], turned: bool
) -> None:
    for index in range(2):
        trees.save(tmp_path / "images" / f"{index:03d}.jpg", np.zeros((4, 6, 3), np.uint8))
        mask(tmp_path, index, np.zeros(size if index else (4, 6)))
    found = survey.mask_values(Split(images=pool(tmp_path, 2), masks=tmp_path / "masks"))
    assert (found.present, found.usable) == (2, 1)
    [reason] = found.unfit
    assert f"001.png is {size[0]}x{size[1]}, its image 4x6" in reason
    assert ("turned upright" in reason) is turned


def test_of_many_masks_that_cannot_be_used_a_few_are_named(tmp_path: Path) -> None:
    for index in range(9):
        mask(tmp_path, index, [[0, 1]])
        if index:
            (tmp_path / "masks" / f"{index:03d}.png").write_bytes(b"x")
    found = survey.mask_values(Split(images=pool(tmp_path, 9), masks=tmp_path / "masks"))
    lines = found.findings((), 255)
    assert sum("cannot be used" in line for line in lines) == 5
    assert lines[-1] == "  and 3 more"


def test_findings_name_every_value_and_its_share() -> None:
    found = MaskValues(Counter({0: 5, 2: 3, 9: 2}), looked_at=4, present=3)
    head, *lines = found.findings(("sky", "road"), 9)
    assert head == "3 of 4 images have a mask; their pixels:"
    assert [line.split() for line in lines] == [
        ["0", "sky", "50.000%"],
        ["2", "?", "30.000%"],
        ["9", "ignored", "20.000%"],
    ]


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
