"""Labels go to annotation tools and come back as they were, or are refused by name."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from scorer.cli import main
from scorer.errors import BadInput, BadLabels
from scorer.exchange import convert, cvat, intake, label_studio, masks
from scorer.exchange.catalogue import Catalogue, Sizes
from scorer.exchange.convert import FORMATS
from scorer.exchange.intake import Imported, LabelFile
from scorer.exchange.point import MAX_SIDE, Point
from scorer.exchange.reading import Reading
from scorer.labels.answer import Answer
from scorer.labels.conflict import settle
from scorer.labels.store import Store, classes_of
from scorer.pools import Index, named
from scorer.ranking import table

CLASSES = ("sky", "road & <kerb>", 'véhicule, "grand"', " car")
OUT = {
    "cvat": "out.xml", "label-studio": "out.json", "labelme": "out", "masks": "out", "csv": "o.csv",
}  # fmt: skip


def point(row: int = 3, col: int = 4, **changes: object) -> Point:
    values: dict[str, object] = {
        "image": "street/a.jpg", "row": row, "col": col, "height": 20, "width": 30,
        "answer": "label", "class_name": "sky",
    }  # fmt: skip
    return Point(**values | changes)  # type: ignore[arg-type]


QUERY: dict[str, object] = {"answer": None, "class_name": None}


def known(*points: Point, pool: Index | None = None) -> Catalogue:
    sizes = {one.image: Sizes(one.height, one.width) for one in points}
    return Catalogue(CLASSES, sizes, pool)


def said(points: Iterable[Point]) -> set[tuple[object, ...]]:
    """All that an annotation tool can keep of points."""
    return {(*one.pixel, one.height, one.width, one.word) for one in points}


def read(path: Path, kind: str, what: Catalogue) -> list[Point]:
    return intake._read(path, FORMATS[kind], Reading(what))[0]


def take(path: Path, kind: str, into: Path, annotator: str = "ann", **options: object) -> Imported:
    who = LabelFile(path=path, format=kind, annotator=annotator, round=2)
    if not options:
        options["queries"] = into.with_name("asked.jsonl")
        table.write(options["queries"], ROWS)  # type: ignore[arg-type]
    return intake.take(who, into, CLASSES, **options)  # type: ignore[arg-type]


def standing(path: Path) -> list[Answer]:
    store = Store(path, classes_of(path))
    try:
        return list(store.standing())
    finally:
        store.close()


# ---- there and back

LETTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=":/\\￾￿")
PART = st.text(LETTERS, min_size=1, max_size=6).filter(lambda part: part.strip("."))


@st.composite
def _points(draw: st.DrawFn) -> list[Point]:
    parts = draw(st.lists(st.lists(PART, min_size=1, max_size=3), min_size=1, max_size=3))
    points = {}
    for number, path in enumerate(parts):
        image = "/".join([*path[:-1], f"{number}{path[-1]}.jpg"])
        height, width = draw(st.integers(1, 300)), draw(st.integers(1, 300))
        for _ in range(draw(st.integers(1, 4))):
            word = draw(st.sampled_from([*CLASSES, "unsure", "skip", None]))
            one = Point(
                image=image,
                row=draw(st.integers(0, height - 1)),
                col=draw(st.integers(0, width - 1)),
                height=height,
                width=width,
                answer="label" if word in CLASSES else word,
                class_name=word if word in CLASSES else None,
            )
            points[one.pixel] = one
    return sorted(points.values(), key=lambda one: one.pixel)


@pytest.mark.parametrize("kind", ["cvat", "label-studio", "labelme", "csv"])
@settings(deadline=None, max_examples=25)
@given(points=_points())
def test_every_point_comes_back_as_it_was(kind: str, points: list[Point]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / OUT[kind]
        convert.write(path, points, CLASSES, kind)
        assert said(read(path, kind, Catalogue(CLASSES, {}))) == said(points)


@settings(deadline=None, max_examples=25)
@given(points=_points())
def test_masks_bring_back_every_label(points: list[Point]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        convert.write(path, points, CLASSES, "masks")
        labelled = [one for one in points if one.answer == "label"]
        assert said(read(path, "masks", known(*points))) == said(labelled)
        for one in points:
            with Image.open(path / masks.mask_name(one.image)) as mask:
                value = CLASSES.index(one.class_name) if one.class_name else 255
                assert mask.getpixel((one.col, one.row)) == value
                assert (mask.size, mask.mode) == ((one.width, one.height), "L")


@settings(deadline=None, max_examples=300)
@given(st.integers(1, MAX_SIDE).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
@example((0, 1))
@example((MAX_SIDE - 1, MAX_SIDE))
def test_per_cent_are_exact(case: tuple[int, int]) -> None:
    place, side = case
    percent = json.loads(json.dumps(label_studio.to_percent(place, side)))
    assert 0 < percent < 100
    assert label_studio.from_percent(percent, side) == place


def test_per_cent_are_exact_in_every_column_of_awkward_widths() -> None:
    for side in (1, 3, 7, 49, 641, 1919, 99_991):
        there = [label_studio.to_percent(place, side) for place in range(side)]
        assert [label_studio.from_percent(one, side) for one in there] == list(range(side))


def test_a_csv_keeps_ranks_scores_and_grids(tmp_path: Path) -> None:
    points = [point(grid_height=8, grid_width=12, rank=3, score=-0.25), point(5, **QUERY)]
    convert.write(tmp_path / "p.csv", points, CLASSES, "csv")
    assert read(tmp_path / "p.csv", "csv", known()) == points


# ---- what the tools themselves write

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <task>
      <id>7</id><name>round 1</name><size>2</size><mode>annotation</mode><overlap>0</overlap>
      <bugtracker></bugtracker><created>2026-01-02 10:00:00.1+00:00</created><subset></subset>
      <labels><label><name>unlabeled</name><color>#fa3253</color><type>points</type>
        <attributes><attribute><name>class</name><mutable>False</mutable>
          <input_type>select</input_type><default_value>unlabeled</default_value>
          <values>unlabeled
sky</values></attribute></attributes></label></labels>
      <segments><segment><id>1</id><start>0</start><stop>1</stop><url>http://x/1</url></segment>
      </segments><owner><username>ann</username><email></email></owner><assignee></assignee>
    </task>
    <dumped>2026-01-02 11:00:00.2+00:00</dumped>
  </meta>
  <image id="0" name="street/a.jpg" subset="Train" task_id="7" width="30" height="20">
    <points label="unlabeled" source="manual" occluded="0" points="4.49,3.99;30.00,0.00"
      z_order="0">
      <attribute name="note">sky</attribute>
      <attribute name="class"> car</attribute>
    </points>
    <points label="sky" source="file" occluded="1" points="0.00,19.50" z_order="2" group_id="1">
    </points>
    <points label="unlabeled" source="file" occluded="0" points="7.50,8.50" z_order="0">
      <attribute name="class">unlabeled</attribute>
    </points>
    <points label="unlabeled" source="file" occluded="0" points="9.50,8.50" z_order="0">
      <attribute name="class">skip</attribute>
    </points>
    <box label="sky" source="manual" occluded="0" xtl="1" ytl="1" xbr="2" ybr="2" z_order="0">
      <attribute name="class">sky</attribute>
    </box>
  </image>
  <image id="1" name="street/b.jpg" subset="Train" task_id="7" width="30" height="20">
  </image>
</annotations>
"""


