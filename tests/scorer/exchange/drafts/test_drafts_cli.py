"""scorer labels export --draft and import --dense, as they are typed."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from scorer.cli import main
from scorer.exchange.drafts.formats import FORMATS
from scorer.labels.store import Store
from scorer.ranking import mask_table

CLASSES = ("road", "sky", "car")
OUT = {"cvat": "d.xml", "label-studio": "d.json", "labelme": "images", "coco": "d.json"}
MASKS = {"b.png": 0, "street/a.png": 60}  # the left half is a car from this row on


def labels(*arguments: object) -> Result:
    result = CliRunner().invoke(main, ["labels", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def mask(row: int) -> np.ndarray:
    found = np.zeros((80, 100), np.uint8)
    found[:40], found[row:, :50] = 1, 2
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pool of two, their masks and confidences as scorer segment leaves them, and a store."""
    rows = [mask_table.COLUMNS]
    for name, row in MASKS.items():
        for folder, pixels in (
            ("segmented", mask(row)),
            ("sure", np.full((80, 100), 200, np.uint8)),
        ):
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        image = (tmp_path / "images" / name).with_suffix(".jpg")
        image.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (100, 80)).save(image)
        rows.append((name.replace(".png", ".jpg"), name, "80", "100", "", ""))
    rows.append(("c.jpg", "", "", "", "truncated", ""))
    text = "".join(",".join(row) + "\n" for row in rows)
    (tmp_path / "segmented" / mask_table.NAME).write_text(text)
    Store(tmp_path / "labels.db", CLASSES).close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def export(kind: str, *more: object) -> Result:
    where = ("--draft", "segmented", "--labels", "labels.db", "--out", OUT[kind])
    return labels("export", "--format", kind, *where, *more)


def bring_back(path: str, kind: str, *more: object) -> Result:
    where = ("--dense", "--out", "corrected", "--pool", "images")
    return labels("import", path, "--format", kind, *where, *more)


@pytest.mark.parametrize("shapes", ["masks", "polygons"])
@pytest.mark.parametrize("kind", FORMATS)
def test_drafts_go_out_and_come_back(kind: str, shapes: str, home: Path) -> None:
    said = export(kind, "--confidence", "sure", "--shapes", shapes, "--review-below", 0.8)
    assert said.exit_code == 0, said.stderr
    assert f"6 regions of 2 images in {OUT[kind]}" in said.stderr
    assert "6 of them are marked for review" in said.stderr
    assert "1 images have no mask, such as c.jpg" in said.stderr
    if kind == "label-studio":
        tasks = json.loads((home / OUT[kind]).read_text())
        for task in tasks:
            task["annotations"] = task.pop("predictions")
        (home / OUT[kind]).write_text(json.dumps(tasks))
    said = bring_back(OUT[kind], kind)
    assert said.exit_code == 0, said.stderr
    assert "2 masks in corrected, 100% of their pixels labelled" in said.stderr
    assert "6 regions are still marked for review" in said.stderr
    for name, row in MASKS.items():
        with Image.open(home / "corrected" / name) as found:
            assert (np.asarray(found) == mask(row)).all()


def test_an_export_never_replaces_what_is_there(home: Path) -> None:
    (home / "images" / "b.json").write_text("{}")
    said = export("labelme")
    assert said.exit_code == 5
    assert "images/b.json is there already" in said.stderr
    assert not (home / "images" / "street" / "a.json").exists()


def test_masks_of_others_are_named_by_the_pool(home: Path) -> None:
    (home / "segmented" / mask_table.NAME).unlink()
    said = export("coco")
    assert said.exit_code == 5
    assert "segmented has no masks.csv" in said.stderr
    assert "--pool" in said.stderr
    assert export("coco", "--pool", "images").exit_code == 0
    named = [one["file_name"] for one in json.loads((home / "d.json").read_text())["images"]]
    assert named == ["b.jpg", "street/a.jpg"]


def damaged(home: Path, what: str) -> None:
    path = home / "segmented" / "b.png"
    if what == "a class too many":
        Image.fromarray(np.full((80, 100), 3, np.uint8)).save(path)
    elif what == "a colour mask":
        Image.new("RGB", (100, 80)).save(path)
    elif what == "a mask that is gone":
        path.unlink()
    elif what == "a confidence of another size":
        Image.new("L", (100, 81)).save(home / "sure" / "b.png")
    elif what == "a table of something else":
        (home / "segmented" / mask_table.NAME).write_text("image,label\nb.jpg,1\n")
    elif what == "a table that is cut":
        (home / "segmented" / mask_table.NAME).write_text(
            ",".join(mask_table.COLUMNS) + "\nb.jpg,b\n"
        )


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("a class too many", "b.png: the value 3 is no class of 3"),
        ("a colour mask", "a PNG of 80x100, mode RGB"),
        ("a mask that is gone", "b.png: cannot be read"),
        ("a confidence of another size", "sure/b.png: 81x100, and the mask 80x100"),
        ("a table of something else", "masks.csv has not the columns"),
        ("a table that is cut", "masks.csv line 2"),
    ],
)
def test_masks_that_cannot_be_right_are_refused(what: str, said: str, home: Path) -> None:
    damaged(home, what)
    result = export("cvat", "--confidence", "sure")
    assert result.exit_code == 5
    assert said in result.stderr
    assert not (home / "d.xml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("export", "--format", "coco", "--labels", "labels.db", "--out", "x"), "give --draft"),
        (("export", "--format", "csv", "--draft", "segmented", "--out", "x"), "--format is csv"),
        (("export", "--format", "cvat", "--shapes", "masks", "--out", "x"), "without --draft"),
        (
            ("export", "--format", "cvat", "--draft", "segmented", "--ranking", "r", "--out", "x"),
            "neither --ranking nor --only",
        ),
        (("import", "labels.db", "--format", "cvat"), "Missing option '--annotator'"),
        (("import", "labels.db", "--format", "cvat", "--dense", "--out", "x"), "--pool"),
        (("import", "labels.db", "--format", "csv", "--dense", "--out", "x"), "--format is csv"),
        (("import", "labels.db", "--format", "coco", "--annotator", "ann"), "or --dense"),
        (("import", "labels.db", "--format", "cvat", "--annotator", "a", "--out", "x"), "--dense"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(
    arguments: tuple[str, ...], said: str, home: Path
) -> None:
    result = labels(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_a_photograph_that_was_exchanged_is_refused(home: Path) -> None:
    export("cvat")
    Image.new("RGB", (80, 100)).save(home / "images" / "b.jpg")
    result = bring_back("d.xml", "cvat")
    assert result.exit_code == 5
    assert "b.jpg is 80x100 in the tool, and 100x80 in the pool" in result.stderr
    assert not list((home / "corrected").rglob("*"))


def test_predictions_that_nobody_has_submitted_are_no_labels(home: Path) -> None:
    export("label-studio")
    result = bring_back("d.json", "label-studio")
    assert result.exit_code == 5
    assert "nothing is drawn on any of 2 images" in result.stderr
    assert "predictions" in result.stderr
