"""scorer rank --why: a ranking of whole images that says why, from the command to its files."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import photographs
import pyarrow.parquet as pq
import pytest
from byhand import CLASSES
from click.testing import CliRunner, Result
from PIL import Image

import scorer as api
from scorer.cli import main
from scorer.images import palette
from scorer.images.photograph import load

Graph = Callable[..., Path]
NOISY = 12


def scorer(*arguments: object) -> Result:
    """The command as typed; an exception that reaches the user is an error of the test."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def home(tmp_path: Path, tiny: Graph, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ten noisy images with a label each, mirrored copies of two, and one of a single colour."""
    (tmp_path / "images").mkdir()
    for number in range(NOISY):
        picture = photographs.noisy(number % 10)
        if number >= 10:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture.save(tmp_path / "images" / f"noise-{number:02}.png")
    Image.new("RGB", (32, 24), (200, 10, 10)).save(tmp_path / "images" / "red.png")
    (tmp_path / "scorer.onnx").write_bytes(tiny().read_bytes())
    lines = [f"noise-{number:02}.png,2,3,road" for number in range(10)]
    (tmp_path / "labels.csv").write_text("\n".join(["image,row,col,label", *lines, ""]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def why(*arguments: object, out: str = "images.csv") -> Result:
    usual = ("--n", 2, "--uncertain", 128, "--labels", "labels.csv", "--images-out", out, "--why")
    result = scorer("rank", *usual, *arguments)
    assert result.exit_code == 0, result.stderr
    return result


def rows(path: str = "images.csv") -> dict[str, dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def test_every_image_is_told_as_its_maps_show_it(home: Path) -> None:
    why()
    found = rows()
    seen = {one.image: one for one in api.rank("scorer.onnx", "images", n=2, maps=True)}
    assert len(found) == len(seen) == NOISY + 1
    for name, row in found.items():
        one = seen[name]
        assert float(row["mean"]) == pytest.approx(one.map.mean(), rel=1e-5)
        assert float(row["uncertain"]) == pytest.approx((one.map >= 128).mean(), rel=1e-5)
        shares = [float(row[f"share of {label}"]) for label in CLASSES]
        expected = [(one.segmentation == index).mean() for index in range(len(CLASSES))]
        assert shares == pytest.approx(expected, rel=1e-5)
        assert sum(shares) == pytest.approx(1, rel=1e-5)


def test_only_the_image_of_another_colour_is_unlike_the_labelled_ones(home: Path) -> None:
    why()
    found = rows()
    unlike = {name: row["unlike"] for name, row in found.items()}
    assert [name for name, value in unlike.items() if value and float(value) > 1] == ["red.png"]
    assert [name for name, value in sorted(unlike.items()) if not value] == [
        f"noise-{number:02}.png" for number in range(10)
    ], "of a labelled image it is not told"
    assert found["red.png"]["why"].endswith("; unlike the labelled images")
    assert found["noise-00.png"]["why"].endswith("; has labels already")
    assert found["noise-11.png"]["why"].startswith("uncertain on ")


def test_nothing_else_changes(home: Path) -> None:
    why()
    explained = rows()
    pixels = Path("ranking.csv").read_bytes()
    scorer("rank", "--n", 2, "--labels", "labels.csv", "--images-out", "plain.csv")
    assert Path("ranking.csv").read_bytes() == pixels
    plain = rows("plain.csv")
    assert list(plain) == list(explained)
    scores = [float(row["score"]) for row in plain.values()]
    assert scores == sorted(scores, reverse=True)
    columns = ["image", "rank", "score", "height", "width"]
    assert [list(row) for row in plain.values()] == [columns] * (NOISY + 1)
    for name, row in plain.items():
        assert row == {column: explained[name][column] for column in columns}


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_every_format_tells_the_same(suffix: str, home: Path) -> None:
    why()
    why(out=f"images{suffix}")
    if suffix == ".jsonl":
        found = [json.loads(line) for line in Path("images.jsonl").read_text().splitlines()]
    else:
        found = pq.read_table("images.parquet").to_pylist()
    expected = list(rows().values())
    assert [row["why"] for row in found] == [row["why"] for row in expected]
    assert list(found[0]) == list(expected[0])
    assert [row["unlike"] is None for row in found] == [row["unlike"] == "" for row in expected]


def test_parts_keep_what_tasks_have_seen(home: Path) -> None:
    why()
    whole = Path("images.csv").read_bytes()
    usual = ("--n", 2, "--uncertain", 128, "--labels", "labels.csv", "--why", "--out", "parts")
    for task in ("list", "0/2", "1/2"):
        assert scorer("rank", *usual, "--shard", 4, "--task", task).exit_code == 0
    result = why("--out", "parts", "--shard", 4)
    assert f"{NOISY + 1} of the images were ranked by an earlier run" in result.stderr
    assert Path("images.csv").read_bytes() == whole
    table = pq.read_table("parts", columns=["image", "palette"]).to_pylist()
    kept = [row for row in table if row["palette"] is not None]
    assert len(table) == 2 * (NOISY + 1)
    assert len(kept) == NOISY + 1, "in the first row of an image alone"
    (red,) = (row["palette"] for row in kept if row["image"] == "red.png")
    assert red == palette.of(load(Path("images/red.png"), (8, 12)))


def test_parts_without_reasons_are_what_they_were_and_do_not_hold_for_reasons(
    home: Path, tiny: Graph
) -> None:
    usual = ("rank", "--graph", tiny("bald"), "--n", 2, "--out", "parts")
    scorer(*usual)
    assert not {"mean", "classes", "palette"} & set(pq.read_table("parts").column_names)
    result = scorer(*usual, "--why", "--images-out", "images.csv")
    assert "1 parts are of other options: scored again" in result.stderr
    assert all(row["why"] for row in rows().values())


def test_a_person_is_told_at_once(home: Path) -> None:
    result = why("--report", "report.html")
    assert "the first whole images, and why:" in result.stderr
    first, *_ = rows().values()
    assert f"  {first['image']}: {first['why']}" in result.stderr
    page = Path("report.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') == NOISY + 1
    assert page.count("uncertain on ") == NOISY + 1
    assert page.count("; unlike the labelled images") == 1


def test_too_few_labelled_images_are_said(home: Path) -> None:
    lines = Path("labels.csv").read_text().splitlines()
    Path("labels.csv").write_text("\n".join([*lines[:10], ""]))
    result = why()
    assert "9 images have labels (--labels), and 10 are needed" in result.stderr
    assert {row["unlike"] for row in rows().values()} == {""}


def test_without_a_zero_level_the_mean_is_told(home: Path, tiny: Graph) -> None:
    result = scorer("rank", "--graph", tiny("bald"), "--n", 2, "--images-out", "i.csv", "--why")
    assert result.exit_code == 0, result.stderr
    found = rows("i.csv")
    means = {name: float(row["mean"]) for name, row in found.items()}
    top = max(means, key=lambda name: means[name])
    assert f"more than {100 * NOISY / (NOISY + 1):.2g}% of the images" in found[top]["why"]
    assert {row["uncertain"] for row in found.values()} == {""}


@pytest.mark.parametrize(
    ("graph", "options", "said"),
    [
        ({}, (), "of no effect without a ranking of whole images"),
        ({"has_map": False}, ("--images-out", "i.csv"), "python -m export onnx --map"),
        ({"acquisition": "random"}, ("--images-out", "i.csv"), "chooses pixels at random"),
    ],
)
def test_what_has_no_reasons_says_so(
    graph: dict[str, object], options: tuple[str, ...], said: str, home: Path, tiny: Graph
) -> None:
    result = scorer("rank", "--graph", tiny(**graph), "--n", 2, "--why", *options)
    assert (result.exit_code, said in result.stderr) == (5, True)
    assert not list(home.glob("ranking*"))


def test_an_image_that_is_skipped_has_no_reason(home: Path) -> None:
    photographs.broken(home / "images", "text", "odd")
    result = scorer("rank", "--n", 2, "--images-out", "i.csv", "--why", "--report", "r.html")
    assert result.exit_code == 4
    assert len(rows("i.csv")) == NOISY + 1


def test_an_uncertainty_that_is_no_number_ends_the_run_by_name(home: Path) -> None:
    from scorer.errors import Failure
    from scorer.selection.sight import Sight

    photograph = load(Path("images/red.png"), (8, 12))
    classes = np.zeros((8, 12), np.int32)
    with pytest.raises(Failure, match=r"red\.png: the graph gave an uncertainty"):
        Sight.of("red.png", np.full((8, 12), np.nan, np.float32), classes, photograph, 5)
    with pytest.raises(Failure, match=r"red\.png: the graph predicts a class"):
        Sight.of("red.png", np.zeros((8, 12), np.float32), classes + 5, photograph, 5)