def test_cvats_own_export_is_read(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(CVAT)
    assert said(read(tmp_path, "cvat", known())) == said(
        [
            point(3, 4, class_name=" car"),
            point(0, 29, class_name=" car"),
            point(19, 0),
            point(8, 7, **QUERY),
            point(8, 9, answer="skip", class_name=None),
        ]
    )


def keypoint(x: float, y: float, *words: str, **more: object) -> dict[str, object]:
    return {
        "original_width": 30, "original_height": 20, "image_rotation": 0,
        "value": {"x": x, "y": y, "width": 0.375, "keypointlabels": list(words)},
        "id": "hqudA4A3U4", "from_name": "pixel", "to_name": "image", "type": "keypointlabels",
        "origin": "manual",
    } | more  # fmt: skip


def task(image: str, *results: object, **more: object) -> dict[str, object]:
    annotation = {
        "id": 1001, "completed_by": 1, "result": list(results), "was_cancelled": False,
        "ground_truth": False, "created_at": "2026-01-02T10:00:00.1Z", "draft_created_at": None,
        "updated_at": "2026-01-02T10:00:00.1Z", "lead_time": 4.2, "prediction": {},
        "result_count": 1, "unique_id": "f0", "task": 1, "project": 8, "updated_by": 1,
    }  # fmt: skip
    return {
        "id": 1, "annotations": [annotation], "file_upload": "1a2b3c4d-a.jpg", "drafts": [],
        "predictions": [], "data": {"image": image}, "meta": {}, "inner_id": 1, "project": 8,
        "total_annotations": 1, "cancelled_annotations": 0, "total_predictions": 0,
    } | more  # fmt: skip


def write_json(path: Path, contents: object) -> Path:
    path.write_text(json.dumps(contents))
    return path


@pytest.mark.parametrize(
    "image",
    [
        "street/a.jpg", "/data/upload/1/1a2b3c4d-a.jpg", "https://example.com/x/street/a.jpg?t=1",
        "/data/local-files/?d=pool/street/a.jpg", "/data/local-files/?d=street%2Fa.jpg",
    ],
)  # fmt: skip
def test_label_studios_own_export_is_read(image: str, tmp_path: Path) -> None:
    rectangle = keypoint(1.0, 1.0) | {"type": "rectanglelabels"}
    waiting = {"model_version": "balentacq", "result": [keypoint(25.0, 50.0, "unlabeled")]}
    other = {"model_version": "sam", "result": [keypoint(35.0, 50.0, "sky")]}
    cancelled = {"result": [keypoint(2.0, 2.0, "sky")], "was_cancelled": True}
    one = task(image, keypoint(14.98, 19.99, " car"), keypoint(100.0, 0.0, "unsure"), rectangle)
    one["predictions"] = [waiting, other]
    one["annotations"].append(cancelled)  # type: ignore[attr-defined]
    path = write_json(tmp_path / "p.json", [one])
    assert said(read(path, "label-studio", known(point(image="street/b.jpg"), point()))) == said(
        [
            point(3, 4, class_name=" car"),
            point(0, 29, answer="unsure", class_name=None),
            point(10, 7, **QUERY),
        ]
    )


def test_our_addresses_are_below_a_folder_that_label_studio_serves(tmp_path: Path) -> None:
    convert.write(tmp_path / "t.json", [point(image="a b/ü&.jpg")], CLASSES, "label-studio")
    (task,) = json.loads((tmp_path / "t.json").read_text())
    assert task["data"]["image"] == "/data/local-files/?d=images/a%20b/%C3%BC%26.jpg"
    del task["data"]["name"]
    path = write_json(tmp_path / "t.json", [task])
    (back,) = read(path, "label-studio", known(point(image="a b/ü&.jpg"), point(image="ü&.jpg")))
    assert back.image == "a b/ü&.jpg"


def test_our_name_counts_more_than_the_address(tmp_path: Path) -> None:
    data = {"image": "/data/upload/1/1a2b3c4d-x.jpg", "name": "street/a.jpg"}
    path = write_json(tmp_path / "p.json", [task("", keypoint(14.98, 19.99, "sky"), data=data)])
    for what in (known(point()), known()):
        assert said(read(path, "label-studio", what)) == said([point()])


def test_a_size_that_label_studio_left_out_is_looked_up(tmp_path: Path) -> None:
    bare = keypoint(14.98, 19.99, "sky")
    del bare["original_width"], bare["original_height"]
    path = write_json(tmp_path / "p.json", [task("street/a.jpg", bare)])
    assert said(read(path, "label-studio", known(point()))) == said([point()])


def labelme_file(**changes: object) -> dict[str, object]:
    shape = {
        "label": "sky", "points": [[4.984, 3.2]], "group_id": None, "description": "",
        "shape_type": "point", "flags": {}, "mask": None,
    }  # fmt: skip
    polygon = shape | {"shape_type": "polygon", "points": [[1.0, 1.0], [2.0, 2.0], [1.0, 3.0]]}
    return {
        "version": "5.5.0", "flags": {}, "shapes": [shape, polygon], "imagePath": "a.jpg",
        "imageData": "aGVsbG8=", "imageHeight": 20, "imageWidth": 30,
    } | changes  # fmt: skip


def test_labelmes_own_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "street").mkdir()
    write_json(tmp_path / "street" / "a.json", labelme_file())
    assert said(read(tmp_path, "labelme", known())) == said([point()])


