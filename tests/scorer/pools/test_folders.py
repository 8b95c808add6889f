"""Folders as people have them: thumbnails, strange names, links that lead nowhere, deep images."""

import csv
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import photographs
import pytest
from click.testing import CliRunner, Result

from scorer.cli import main
from scorer.errors import BadPool
from scorer.images.encoded import Declared
from scorer.images.photograph import load
from scorer.pools import is_among, list_pool, open_pool

Graph = Callable[..., Path]

NAMES = [
    "back\\slash.png",
    "new\nline.png",
    'quo"te.png',
    "a'b.png",
    "a,b.png",
    "tab\t.png",
    "#.png",
]
PASSED = [
    "@eaDir/a.png/SYNOPHOTO_THUMB_XL.jpg", "album/@eaDir/b.jpg", "__MACOSX/._a.png", "._a.png",
    ".thumbnails/a.png", ".@__thumb/a.png", "#recycle/a.png", "$RECYCLE.BIN/a.jpg",
]  # fmt: skip
UNREADABLE = {
    ".heic": (b"\0\0\0\x18ftypheic", "HEIC file"),
    ".heif": (b"\0\0\0\x18ftypmif1", "HEIC file"),
    ".jxl": (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL file"),
    ".jpg": (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    ".png": (b"8BPS\0\1", "Photoshop file"),
    ".tif": (b"II*\0\x08\0\0\0", "TIFF of an unknown kind"),
    ".jpeg": (b"%PDF-1.7", "PDF file"),
}


def scorer(*arguments: object) -> Result:
    """The command as typed; an exception that reaches the user is an error of the test."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def home(tmp_path: Path, tiny: Graph, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the graph and an empty folder of images."""
    (tmp_path / "images").mkdir()
    (tmp_path / "scorer.onnx").write_bytes(tiny().read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ranked() -> list[str]:
    """The images of the ranking, each once."""
    with Path("ranking.csv").open(encoding="utf-8", newline="") as file:
        return sorted({row["image"] for row in csv.DictReader(file)})


def put(*names: str) -> None:
    for name in names:
        path = Path("images") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photographs.encoded(photographs.scene(), "PNG"))


def test_no_name_of_a_file_keeps_the_others_from_their_ranking(home: Path) -> None:
    put(*NAMES, "plain.png")
    result = scorer("rank", "--n", 1, "--overlay", "overlay")
    assert result.exit_code == 0, result.stderr
    assert ranked() == sorted([*NAMES, "plain.png"])
    assert len(list(Path("overlay").iterdir())) == len(NAMES) + 1


def test_thumbnails_and_hidden_files_are_passed_over_and_counted(home: Path) -> None:
    put("a.jfif", "album/b.png", *PASSED)
    result = scorer("rank", "--n", 1)
    assert result.exit_code == 0, result.stderr
    assert ranked() == ["a.jfif", "album/b.png"]
    [line] = [line for line in result.stderr.splitlines() if "passed over" in line]
    for what in (
        "folder @eaDir (2)", "folder __MACOSX (1)", "folder .thumbnails (1)", "hidden image (1)",
        "folder .@__thumb (1)", "folder #recycle (1)", "folder $RECYCLE.BIN (1)",
    ):  # fmt: skip
        assert what in line
    assert result.stderr.count("passed over") == 1


def test_thumbnails_in_a_tar_file_are_passed_over(tmp_path: Path, capfd: object) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for name in ("a.png", "x/@eaDir/a.png/THUMB.jpg", "__MACOSX/._a.png"):
            (tmp_path / "one").write_bytes(b"x")
            tar.add(tmp_path / "one", name)
    assert list_pool(tmp_path / "a.tar").names == ("a.tar/a.png",)


@pytest.mark.parametrize("suffix", UNREADABLE)
def test_images_that_cannot_be_read_are_counted_by_their_format(home: Path, suffix: str) -> None:
    content, reason = UNREADABLE[suffix]
    put("a.png")
    (home / "images" / f"b{suffix}").write_bytes(content + bytes(300))
    result = scorer("rank", "--n", 1)
    assert result.exit_code == 4
    assert f"1 {reason}" in result.stderr
    assert ranked() == ["a.png"]


@pytest.mark.parametrize(
    ("samples", "reason", "detail"),
    [
        (np.zeros((8, 8, 5), np.uint8), "5 bands", "red, green and blue"),
        (
            np.zeros((8, 8, 13), np.uint16),
            "TIFF of an unknown kind",
            "13 bands of 16 unsigned bits",
        ),
        (np.zeros((8, 8, 3), np.float32), "TIFF of an unknown kind", "3 bands of 32 float bits"),
    ],
)
def test_images_of_many_bands_say_so(
    home: Path, samples: np.ndarray, reason: str, detail: str
) -> None:
    put("a.png")
    (home / "images" / "b.tif").write_bytes(photographs.tiff(samples))
    result = scorer("rank", "--n", 1)
    assert result.exit_code == 4
    assert reason in result.stderr
    assert detail in result.stderr


def test_links_that_lead_to_themselves_end_no_command(home: Path) -> None:
    put("a.png")
    for one, other in (("self.png", "self.png"), ("x.png", "y.png"), ("y.png", "x.png")):
        (home / "images" / one).symlink_to(other)
    (home / "images" / "folder").symlink_to("folder")
    result = scorer("rank", "--n", 1)
    assert result.exit_code == 4
    assert "3 unreadable" in result.stderr
    inside, outside = list_pool("images").confined()
    assert (len(inside), outside) == (4, 0)
    assert inside.image("a.png") == Path("images/a.png")
    (home / "round").symlink_to("round")
    assert not is_among(home / "overlay", list_pool("images"))
    assert scorer("rank", "--pool", "round").exit_code == 5
    assert scorer("rank", "--n", 1, "--out", "r.csv", "--overlay", "round").exit_code == 6


def deep(bits: int = 12) -> np.ndarray:
    """Samples of 12 bits that no file declares."""
    values = np.random.default_rng(0).integers(0, 1 << bits, (24, 32)).astype(np.uint16)
    values[0, 0] = (1 << bits) - 1
    return values


def test_the_bit_depth_of_a_pool_is_an_option_of_its_commands(home: Path) -> None:
    put("plain.png")
    (home / "images" / "a.png").write_bytes(photographs.png16(deep()))
    refused = scorer("rank", "--n", 1)
    assert refused.exit_code == 4
    assert "1 16-bit values end at 4095" in refused.stderr
    assert "--bit-depth 12" in refused.stderr
    result = scorer("rank", "--n", 1, "--bit-depth", 12)
    assert result.exit_code == 0, result.stderr
    assert ranked() == ["a.png", "plain.png"]
    assert scorer("rank", "--n", 1, "--pool", "images#bit-depth=12").exit_code == 0
    assert scorer("rank", "--n", 1, "--bit-depth", 10).exit_code == 4


def test_the_bands_of_a_pool_are_an_option_of_its_commands(home: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (24, 32, 5)).astype(np.uint8)
    put("a.png")
    (home / "images" / "b.tif").write_bytes(photographs.tiff(values))
    refused = scorer("rank", "--n", 1)
    assert refused.exit_code == 4
    assert "--bands 3,2,1" in refused.stderr
    result = scorer("rank", "--n", 1, "--bands", "4,3,2", "--bit-depth", 12)
    assert result.exit_code == 0, result.stderr
    assert ranked() == ["a.png", "b.tif"]
    pool = list_pool("images#bands=4,3,2#bit-depth=12")
    assert pool.where == "images#bit-depth=12#bands=4,3,2"
    assert np.array_equal(load(pool.image("b.tif"), (24, 32)).pixels, values[..., [3, 2, 1]])


@pytest.mark.parametrize("bands", ["4,3", "0,1,2", "a,b,c", "4,3,2,1", ""])
def test_bands_that_cannot_be_are_refused(home: Path, bands: str) -> None:
    put("a.png")
    assert scorer("rank", "--bands", bands).exit_code == 2
    assert scorer("rank", "--pool", f"images#bands={bands}").exit_code == 5


def test_parts_of_another_bit_depth_are_scored_again(home: Path) -> None:
    put("a.png")
    entry = next(open_pool("images#bit-depth=12").entries())
    assert entry.mark != next(open_pool("images#bit-depth=14").entries()).mark
    assert entry.mark != next(open_pool("images").entries()).mark
    assert open_pool("images#bit-depth=12").now(entry) == entry


def test_a_bit_depth_goes_with_every_image_of_a_pool(home: Path) -> None:
    (home / "images" / "a.png").write_bytes(photographs.png16(deep()))
    pool = list_pool("images#bit-depth=12")
    assert pool.where == "images#bit-depth=12"
    expected = deep() >> 4
    for one in (pool, pool.absolute(), pool.confined()[0], pool.only(["a.png"])):
        assert isinstance(one.image("a.png"), Declared)
        assert np.array_equal(load(one.image("a.png"), (24, 32)).pixels[..., 0], expected)
    assert is_among(home / "images" / "overlay", pool)


@pytest.mark.parametrize("depth", ["8", "17", "", "x", "²"])
def test_a_bit_depth_that_cannot_be_is_refused(home: Path, depth: str) -> None:
    put("a.png")
    with pytest.raises(BadPool, match="a bit depth of") as caught:
        open_pool(f"images#bit-depth={depth}")
    assert "9 to 16" in caught.value.remedy
    assert scorer("rank", "--bit-depth", depth or "8").exit_code == 2


def test_a_bit_depth_without_a_pool_is_wrong_usage(home: Path) -> None:
    result = scorer("labels", "export", "--format", "csv", "--out", "a.csv", "--bit-depth", 12)
    assert result.exit_code == 2
    assert "there is none" in result.stderr
