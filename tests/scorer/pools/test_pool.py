"""A pool lists the same images in the same order wherever it lies, and explains itself if not."""

import os
from pathlib import Path

import pytest

from scorer.errors import BadImage, BadPool
from scorer.pools import check_name, list_pool


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_names_are_sorted_paths_below_the_folder(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.jpg", "b/10.jpg", "a.PNG", "c/d/e.webp", "B.tiff", "z.bmp", "y.JPEG")
    assert list_pool(tmp_path).names == (
        "B.tiff", "a.PNG", "b/10.jpg", "b/2.jpg", "c/d/e.webp", "y.JPEG", "z.bmp",
    )  # fmt: skip


def test_the_order_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    names = ["3.jpg", "1.jpg", "2/1.jpg", "2.jpg"]
    touch(tmp_path / "one", *names)
    touch(tmp_path / "other", *reversed(names))
    assert list_pool(tmp_path / "one").names == list_pool(tmp_path / "other").names


def test_only_images_are_listed(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "notes.txt", "b.gif", "c.jpg.part", "jpg", "d.nef", "labels.csv")
    assert list_pool(tmp_path).names == ("a.jpg",)


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", ".b.jpg", ".cache/c.jpg", "d/.e/f.jpg", "d/.a.jpg.123.tmp")
    assert list_pool(tmp_path).names == ("a.jpg",)


def test_a_hidden_folder_that_is_asked_for_is_listed(tmp_path: Path) -> None:
    touch(tmp_path / ".pool", "a.jpg")
    assert list_pool(tmp_path / ".pool").names == ("a.jpg",)


def test_a_folder_that_is_called_like_an_image_is_not_listed(tmp_path: Path) -> None:
    touch(tmp_path, "x.jpg/inside.png", "y.png")
    (tmp_path / "empty.jpg").mkdir()
    assert list_pool(tmp_path).names == ("x.jpg/inside.png", "y.png")


def test_links_to_files_count_and_links_to_folders_do_not(tmp_path: Path) -> None:
    touch(tmp_path, "pool/a.jpg", "elsewhere/b.jpg")
    (tmp_path / "pool" / "link.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    (tmp_path / "pool" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pool" / "around").symlink_to(tmp_path / "pool")
    (tmp_path / "pool" / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    assert list_pool(tmp_path / "pool").names == ("a.jpg", "dangling.jpg", "link.jpg")


def test_a_name_that_is_no_utf8_is_listed(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    try:
        os.close(os.open(raw, os.O_CREAT | os.O_WRONLY))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert list_pool(tmp_path).names == ("caf\udce9.jpg",)


def test_a_list_is_sorted_and_counts_each_path_once(tmp_path: Path) -> None:
    lines = "\n  b.jpg  \na.jpg\n\n./a.jpg\nsub//c.png\r\nb.jpg\n"
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + lines.encode())
    pool = list_pool(tmp_path / "list.txt")
    assert pool.names == ("a.jpg", "b.jpg", "sub/c.png")
    assert pool.image("a.jpg") == tmp_path / "a.jpg"
    assert len(pool) == 3


def test_a_list_may_name_absolute_paths_and_the_folder_above(tmp_path: Path) -> None:
    absolute = tmp_path / "far" / "a.jpg"
    (tmp_path / "list.txt").write_text(f"{absolute}\n../b.jpg\n")
    pool = list_pool(tmp_path / "list.txt")
    assert pool.image(absolute.as_posix()) == absolute
    assert pool.image("../b.jpg") == tmp_path / "../b.jpg"


def test_a_list_breaks_at_line_ends_only(tmp_path: Path) -> None:
    names = ["a\u2028b.jpg", "c\x0cd.jpg"]
    (tmp_path / "list.txt").write_text("\n".join(names), encoding="utf-8")
    assert list_pool(tmp_path / "list.txt").names == tuple(sorted(names))


def test_a_link_out_of_a_folder_is_confined_and_a_list_is_not(tmp_path: Path) -> None:
    touch(tmp_path, "far.jpg", "pool/a.jpg")
    (tmp_path / "pool" / "out.jpg").symlink_to(tmp_path / "far.jpg")
    (tmp_path / "list.txt").write_text("pool/a.jpg\npool/out.jpg\n")
    inside, outside = list_pool(tmp_path / "pool").confined()
    assert (inside.names, outside) == (("a.jpg",), 1)
    assert list_pool(tmp_path / "list.txt").confined()[1] == 0


def test_a_file_that_becomes_a_link_out_of_a_confined_folder_is_not_read(tmp_path: Path) -> None:
    touch(tmp_path, "far.jpg", "pool/a.jpg", "pool/b.jpg")
    inside, _ = list_pool(tmp_path / "pool").confined()
    (tmp_path / "pool" / "a.jpg").unlink()
    (tmp_path / "pool" / "a.jpg").symlink_to(tmp_path / "far.jpg")
    assert inside.image("b.jpg") == tmp_path / "pool" / "b.jpg"
    with pytest.raises(BadImage, match="outside the pool"):
        inside.image("a.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "caf\u00e9/\U0001f600.jpg", "a\ufffdb.jpg", "a?.jpg"])
def test_a_name_that_utf8_can_hold_passes(name: str) -> None:
    check_name(name)


def test_a_name_that_no_utf8_file_could_hold_has_a_reason() -> None:
    with pytest.raises(BadImage) as caught:
        check_name("caf\udce9.jpg")
    assert caught.value.reason == "file name is not UTF-8"
    assert r"caf\udce9.jpg" in caught.value.detail


def unusable_pools(folder: Path) -> dict[str, tuple[Path, str]]:
    touch(folder, "only/notes.md", "photo.jpg")
    (folder / "empty").mkdir()
    (folder / "empty.txt").write_text("\n\n")
    (folder / "latin.txt").write_bytes(b"caf\xe9.jpg\n")
    return {
        "missing": (folder / "nowhere", "does not exist"),
        "missing list": (folder / "nowhere.txt", "does not exist"),
        "a file": (folder / "photo.jpg", "neither a folder nor a .txt list"),
        "empty": (folder / "empty", "holds no images"),
        "no images": (folder / "only", "holds no images"),
        "empty list": (folder / "empty.txt", "holds no images"),
        "list in another encoding": (folder / "latin.txt", "cannot read the list"),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "missing", "missing list", "a file", "empty", "no images", "empty list",
        "list in another encoding",
    ],
)  # fmt: skip
def test_an_unusable_pool_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    location, message = unusable_pools(tmp_path)[kind]
    with pytest.raises(BadPool, match=message) as caught:
        list_pool(location)
    assert str(location) in str(caught.value)
    assert caught.value.exit_code == 5