def test_palette_masks_are_read_by_index(tmp_path: Path) -> None:
    mask = Image.new("P", (30, 20), 255)
    mask.putpalette(bytes(range(256)) * 3)
    mask.putpixel((4, 3), 1)
    (tmp_path / "street").mkdir()
    mask.save(tmp_path / "street" / "a.png")
    assert said(read(tmp_path, "masks", known(point()))) == said([point(class_name=CLASSES[1])])


def test_a_plain_csv_takes_its_sizes_from_the_pool(tmp_path: Path) -> None:
    (tmp_path / "street").mkdir()
    Image.new("RGB", (30, 20)).save(tmp_path / "street" / "a.jpg")
    pool = named(tmp_path, ("street/a.jpg",))
    path = tmp_path / "l.csv"
    path.write_text("image,row,col,label\n./street/a.jpg,3,4,0\nstreet/a.jpg,4,4,\n")
    points = read(path, "csv", known(pool=pool))
    assert said(points) == said([point(), point(4, **QUERY)])
    with pytest.raises(BadLabels, match=r"l\.csv line 2: the size of street/a\.jpg is not known"):
        read(path, "csv", known())


# ---- what is refused


def cvat_with(points: str = 'label="sky" points="4.5,3.5"', image: str = "", text: str = "") -> str:
    image = image or 'name="a.jpg" width="30" height="20"'
    return f"<annotations><image {image}><points {points}>{text}</points></image></annotations>"


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
ATTRIBUTE = '<attribute name="class">{}</attribute>'
BROKEN_CVAT = {
    "": "no element found",
    "<annotations>": "no element found",
    "<other/>": "not <annotations>",
    BOMB + cvat_with(): "declares a DOCTYPE or an entity",
    '<!DOCTYPE a SYSTEM "file:///etc/passwd">' + cvat_with(): "declares a DOCTYPE or an entity",
    "<annotations><track/></annotations>": "of a video",
    cvat_with('label="tree" points="4,3"'): "line 1, image a.jpg: there is no class 'tree'",
    cvat_with(text=ATTRIBUTE.format("tree")): "tree",
    cvat_with(text=ATTRIBUTE.format(" car")): "car and sky",
    cvat_with('label="sky"'): "not as CVAT writes it",
    cvat_with('label="sky" points="4"'): "not as CVAT writes it",
    cvat_with('label="sky" points="nan,3"'): "nan is not on a side",
    cvat_with('label="sky" points="inf,3"'): "inf is not on a side",
    cvat_with('label="sky" points="-0.1,3"'): "-0.1 is not on a side",
    cvat_with('label="sky" points="3,20.1"'): "20.1 is not on a side",
    cvat_with(image='name="a.jpg" width="30"'): "not as CVAT writes it",
    cvat_with(image='name="a.jpg" width="30" height="0"'): "is not on a side of 0",
    cvat_with(image='name="a.jpg" width="30" height="999999"'): "side of 999999",
    cvat_with(image='name="../a.jpg" width="30" height="20"'): "not a name of an image",
}


