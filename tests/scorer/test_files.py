"""A file appears whole or not at all, and what stood there before still stands there."""

from pathlib import Path

import pytest

from scorer.errors import CannotWrite
from scorer.files import cannot_write, check_writable, replacing, replacing_path


class FullDisk:
    """An iterator of lines whose disk is full after `after` of them; knows whether it was hit."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.hit = False

    def __iter__(self) -> "FullDisk":
        return self

    def __next__(self) -> str:
        if self.after == 0:
            self.hit = True
            raise OSError(28, "No space left on device")
        self.after -= 1
        return "line\n"


def test_the_file_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.csv"
    with replacing(path) as file:
        file.write("né\n")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == "né\n".encode()
    assert [entry.name for entry in path.parent.iterdir()] == ["a.csv"]


def test_who_reads_the_old_file_reads_it_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old from start to end")
    with path.open() as reader:
        assert reader.read(3) == "old"
        with replacing(path) as file:
            file.write("new")
        reader.seek(0)
        assert reader.read() == "old from start to end"
    assert path.read_text() == "new"


def test_a_full_disk_is_told_with_the_path_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    disk = FullDisk(after=3)
    with (
        pytest.raises(CannotWrite, match=r"a\.csv: No space left on device") as caught,
        replacing(path) as file,
    ):
        file.writelines(disk)
    assert disk.hit
    assert caught.value.exit_code == 6
    assert caught.value.remedy
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]


def test_any_other_error_passes_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")

    def interrupted() -> None:
        with replacing_path(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]


def test_a_file_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("I am no folder")
    path = tmp_path / "file" / "a.csv"
    with pytest.raises(CannotWrite, match=r"a\.csv"), replacing(path) as file:
        file.write("never")
    assert (tmp_path / "file").read_text() == "I am no folder"


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(CannotWrite, match="directory"), replacing(tmp_path / "a.csv") as file:
        file.write("x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]


def test_an_error_without_text_is_told_too() -> None:
    with pytest.raises(CannotWrite, match="cannot write a: encoder error"), cannot_write(Path("a")):
        raise OSError("encoder error")


def test_a_name_as_long_as_the_file_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'n' * 247}.csv"
    path.write_text("it can")
    with replacing(path) as file:
        file.write("it still can")
    assert path.read_text() == "it still can"


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    check_writable(tmp_path / "a.csv")
    check_writable(tmp_path / "b.csv")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"


def test_a_folder_for_what_will_be_written_is_made(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "a.csv")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("name", ["folder", "file/a.csv", "."])
def test_a_place_that_cannot_be_written_is_told_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("I am no folder")
    with pytest.raises(CannotWrite, match="cannot write") as caught:
        check_writable(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert caught.value.remedy
