"""The folder of a live session: begun from a pool and names, continued from itself."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import trees

from scorer.errors import BadDataset, BadInput
from scorer.images.colours import default_colours, hexadecimal
from scorer.labels.store import Store
from trainer import dataset
from trainer.live.home import Home, begin, can_extend, extend, prepare, settle

NAMES = ("sky", "road, wet", 'a "b"')


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    for index in range(3):
        trees.save(tmp_path / "pool" / f"{index}.png", np.zeros((48, 64, 3), np.uint8))
    return tmp_path / "pool"


def test_it_begins_from_a_pool_and_names(pool: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "session")
    found = prepare(home, str(pool), NAMES)
    assert found.classes.names == NAMES
    assert len(set(found.classes.colours)) == 3
    assert len(found.train.images) == 3
    assert found.size == (48, 64)
    assert found.train.labels == home.labels
    assert home.classes.read_text("utf-8").splitlines() == list(NAMES)
    assert dataset.read(home.dataset) == found


def test_it_continues_from_itself(pool: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "session")
    prepare(home, str(pool), NAMES)
    before = home.dataset.read_bytes()
    assert prepare(home, None, None).classes.names == NAMES
    assert prepare(home, str(pool), NAMES).classes.names == NAMES
    assert home.dataset.read_bytes() == before
    with pytest.raises(BadInput, match="has the classes sky"):
        prepare(home, str(pool), ("sky", "road"))
    with pytest.raises(BadInput, match="is of the photographs in"):
        prepare(home, str(tmp_path), NAMES)


def test_a_file_of_classes_that_splits_a_name_is_written_again(pool: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "session")
    prepare(home, str(pool), NAMES)
    home.classes.write_text("\n".join(" ".join(NAMES).split()), "utf-8")
    prepare(home, None, None)
    assert home.classes.read_text("utf-8").splitlines() == list(NAMES)


@pytest.mark.parametrize("classes", [None, NAMES])
def test_the_first_time_it_needs_a_pool(classes: tuple[str, ...] | None, tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match="does not exist") as caught:
        prepare(Home(tmp_path / "session"), None, classes)
    assert "--pool" in caught.value.remedy
    assert not (tmp_path / "session" / "dataset.toml").exists()


def test_without_names_it_waits_for_the_page(pool: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "session")
    assert prepare(home, str(pool), None) is None
    assert not home.dataset.exists()
    found = begin(home, str(pool), NAMES[:2])
    assert found.classes.names == NAMES[:2]
    assert prepare(home, None, None) == found


def test_classes_that_were_added_go_into_the_file_and_all_else_stays(
    pool: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "session")
    before = begin(home, str(pool), NAMES[:2])
    text = (
        home.dataset.read_text("utf-8").replace(hexadecimal(default_colours(1)[0]), "#123456")
        + "# mine\n"
    )
    home.dataset.write_text(text, "utf-8")
    found = extend(home, NAMES)
    assert found.classes.names == NAMES
    assert found.classes.colours[0] == (0x12, 0x34, 0x56)
    assert len(set(found.classes.colours)) == 3
    assert (found.size, found.train.labels) == (before.size, home.labels)
    assert home.dataset.read_text("utf-8").endswith("# mine\n")
    assert home.classes.read_text("utf-8").splitlines() == list(NAMES)
    assert prepare(home, None, NAMES[:2]) == found, "the command of before goes on"


def test_a_class_that_was_added_has_a_mask_value_of_its_own(pool: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "session")
    begin(home, str(pool), NAMES[:2])
    more = "[classes]\nignore = 1\nvalues = [0, 255]"
    text = home.dataset.read_text("utf-8").replace("[classes]", more)
    home.dataset.write_text(text, "utf-8")
    extend(home, NAMES)
    assert "values = [0, 255, 2]" in home.dataset.read_text("utf-8")


def test_a_colour_of_an_added_class_is_none_that_somebody_has_chosen(
    pool: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path / "session")
    begin(home, str(pool), NAMES[:2])
    second, third = map(hexadecimal, default_colours(3)[1:])
    text = home.dataset.read_text("utf-8").replace(second, third)
    home.dataset.write_text(text, "utf-8")
    assert len(set(extend(home, NAMES).classes.colours)) == 3


def test_a_place_may_have_any_name(pool: Path, tmp_path: Path) -> None:
    there = pool.rename(tmp_path / 'my "📷" pool')
    home = Home(tmp_path / "session")
    begin(home, str(there), NAMES)
    assert dataset.read(home.dataset).train.images.where == there.as_posix()


def test_after_a_session_the_file_has_the_classes_of_the_store(pool: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "session")
    settle(home)
    begin(home, str(pool), NAMES[:2])
    with closing(Store(home.labels, NAMES[:2], grows=True)) as store:
        store.add_class(NAMES[2])
    settle(home)
    assert dataset.read(home.dataset).classes.names == NAMES
    assert can_extend(home)
    home.dataset.write_text('version = 1\nlayout = "camvid"\n')
    assert not can_extend(home)


def test_names_that_somebody_has_written_are_not_passed_over(pool: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "session")
    home.folder.mkdir()
    home.classes.write_text("sky\nroad\n")
    with pytest.raises(BadInput, match=r"classes\.txt exists already") as caught:
        prepare(home, str(pool), None)
    assert "--classes" in caught.value.remedy
    assert home.classes.read_text() == "sky\nroad\n"