@pytest.mark.parametrize("text", BROKEN_CVAT, ids=range(len(BROKEN_CVAT)))
def test_broken_cvat_files_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "annotations.xml"
    path.write_text(text)
    with pytest.raises(BadLabels, match=r"annotations\.xml") as refused:
        read(path, "cvat", known())
    assert BROKEN_CVAT[text] in str(refused.value)


BROKEN_TASKS: list[tuple[object, str]] = [
    ({}, "not a list of tasks"),
    ([7], "task 1: not as Label Studio writes it"),
    ([{"image": "a.jpg", "label": []}], "task 1: not as Label Studio writes it: KeyError('data')"),
    (
        [task("street/z.jpg", keypoint(1.0, 1.0, "sky"))],
        "task 1: no known image is named street/z.jpg",
    ),
    (
        [task("", keypoint(1.0, 1.0, "sky"), data={"image": "x", "name": "../../etc"})],
        "no known image is named x",
    ),
    ([task("street/a.jpg", keypoint(1.0, 1.0, "tree"))], "there is no class 'tree'"),
    ([task("street/a.jpg", keypoint(1.0, 1.0, "sky", " car"))], "2 labels"),
    ([task("street/a.jpg", keypoint(100.1, 1.0, "sky"))], "not on a side of 30"),
    ([task("street/a.jpg", keypoint(-1.0, 1.0, "sky"))], "not on a side of 30"),
    ([task("street/a.jpg", keypoint(1.0, 1.0, "sky", image_rotation=90))], "was turned"),
    ([task("street/a.jpg", keypoint(1.0, 1.0, "sky", original_width="30"))], "TypeError"),
    ([task("street/a.jpg", keypoint(1.0, 1.0, "sky", original_width=30.0))], "30.0"),
    ([task("street/a.jpg", keypoint(1.0, 1.0, "sky", value={}))], "KeyError"),
    ([task("street/a.jpg", 7)], "task 1: not as Label Studio writes it"),
]


@pytest.mark.parametrize(("tasks", "message"), BROKEN_TASKS, ids=range(len(BROKEN_TASKS)))
def test_broken_tasks_are_refused(tasks: object, message: str, tmp_path: Path) -> None:
    path = write_json(tmp_path / "p.json", tasks)
    with pytest.raises(BadLabels, match=r"p\.json") as refused:
        read(path, "label-studio", known(point()))
    assert message in str(refused.value)


@pytest.mark.parametrize("kind", ["label-studio", "labelme"])
@pytest.mark.parametrize("text", ["", "[", "[NaN]", "[" * 100_000, '"\\x"', "\x80"])
def test_what_is_no_json_is_refused(kind: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadLabels, match=r"p\.json cannot be read as JSON"):
        read(path, kind, known())


BROKEN_LABELME: list[tuple[dict[str, object], str]] = [
    ({"imagePath": "../a.jpg"}, "not a name of an image"),
    ({"imagePath": "/etc/a.jpg"}, "not a name of an image"),
    ({"imagePath": "C:\\x\\a.jpg"}, "not a name of an image"),
    ({"imagePath": ""}, "not a name of an image"),
    ({"imagePath": None}, "not as labelme writes it"),
    ({"imageHeight": None}, "the size of a.jpg is not known"),
    ({"imageHeight": 3}, "3.2 is not on a side of 3"),
    ({"shapes": 7}, "not as labelme writes it"),
    ({"shapes": [{"shape_type": "point", "label": "sky", "points": []}]}, "not as labelme"),
    ({"shapes": [{"shape_type": "point", "label": "tree", "points": [[1, 1]]}]}, "class 'tree'"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN_LABELME, ids=range(len(BROKEN_LABELME)))
def test_broken_labelme_files_are_refused(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    path = write_json(tmp_path / "a.json", labelme_file(**changes))
    with pytest.raises(BadLabels, match=r"a\.json: ") as refused:
        read(path, "labelme", known())
    assert message in str(refused.value)


def test_broken_masks_are_refused(tmp_path: Path) -> None:
    def refuse(mask: Image.Image | bytes, match: str, name: str = "a.png") -> None:
        path = tmp_path / name
        path.write_bytes(mask) if isinstance(mask, bytes) else mask.save(path, "PNG")
        with pytest.raises(BadLabels, match=match):
            read(path, "masks", known(point(image="a.jpg")))

    refuse(Image.new("L", (101, 100), 0), r"a\.png: 10100 labelled pixels are not clicks")
    refuse(Image.new("L", (3, 2), 4), r"a\.png: the value 4 at row 0, col 0 is no class of 4")
    refuse(Image.new("RGB", (3, 2)), "mode RGB")
    refuse(Image.new("1", (3, 2)), "mode 1")
    refuse(b"no image", r"a\.png: cannot be read")
    refuse(Image.new("L", (3, 2), 255), r"z\.png: no known image is named z\.png", "z.png")
    with pytest.raises(BadLabels, match=r"a\.png could be a\.jpeg or a\.jpg"):
        read(tmp_path / "a.png", "masks", known(point(image="a.jpg"), point(image="a.jpeg")))


BROKEN_CSV = {
    "image,row,label\na,1,sky\n": r"c\.csv: no column named col",
    "image,row,col,label,height,width\na,9,4,sky,5,5\n": r"c\.csv line 2: row 9, col 4 is not in a",
    "image,row,col,label,height,width\na,1,4,tree,5,5\n": r"c\.csv line 2: unknown label 'tree'",
    "image,row,col,label,height,width\na,1,4,sky,x,5\n": r"c\.csv line 2: height is 'x'",
    "image,row,col,label,height,width\n../a,1,4,sky,5,5\n": r"line 2: '\.\./a' is not a name",
    "image,row,col,label,height,width\n,1,4,sky,5,5\n": r"line 2: '' is not a name",
    "image,row,col,label,answer,height,width\na,1,4,sky,skip,5,5\n": "line 2: skip and sky at once",
    "image,row,col,label,answer,height,width\na,1,4,sky,maybe,5,5\n": "line 2: 'maybe'",
    "image,row,col,label,answer,height,width\na,1,4,,label,5,5\n": "the answer is label, and label",
    "image,row,col,label,score,height,width\na,1,4,,x,5,5\n": "line 2: score is 'x'",
    "image,row,col,label\na,1,\n": r"c\.csv line 2 has 3 fields, the header 4",
    'image,row,col,label\n"a': r"c\.csv cannot be read",
    "\xff": r"c\.csv cannot be read",
}


@pytest.mark.parametrize("text", BROKEN_CSV, ids=range(len(BROKEN_CSV)))
def test_broken_csvs_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadLabels, match=BROKEN_CSV[text]):
        read(tmp_path / "c.csv", "csv", known())


@pytest.mark.parametrize(
    "name",
    ["../a.jpg", "x/../a.jpg", "/a.jpg", "C:/a.jpg", "x\\a.jpg", "a\0.jpg", "a\n.jpg", "", ".",
     "..", "./a.jpg", "a//b.jpg", "a/", "\udcff.jpg"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(BadLabels, match="not a name of an image"):
        point(image=name)


def test_what_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.xml").write_text(cvat_with())
    write_json(tmp_path / "a.json", [])
    assert (cvat.MAX_BYTES, label_studio.json_file.MAX_BYTES) == (2**30, 2**28)
    monkeypatch.setattr(cvat, "MAX_BYTES", 20)
    monkeypatch.setattr(label_studio.json_file, "MAX_BYTES", 1)
    with pytest.raises(BadLabels, match=r"a\.xml is larger than 1 GiB"):
        read(tmp_path / "a.xml", "cvat", known())
    with pytest.raises(BadLabels, match=r"a\.json is larger than 256 MiB"):
        read(tmp_path / "a.json", "label-studio", known())
    monkeypatch.setattr(masks, "MAX_PIXELS", 5)
    Image.new("L", (3, 2), 255).save(tmp_path / "a.png")
    with pytest.raises(BadLabels, match=r"a\.png: a PNG of 2x3"):
        read(tmp_path / "a.png", "masks", known(point(image="a.jpg")))
    with pytest.raises(BadLabels, match="too large"):
        convert.write(tmp_path / "m", [point()], CLASSES, "masks")


def test_exports_that_would_lose_something_are_refused(tmp_path: Path) -> None:
    twins = [point(image="a.jpg"), point(image="a.png")]
    for kind in ("masks", "labelme"):
        with pytest.raises(BadLabels, match=r"a\.jpg and a\.png would both be written to a\."):
            convert.write(tmp_path / "out", twins, CLASSES, kind)
    with pytest.raises(BadLabels, match="a class named skip"):
        convert.write(tmp_path / "x.xml", [point()], (*CLASSES, "skip"), "cvat")
    with pytest.raises(BadLabels, match="cannot be written in XML"):
        convert.write(tmp_path / "x.xml", [point(image="￿.jpg")], CLASSES, "cvat")
    with pytest.raises(BadLabels, match="256 classes do not fit"):
        convert.write(tmp_path / "m", [point()], [str(i) for i in range(256)], "masks")
    with pytest.raises(BadLabels, match="is a folder"):
        convert.write(tmp_path, [point()], CLASSES, "cvat")
    assert list(tmp_path.iterdir()) == [], "nothing was begun"
    convert.write(tmp_path / "lm", [point()], CLASSES, "labelme")
    with pytest.raises(BadLabels, match=r"street/a\.json is there already"):
        convert.write(tmp_path / "lm", [point(5)], CLASSES, "labelme")
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    with pytest.raises(BadLabels, match=r"a\.png is there already"):
        convert.write(tmp_path, [point(image="a.png")], CLASSES, "masks")
    convert.write(tmp_path / "x.xml", [point()], CLASSES, "cvat")
    with pytest.raises(BadLabels, match=r"x\.xml is there already"):
        convert.write(tmp_path / "x.xml", [point(5)], CLASSES, "cvat")
    with pytest.raises(BadLabels, match="is a file"):
        convert.write(tmp_path / "lm" / "street" / "a.json", [point()], CLASSES, "masks")


# ---- the store and the ranking

ROW = {
    "image": "street/a.jpg", "row": 3, "col": 4, "rank": 1, "score": -0.5, "predicted": "sky",
    "height": 20, "width": 30, "grid_height": 8, "grid_width": 12,
}  # fmt: skip
ROWS = [ROW, ROW | {"row": 9, "rank": 2}, ROW | {"image": "b.jpg", "score": -0.7}]


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    table.write(tmp_path / "ranking.csv", ROWS)
    return tmp_path / "ranking.csv"


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_is_taken_once(kind: str, tmp_path: Path, queries: Path) -> None:
    path, into = tmp_path / OUT[kind], tmp_path / "labels.db"
    answered = [point(), point(9, class_name=" car")]
    convert.write(path, [*answered, point(image="b.jpg", **QUERY)], CLASSES, kind)
    waiting = 0 if kind == "masks" else 1
    assert take(path, kind, into, queries=queries) == Imported(2, 0, waiting)
    assert take(path, kind, into, queries=queries) == Imported(0, 2, waiting)
    assert [(one.row, one.class_name) for one in standing(into)] == [(3, "sky"), (9, " car")]
    for one in standing(into):
        assert (one.annotator, one.round, one.grid_height, one.grid_width) == ("ann", 2, 8, 12)
    assert take(path, kind, tmp_path / "other.db", pool=pool_of(tmp_path)).new == 2
    grids = {(one.grid_height, one.grid_width) for one in standing(tmp_path / "other.db")}
    assert grids == {(20, 30)}, "without a ranking, the image's own"


def pool_of(folder: Path) -> Index:
    """Of the two images of ROWS, at their sizes."""
    for name in ("street/a.jpg", "b.jpg"):
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (30, 20)).save(path)
    return named(folder / "images", ("street/a.jpg", "b.jpg"))


def test_a_file_from_before_does_not_overrule_a_later_one(tmp_path: Path) -> None:
    into = tmp_path / "labels.db"
    for name, word in (("old.csv", "sky"), ("new.csv", " car")):
        convert.write(tmp_path / name, [point(class_name=word)], CLASSES, "csv")
        assert take(tmp_path / name, "csv", into).new == 1
    assert take(tmp_path / "old.csv", "csv", into) == Imported(0, 1, 0)
    assert [one.class_name for one in standing(into)] == [" car"]
    convert.write(tmp_path / "third.csv", [point(), point(5)], CLASSES, "csv")
    assert take(tmp_path / "third.csv", "csv", into).new == 2, "said again, it counts again"
    assert [one.class_name for one in standing(into)] == ["sky", "sky"]
    (tmp_path / "third.csv").write_text((tmp_path / "third.csv").read_text() + "\n")
    assert take(tmp_path / "third.csv", "csv", into) == Imported(0, 2, 0), "what stands is not new"
    convert.write(tmp_path / "other.csv", [point(class_name=" car")], CLASSES, "csv")
    taken = take(tmp_path / "other.csv", "csv", into, annotator="bob")
    assert (taken.new, taken.overruled) == (1, {"ann": 1})


def test_nothing_is_taken_of_a_folder_with_a_broken_file(tmp_path: Path) -> None:
    convert.write(tmp_path / "lm", [point(), point(image="b.jpg")], CLASSES, "labelme")
    (tmp_path / "lm" / "street" / "z.json").write_text("{")
    with pytest.raises(BadLabels, match=r"z\.json"):
        take(tmp_path / "lm", "labelme", tmp_path / "labels.db")
    assert not (tmp_path / "labels.db").exists()
    with pytest.raises(BadInput, match=r"holds no \.xml files"):
        take(tmp_path / "lm", "cvat", tmp_path / "labels.db")


def test_contradictions_are_refused(tmp_path: Path, queries: Path) -> None:
    into = tmp_path / "labels.db"
    convert.write(tmp_path / "two.csv", [point(), point(class_name=" car")], CLASSES, "csv")
    with pytest.raises(
        BadLabels, match=r"two\.csv: 1 pixels have .*: street/a\.jpg row 3, col 4 is sky,  car"
    ):
        take(tmp_path / "two.csv", "csv", into)
    convert.write(tmp_path / "size.csv", [point(width=31)], CLASSES, "csv")
    with pytest.raises(
        BadLabels, match=r"size\.csv: street/a\.jpg is 20x31 in the file of labels and 20x30 in the"
    ):
        take(tmp_path / "size.csv", "csv", into, queries=queries)
    assert not into.exists()


def test_an_answer_counts_more_than_the_query(tmp_path: Path) -> None:
    for order in ((point(**QUERY), point()), (point(), point(**QUERY))):
        assert settle(order).kept == [point()]


def test_what_was_asked_and_answered_is_gathered(tmp_path: Path, queries: Path) -> None:
    convert.write(tmp_path / "l.csv", [point(9), point(1, 1)], CLASSES, "csv")
    take(tmp_path / "l.csv", "csv", tmp_path / "labels.db")
    plain = tmp_path / "plain.csv"
    plain.write_text("image,row,col,label\nstreet/a.jpg,9,4,sky\nstreet/a.jpg,1,1,sky\n")
    for path in (tmp_path / "labels.db", plain):
        points = convert.gather(CLASSES, labels=path, queries=queries).points
        assert [(one.image, one.row, one.rank, one.word) for one in points] == [
            ("b.jpg", 3, 1, "unlabeled"),
            ("street/a.jpg", 3, 1, "unlabeled"),
            ("street/a.jpg", 9, 2, "sky"),
            ("street/a.jpg", 1, None, "sky"),
        ]
    assert points[2].score == -0.5, "an answer keeps what is known of its query"
    only = convert.gather(CLASSES, labels=tmp_path / "labels.db", queries=None).points
    assert [one.word for one in only] == ["sky", "sky"]


@pytest.mark.parametrize(
    "rows",
    [[ROW | {"label": "sky"}], [ROW | {"row": 20}], [ROW | {"image": "../a"}], [{"image": "a"}],
     [ROW, ROW | {"height": 21}], ["text"], [ROW | {"rank": "1"}]],
    ids=range(7),
)  # fmt: skip
def test_a_broken_ranking_is_refused(rows: list[object], tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if rows == [ROW | {"label": "sky"}]:
        path = tmp_path / "r.csv"
        path.write_text(",".join(rows[0]) + "\n" + ",".join(map(str, rows[0].values())) + "\n")  # type: ignore[arg-type,attr-defined]
    with pytest.raises(BadLabels, match=r"r\.|20x30 and 21x30"):
        convert.gather(CLASSES, labels=None, queries=path)


def test_a_store_says_its_classes(tmp_path: Path) -> None:
    Store(tmp_path / "labels.db", CLASSES).close()
    assert classes_of(tmp_path / "labels.db") == CLASSES
    (tmp_path / "text.db").write_text("no database at all" * 100)
    with pytest.raises(BadLabels, match="not a label store"):
        classes_of(tmp_path / "text.db")
    (tmp_path / "empty.db").touch()
    with pytest.raises(BadLabels, match="not of labels"):
        classes_of(tmp_path / "empty.db")
    with pytest.raises(BadLabels, match="does not exist"):
        classes_of(tmp_path / "none.db")


# ---- the commands


def scorer(*arguments: object) -> Result:
    """The command as typed; an exception that reaches the user is an error of the test."""
    result = CliRunner().invoke(main, ["labels", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def home(tmp_path: Path, queries: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", FORMATS)
def test_the_commands_take_a_round_there_and_back(
    kind: str, home: Path, tiny: Callable[..., Path]
) -> None:
    (home / "scorer.onnx").write_bytes(tiny(top_k=5).read_bytes())
    (home / "clicks.csv").write_text("image,row,col,label,answer\nb.jpg,3,4,road,\n")
    taken = scorer(
        "import", "clicks.csv", "--format", "csv", "--annotator", "ann",
        "--ranking", "ranking.csv",
    )  # fmt: skip
    assert taken.exit_code == 0, taken.stderr
    assert "1 new answers in labels.db" in taken.stderr
    (home / "scorer.onnx").unlink()  # from here on, the store knows the classes
    place = ("--format", kind, "--out", OUT[kind])
    sent = scorer("export", "--labels", "labels.db", "--ranking", "ranking.csv", *place)
    assert sent.exit_code == 0, sent.stderr
    assert f"3 pixels of 2 images in {OUT[kind]}, 1 answered" in sent.stderr
    back = scorer(
        "import", OUT[kind], "--format", kind, "--annotator", "bob", "--round", 4,
        "--ranking", "ranking.csv",
    )  # fmt: skip
    assert back.exit_code == 0, back.stderr
    assert "0 new answers in labels.db\n1 were in the store already" in back.stderr
    assert ("2 pixels are not labelled yet" in back.stderr) == (kind != "masks")
    (one,) = standing(home / "labels.db")
    assert (one.annotator, one.round, one.class_name) == ("ann", 1, "road"), "whose answer it was"


def test_only_what_is_unlabelled_is_sent(home: Path) -> None:
    Store(home / "labels.db", CLASSES).close()
    convert.write(
        home / "l.csv", [point(), point(9, answer="skip", class_name=None)], CLASSES, "csv"
    )
    take(home / "l.csv", "csv", home / "labels.db")
    everything = ("export", "--labels", "labels.db", "--ranking", "ranking.csv", "--format")
    sent = scorer(*everything, "cvat", "--only", "unlabelled", "--out", "x.xml")
    assert "1 pixels of 1 images in x.xml, 0 answered" in sent.stderr
    assert said(read(home / "x.xml", "cvat", known())) == said([point(image="b.jpg", **QUERY)])
    sent = scorer(*everything, "masks", "--out", "masks")
    assert "1 of them are unsure or skip, which a mask cannot express" in sent.stderr
    wanted = json.loads((home / "x.labels.json").read_text())
    assert wanted == cvat.specification(CLASSES)
    assert wanted[0]["attributes"][0]["values"] == ["unlabeled", *CLASSES, "unsure", "skip"]


def test_the_commands_say_what_is_missing(home: Path, tiny: Callable[..., Path]) -> None:
    (home / "tiny.onnx").write_bytes(tiny(top_k=5).read_bytes())
    result = scorer("export", "--format", "csv", "--out", "x.csv")
    assert (result.exit_code, "give --labels, --ranking or both" in result.stderr) == (2, True)
    result = scorer("export", "--ranking", "ranking.csv", "--format", "csv", "--out", "x.csv")
    assert (result.exit_code, "scorer.onnx does not exist" in result.stderr) == (5, True)
    Store(home / "labels.db", CLASSES).close()
    result = scorer("export", "--labels", "labels.db", "--format", "csv", "--out", "x.csv")
    assert (result.exit_code, "there are no such pixels" in result.stderr) == (5, True)
    result = scorer(
        "export", "--labels", "none.db", "--ranking", "ranking.csv", "--graph", "tiny.onnx",
        "--format", "csv", "--out", "x.csv",
    )  # fmt: skip
    assert (result.exit_code, "none.db does not exist" in result.stderr) == (5, True)
    assert not (home / "none.db").exists()
    result = scorer(
        "export", "--labels", "labels.db", "--ranking", "ranking.csv",
        "--format", "csv", "--out", "./ranking.csv",
    )  # fmt: skip
    assert (result.exit_code, "would overwrite a file that it is made from" in result.stderr) == (
        5,
        True,
    )
    (home / "c.xml").write_text(cvat_with('label="tree" points="4,3"'))
    result = scorer("import", "c.xml", "--format", "cvat", "--annotator", "ann")
    assert (result.exit_code, "nothing says which images there are" in result.stderr) == (5, True)
    result = scorer(
        "import", "c.xml", "--format", "cvat", "--annotator", "ann", "--ranking", "ranking.csv"
    )
    assert result.exit_code == 5
    assert "c.xml line 1, image a.jpg: there is no class 'tree'" in result.stderr
    result = scorer("import", "c.xml", "--format", "cvat", "--annotator", "a", "--labels", "l.csv")
    assert (result.exit_code, "l.csv is no .db" in result.stderr) == (5, True)


def test_other_grids_and_ranks_do_not_make_two_of_a_pixel() -> None:
    one = point(rank=1, grid_height=8, grid_width=12)
    assert settle([one, replace(one, rank=None)]).kept == [one]


def test_masks_of_numbers_stay_numbers(tmp_path: Path) -> None:
    convert.write(tmp_path, [point(class_name=" car")], CLASSES, "masks")
    with Image.open(tmp_path / "street" / "a.png") as mask:
        values, counts = np.unique(np.asarray(mask), return_counts=True)
    assert dict(zip(values.tolist(), counts.tolist(), strict=True)) == {3: 1, 255: 599}
