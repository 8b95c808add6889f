"""No label goes to a wrong pixel or image in silence: it is refused, or it is said."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from scorer.cli import main
from scorer.labels.store import Store, classes_of, reading
from scorer.ranking import table

CLASSES = ("road", "sky", "tree")
SIZE = (48, 36)  # width, height
FORMATS = {".xml": "cvat", ".json": "label-studio", ".csv": "csv", "lm": "labelme", "m": "masks"}
Contents = str | bytes | list[object] | Mapping[str, object]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a label store, where commands are typed."""
    Store(tmp_path / "labels.db", CLASSES).close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pool(*names: str, size: tuple[int, int] = SIZE) -> str:
    for name in names:
        path = Path("images", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(path)
    return "images"


def written(name: str, contents: Contents) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(contents, bytes):
        path.write_bytes(contents)
    else:
        path.write_text(contents if isinstance(contents, str) else json.dumps(contents))
    return name


def labels(*arguments: str) -> Result:
    """The command as typed; an exception that reaches the user is an error of the test."""
    return CliRunner().invoke(main, ["labels", *arguments], catch_exceptions=False)


def take(path: str, *options: str) -> Result:
    kind = next(kind for end, kind in FORMATS.items() if path.endswith(end))
    return labels("import", path, "--format", kind, "--annotator", "ann", *options)


def standing() -> list[tuple[str, int, int, str | None]]:
    with reading(Path("labels.db"), CLASSES) as store:
        return [(*one.pixel, one.class_name) for one in store.standing()]


def refused(result: Result, *words: str) -> None:
    assert result.exit_code == 5, (result.exit_code, result.stderr)
    assert all(word in result.stderr for word in words), result.stderr
    assert standing() == []


def accepted(result: Result, *words: str) -> None:
    assert result.exit_code == 0, result.stderr
    assert all(word in result.stderr for word in words), result.stderr


# ---- what tools write


def cvat(*elements: str, name: str = "a.png", size: tuple[int, int] = SIZE, more: str = "") -> str:
    found = "".join(elements) or '<points label="sky" points="10.5,20.5"/>'
    width, height = size
    return f'<image name="{name}" width="{width}" height="{height}" {more}>{found}</image>'


def document(*images: str) -> str:
    return f"<annotations>{''.join(images)}</annotations>"


def key_point(word: str = "sky", size: tuple[int, int] = SIZE, **more: object) -> dict[str, object]:
    width, height = SIZE
    value = {"x": 10.5 / width * 100, "y": 20.5 / height * 100, "keypointlabels": [word]}
    sizes = {"original_width": size[0], "original_height": size[1]}
    return {"type": "keypointlabels", "value": value, **sizes, **more}


def task(image: object, *results: object, key: str = "image", **more: object) -> dict[str, object]:
    annotation = {"result": list(results or [key_point()]), **more}
    return {"data": {key: image}, "annotations": [annotation], "predictions": [17]}


def labelme(image: str = "a.png", *shapes: object, **more: object) -> dict[str, object]:
    sizes = {"imageWidth": SIZE[0], "imageHeight": SIZE[1]}
    return {"version": "5.4.1", "imagePath": image, "shapes": shapes or [shape()], **sizes, **more}


def shape(kind: str = "point", *points: list[float]) -> dict[str, object]:
    return {"label": "sky", "points": points or [[10.5, 20.5]], "shape_type": kind}


def without(values: dict[str, object], *names: str) -> dict[str, object]:
    return {key: value for key, value in values.items() if key not in names}


SKY = ("a.png", 20, 10, "sky")

# ---- sizes

HALF = (24, 18)
WRONG_SIZES: dict[str, Contents] = {
    "l.xml": document(cvat('<points label="sky" points="5,9"/>', size=HALF)),
    "l.json": [task("a.png", key_point(size=HALF))],
    "lm/a.json": labelme("a.png", shape("point", [5.0, 9.0]), imageWidth=24, imageHeight=18),
    "l.csv": "image,row,col,label,height,width\na.png,9,5,sky,18,24\n",
    "turned.json": [task("a.png", key_point(size=(36, 48)))],
    "larger.xml": document(cvat(size=(480, 360))),
}


@pytest.mark.parametrize("name", WRONG_SIZES)
@pytest.mark.parametrize("known", ["pool", "ranking"])
def test_labels_of_another_size_are_refused(name: str, known: str, home: Path) -> None:
    written(name, WRONG_SIZES[name])
    options = ["--ranking", ranking()] if known == "ranking" else ["--pool", pool("a.png")]
    result = take("lm" if name.startswith("lm") else name, *options)
    refused(result, "a.png is ", f"in the file of labels and 36x48 in the {known}")


def ranking(image: str = "a.png") -> str:
    row = {
        "image": image, "row": 1, "col": 2, "rank": 1, "score": 0.5, "predicted": "sky",
        "height": 36, "width": 48, "grid_height": 36, "grid_width": 48,
    }  # fmt: skip
    table.write(Path("ranking.csv"), [row])
    return "ranking.csv"


def test_a_mask_of_another_size_is_refused(home: Path) -> None:
    pool("a.png")
    Path("m").mkdir()
    mask = Image.new("L", HALF, 255)
    mask.putpixel((5, 9), 1)
    mask.save("m/a.png")
    refused(take("m"), "a.png is 18x24 in the file of labels and 36x48 in the pool")


def test_the_store_is_asked_about_sizes_too(home: Path) -> None:
    pool("a.png")
    accepted(take(written("l.xml", document(cvat()))))
    pool("a.png", size=(96, 72))
    result = take(written("m.xml", document(cvat(size=(96, 72)))))
    assert result.exit_code == 5
    assert "a.png is 72x96 in the file of labels and 36x48 in the label store" in result.stderr
    assert "scorer labels retract --image a.png" in result.stderr


# ---- names

FOUND: dict[str, tuple[Contents, tuple[str, ...], str]] = {
    "below a folder of the tool": (document(cvat(name="images/a.png")), ("a.png",), "a.png"),
    "below the folder of the pool's parent": (
        document(cvat(name="data/set/north/x.png")), ("north/x.png", "south/x.png"), "north/x.png",
    ),
    "Windows": (document(cvat(name="set\\north\\x.png")), ("north/x.png",), "north/x.png"),
    "a name alone": (document(cvat(name="x.png")), ("north/x.png", "y.png"), "north/x.png"),
    "a folder above the pool's": (
        document(cvat(name="north/x.png")), ("a/north/x.png", "a/south/x.png"), "a/north/x.png",
    ),
    "letters as macOS writes them": (
        document(cvat(name="cafe\u0301/x.png")), ("caf\u00e9/x.png",), "caf\u00e9/x.png",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FOUND)
def test_an_image_is_found_where_its_folders_fit(case: str, home: Path) -> None:
    contents, names, image = FOUND[case]
    pool(*names)
    result = take(written("l.xml", contents))
    accepted(result, "1 images were found under other names")
    assert standing() == [(image, 20, 10, "sky")]


def test_a_subset_of_cvat_may_be_a_folder(home: Path) -> None:
    pool("north/x.png", "south/x.png")
    image = cvat(name="x.png", more='subset="south"'), cvat(name="x.png", more='subset="north"')
    accepted(take(written("l.xml", document(*image))))
    assert [one[0] for one in standing()] == ["south/x.png", "north/x.png"]


UNKNOWN: dict[str, tuple[str, str, Contents]] = {
    "another folder of Label Studio": (
        "l.json", "pool/south/x.png", [task("/data/local-files/?d=pool/south/x.png")],
    ),
    "another folder of CVAT": ("l.xml", "south/x.png", document(cvat(name="south/x.png"))),
    "another folder of labelme": ("lm/south/x.json", "south/x.png", labelme("x.png")),
    "another folder of a CSV": (
        "l.csv", "south/x.png", "image,row,col,label\nsouth/x.png,1,2,sky\n"
    ),
    "nobody knows it": ("l.xml", "job_12/nowhere.png", document(cvat(name="job_12/nowhere.png"))),
    "nobody knows it, with sizes": (
        "l.csv", "zz.png", "image,row,col,label,height,width\nzz.png,1,2,sky,36,48\n",
    ),
    "only the end of a name": ("l.xml", "orth/x.png", document(cvat(name="orth/x.png"))),
}  # fmt: skip


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_unknown_image_is_refused(case: str, home: Path) -> None:
    path, name, contents = UNKNOWN[case]
    pool("north/x.png", "a.png")
    written(path, contents)
    refused(take("lm" if path.startswith("lm") else path), f"no known image is named {name}")


FLAT = {
    "label-studio": ("l.json", lambda path: [task(f"/data/local-files/?d={path}")]),
    "cvat": ("l.xml", lambda path: document(cvat(name=path))),
    "labelme": ("lm/l.json", labelme),
    "csv": ("l.csv", lambda path: f"image,row,col,label\n{path},1,2,sky\n"),
}


@pytest.mark.parametrize("kind", FLAT)
def test_a_folder_that_a_flat_pool_does_not_have_is_said_or_refused(kind: str, home: Path) -> None:
    """Its own name is right, a name that nobody knows is printed, and one beside it is another."""
    name, contents = FLAT[kind]
    pool("x.png")

    def takes(path: str) -> Result:
        written(name, contents(path))
        return take(name.split("/")[0] if kind == "labelme" else name, "--pool", "images")

    Path("south").mkdir()
    Image.new("RGB", SIZE).save("south/x.png")
    refused(takes("south/x.png"), "south/x.png")
    accepted(takes("north/x.png"), "north/x.png")
    accepted(takes("images/x.png"))
    assert [one[0] for one in standing()] == ["x.png"]


def test_a_ranking_alone_does_not_say_of_which_folder_an_image_is(home: Path) -> None:
    ranking("a.png")
    labels = written("l.csv", "image,row,col,label\nsouth/a.png,1,2,sky\n")
    for folder in ("north", "south"):
        Path(folder).mkdir()
        Image.new("RGB", SIZE).save(f"{folder}/a.png")
    refused(take(labels, "--ranking", "ranking.csv"), "any of the folders north, south")
    Path("south/a.png").unlink()
    accepted(take(labels, "--ranking", "ranking.csv"), "south/a.png")


def test_labels_come_before_any_graph(home: Path) -> None:
    Path("labels.db").unlink()
    path = written("l.csv", "image,row,col,label\na.png,1,2,sky\n")
    images = pool("a.png")
    result = take(path, "--pool", images)
    assert result.exit_code == 5
    assert "nothing says what the classes are" in result.stderr
    assert "scorer labels import FILE --classes sky,road" in result.stderr
    accepted(take(path, "--pool", images, "--classes", "road,sky"))
    assert classes_of(Path("labels.db")) == ("road", "sky")
    with reading(Path("labels.db"), ("road", "sky")) as store:
        assert [one.class_name for one in store.standing()] == ["sky"]


def test_labels_come_in_the_classes_of_the_dataset(home: Path) -> None:
    Path("labels.db").unlink()
    path = written("l.csv", "image,row,col,label\na.png,1,2,sky\n")
    for text in ("[train]\n", "[classes]\nnames = 3\n", "classes = 3\n", "[classes\n"):
        Path("dataset.toml").write_text(text)
        assert "no dataset.toml names them" in take(path, "--pool", pool("a.png")).stderr
    Path("dataset.toml").write_text('[classes]\nnames = ["road", "sky"]\n')
    accepted(take(path, "--pool", pool("a.png")))
    assert classes_of(Path("labels.db")) == ("road", "sky")


def test_without_any_images_nothing_is_taken(home: Path) -> None:
    refused(take(written("l.xml", document(cvat()))), "nothing says which images there are")


SAME_NAMES: dict[str, tuple[str, Contents]] = {
    "two subsets of CVAT": (
        "l.xml",
        document(cvat(more='subset="Train"'), cvat(more='subset="Test"')),
    ),
    "two tasks of CVAT": ("l.xml", document(cvat(more='task_id="7"'), cvat(more='task_id="8"'))),
    "two folders": ("l.xml", document(cvat(name="north/a.png"), cvat(name="south/a.png"))),
    "two uploads": (
        "l.json", [task("/data/upload/1/1a2b3c4d-a.png"), task("/data/upload/1/99999999-a.png")],
    ),
    "two folders of a CSV": (
        "l.csv", "image,row,col,label\nnorth/a.png,1,2,sky\nsouth/a.png,3,4,sky\n",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME_NAMES)
def test_two_images_of_one_name_do_not_become_one(case: str, home: Path) -> None:
    pool("a.png")
    refused(take(written(*SAME_NAMES[case])), " and ", "would both be a.png")


def test_the_same_image_in_two_tasks_of_label_studio_is_one(home: Path) -> None:
    pool("a.png")
    address = "https://host/pool/a.png?token="
    accepted(take(written("l.json", [task(address + "1"), task(address + "2")])))
    assert standing() == [SKY]


# ---- Label Studio

ADDRESSES = [
    "/data/local-files/?d=images\\sub\\b.png", "/data/local-files/?d=images/sub/b.png",
    "https://studio.example.com/data/local-files/?d=images%2Fsub%2Fb.png",
    "https://host/view/sub/b.png?d=640", "https://bucket.s3.amazonaws.com/pool/sub/b.png?X=a&d=1",
    "s3://bucket/pool/sub/b.png", "C:\\images\\sub\\b.png", "/data/upload/3/0a1b2c3d-b.png",
    "upload/0a1b2c3d-b.png", "0a1b2c3d-b.png", ["/data/upload/3/0a1b2c3d-b.png"],
]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES, ids=range(len(ADDRESSES)))
@pytest.mark.parametrize("key", ["image", "img", "photo"])
def test_addresses_of_label_studio(address: object, key: str, home: Path) -> None:
    pool("sub/b.png", "a.png")
    accepted(take(written("l.json", [task(address, key=key)])))
    assert standing() == [("sub/b.png", 20, 10, "sky")]


@pytest.mark.parametrize(
    ("name", "upload"),
    [("up load (1).png", "up_load_1.png"), ("b&w+c.png", "bwc.png"), ("größe.png", "größe.png")],
)
def test_names_that_label_studio_changed_are_found(name: str, upload: str, home: Path) -> None:
    pool(name, "a.png")
    accepted(take(written("l.json", [task(f"/data/upload/1/1a2b3c4d-{upload}")])))
    assert standing() == [(name, 20, 10, "sky")]


def test_an_upload_that_may_be_two_images_is_refused(home: Path) -> None:
    pool("a b.png", "a_b.png")
    result = take(written("l.json", [task("/data/upload/1/1a2b3c4d-a_b.png")]))
    refused(result, "could be a b.png or a_b.png")


def test_a_task_with_two_known_keys_is_refused(home: Path) -> None:
    pool("a.png", "b.png")
    one = {**task("a.png"), "data": {"left": "a.png", "right": "b.png"}}
    refused(take(written("l.json", [one])), "which of the keys left, right of data is the image?")
    one = {**task("a.png"), "data": {"img": "z.png", "text": "hello"}}
    refused(take(written("m.json", [one])), "data has no known image, only img, text")


def test_points_of_several_images_say_which(home: Path) -> None:
    pool("a.png", "b.png")
    both = ["a.png", "b.png"]
    accepted(take(written("l.json", [task(both, key_point(item_index=1))])))
    assert standing() == [("b.png", 20, 10, "sky")]
    result = take(written("m.json", [task(both, key_point())]))
    assert (result.exit_code, "does not say of which" in result.stderr) == (5, True)


# ---- different answers


def said(word: str, time: str | None) -> dict[str, object]:
    return {"result": [key_point(word)], **({"updated_at": time} if time else {})}


def disputed(*answers: tuple[str, str | None]) -> list[object]:
    return [task("a.png") | {"annotations": [said(*one) for one in answers]}]


EARLY, LATE, LATER = "2026-01-02T10:00:00Z", "2026-01-02T10:00:00.5Z", "2026-01-02T12:30:00+01:00"


def test_different_answers_are_refused_or_resolved_by_a_rule(home: Path) -> None:
    pool("a.png")
    written("l.json", disputed(("tree", LATER), ("sky", EARLY), ("road", LATE), ("sky", EARLY)))
    refused(take("l.json"), "1 pixels have different answers: a.png row 20, col 10 is sky (2x), r")
    accepted(take("l.json", "--on-conflict", "newest"), "1 pixels had different answers")
    assert standing() == [("a.png", 20, 10, "tree")]
    accepted(take("l.json", "--on-conflict", "majority"), "1 of the new answers replace")
    assert standing() == [SKY]


def test_a_rule_that_does_not_decide_is_said(home: Path) -> None:
    pool("a.png")
    tied = written("l.json", disputed(("tree", EARLY), ("sky", LATE)))
    refused(take(tied, "--on-conflict", "majority"), "which majority does not decide")
    timeless = written("m.json", disputed(("tree", EARLY), ("sky", None)))
    refused(take(timeless, "--on-conflict", "newest"), "which newest does not decide")
    for name, word in (("ann", "sky"), ("bob", "road")):
        written(f"lm/{name}/a.json", labelme("../a.png", {**shape(), "label": word}))
    refused(take("lm", "--on-conflict", "newest"), "which newest does not decide", "sky, road")


def test_the_last_line_of_a_csv_is_the_newest(home: Path) -> None:
    pool("a.png")
    lines = (
        "image,row,col,label\na.png,20,10,tree\na.png,20,10,\na.png,20,10,road\na.png,20,10,sky\n"
    )
    refused(take(written("l.csv", lines)), "row 20, col 10 is tree, road, sky")
    accepted(take("l.csv", "--on-conflict", "newest"))
    assert standing() == [SKY]


def test_of_several_files_none_is_the_newest(home: Path) -> None:
    pool("a.png")
    for name, word in (("a", "tree"), ("b", "sky")):
        written(f"csvs/{name}.csv", f"image,row,col,label\na.png,20,10,{word}\n")
    words = ("import", "csvs", "--format", "csv", "--annotator", "ann", "--on-conflict")
    refused(labels(*words, "newest"), "which newest does not decide", "tree, sky")


# ---- what is passed over

NOTHING: dict[str, tuple[str, Contents, str]] = {
    "tags": ("l.xml", document(cvat('<tag label="sky"/><tag label="sky"/>')), "2 tag"),
    "areas": (
        "l.xml", document(cvat('<polygon points="1,1;5,5"/><box/><mask/><box/>')),
        "2 box, 1 mask, 1 polygon",
    ),
    "brush": (
        "l.json", [task("a.png", {"type": "brushlabels", "value": {"rle": [0]}})], "1 brushlabels",
    ),
    "cancelled": ("l.json", [task("a.png", was_cancelled=True)], "1 cancelled annotation"),
    "polygons": ("lm/a.json", labelme("a.png", shape("polygon", [1, 1], [2, 2])), "1 polygon"),
    "labelme 3": (
        "lm/a.json", labelme("a.png", without(shape("", [1, 1], [2, 2]), "shape_type")),
        "1 polygon",
    ),
    "foreign": ("lm/coco.json", {"images": []}, "labelme did not write (coco.json)"),
    "no tasks": ("l.json", [], "holds no labelled pixel"),
    "no image": ("l.xml", document(), "holds no labelled pixel"),
    "only a header": ("l.csv", "image,row,col,label\n", "holds no labelled pixel"),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTHING)
def test_a_file_without_points_is_an_error_that_counts_what_it_has(case: str, home: Path) -> None:
    pool("a.png")
    path, contents, counted = NOTHING[case]
    written(path, contents)
    refused(take("lm" if path.startswith("lm") else path), "holds no labelled pixel", counted)


def test_an_empty_mask_is_an_error(home: Path) -> None:
    pool("a.png")
    Path("m").mkdir()
    Image.new("L", SIZE, 255).save("m/a.png")
    refused(take("m"), "holds no labelled pixel")


def test_what_is_beside_points_is_counted(home: Path) -> None:
    pool("a.png")
    points = '<points label="sky" points="10.5,20.5"/><polyline points="1,1;2,2"/><cuboid/>'
    accepted(take(written("l.xml", document(cvat(points)))), "passed over: 1 cuboid, 1 polyline")
    written("lm/a.json", labelme("a.png", shape(), shape("circle", [1, 1], [2, 2])))
    written("lm/annotations.json", {"images": [], "annotations": []})
    result = take("lm")
    accepted(result, "1 JSON file that labelme did not write (annotations.json)", "1 circle")


def test_points_of_a_skeleton_are_points(home: Path) -> None:
    pool("a.png")
    skeleton = (
        '<skeleton label="s"><points label="sky" outside="0" points="10.5,20.5"/>'
        '<points label="unlabeled" points="3,4"><attribute name="class">tree</attribute></points>'
        '<points label="sky" outside="1" points="1,1"/></skeleton>'
    )
    accepted(
        take(written("l.xml", document(cvat(skeleton)))),
        "1 point of a skeleton that lies outside",
    )
    assert standing() == [SKY, ("a.png", 4, 3, "tree")]


# ---- labelme

LABELME: dict[str, dict[str, object]] = {
    "saved by Windows": labelme("..\\images\\a.png"),
    "saved elsewhere": labelme("../images/a.png"),
    "saved on another disk": labelme("D:\\photos\\images\\a.png"),
    "an absolute path": labelme("/home/ann/images/a.png"),
    "without sizes": without(labelme(), "imageHeight", "imageWidth"),
    "empty sizes": labelme("a.png", imageHeight=None, imageWidth=None),
    "labelme 3": labelme("a.png", without(shape(), "shape_type")),
    "an empty type": labelme("a.png", {**shape(), "shape_type": None}),
}


@pytest.mark.parametrize("case", LABELME)
def test_labelme_of_other_systems_and_ages(case: str, home: Path) -> None:
    pool("a.png", "b.png")
    written("lm/a.json", LABELME[case])
    accepted(take("lm"))
    assert standing() == [SKY]


# ---- spreadsheets

SHEETS: dict[str, str | bytes] = {
    "semicolons": "image;row;col;label\na.png;20;10;sky\n",
    "tabs": "image\trow\tcol\tlabel\na.png\t20\t10\tsky\n",
    "Excel's first line": "sep=,\r\nimage,row,col,label\r\na.png,20,10,sky\r\n",
    "Excel's first line, semicolons": '\ufeff"sep=;"\nimage;row;col;label\na.png;20;10;sky\n',
    "Excel's Unicode text": "image\trow\tcol\tlabel\r\na.png\t20\t10\tsky\r\n".encode("utf-16"),
    "pandas": ",image,row,col,label\n0,a.png,20.0,10.0,sky\n",
    "pandas, an index of a class": "image,row,col,label\na.png,20.0,10.0,1.0\n",
    "a header in capitals": "Image, Row ,COL,Label\na.png,20,10,sky\n",
    "rows that are left empty": "image;row;col;label;;\na.png;20;10;sky;;\n;;;;;\n",
}


@pytest.mark.parametrize("case", SHEETS)
def test_csvs_of_spreadsheets(case: str, home: Path) -> None:
    pool("a.png")
    accepted(take(written("l.csv", SHEETS[case])))
    assert standing() == [SKY]


BAD_SHEETS = {
    'image;row;col;label\na.png;"20,0";10;sky\n': "row is '20,0', with a decimal comma",
    "image;row;col;label\na.png;20,0;10;sky\n": "row is '20,0', with a decimal comma",
    "image,row,col,label\na.png,1.000,10,sky\n": "row is '1.000'",
    "image,row,col,label\na.png,20.5,10,sky\n": "row is '20.5'",
    "image,row,col,label\na.png,2e1,10,sky\n": "row is '2e1'",
    "sep=;\nimage;row;col;label\na.png;20;10\n": "line 3 has 3 fields, the header 4",
    "image;row;col;label\na.png;20;10;sky;1\n": "line 2 has 5 fields, the header 4",
    "image,row,col,label\na.png,20,10,1.5\n": "unknown label '1.5'",
    "Image,image,row,col,label\na.png,b.png,20,10,sky\n": "two columns are named image",
}


@pytest.mark.parametrize("text", BAD_SHEETS, ids=range(len(BAD_SHEETS)))
def test_csvs_that_could_mean_something_else_are_refused(text: str, home: Path) -> None:
    pool("a.png")
    refused(take(written("l.csv", text)), BAD_SHEETS[text])


# ---- exports


def test_an_image_whose_name_no_file_can_hold_is_left_out_alone(home: Path) -> None:
    row = {
        "image": "a.png", "row": 1, "col": 2, "rank": 1, "score": 0.5, "predicted": "sky",
        "height": 36, "width": 48, "grid_height": 36, "grid_width": 48,
    }  # fmt: skip
    table.write(
        Path("ranking.csv"), [row, row | {"image": "b\\c.png"}, row | {"image": "d\x01.png"}]
    )
    result = labels(
        "export", "--ranking", "ranking.csv", "--labels", "labels.db", "--format", "cvat",
        "--out", "x.xml",
    )  # fmt: skip
    assert result.exit_code == 4
    assert "1 pixels of 1 images in x.xml" in result.stderr
    assert r"left out: 'b\\c.png'" in result.stderr
    assert r"left out: 'd\x01.png'" in result.stderr
    accepted(take(written("l.xml", document(cvat())), "--ranking", "ranking.csv"))


def test_tasks_sort_by_what_they_are_worth(home: Path) -> None:
    row = {
        "row": 1, "col": 2, "rank": 1, "predicted": "sky", "height": 36, "width": 48,
        "grid_height": 36, "grid_width": 48,
    }  # fmt: skip
    scores = {"a.png": -0.5, "b.png": 1764.6, "c.png": -0.5, "d.png": -3.0}
    table.write(Path("r.csv"), [row | {"image": k, "score": s} for k, s in scores.items()])
    labels(
        "export", "--ranking", "r.csv", "--labels", "labels.db", "--format", "label-studio",
        "--out", "t.json",
    )  # fmt: skip
    tasks = json.loads(Path("t.json").read_text())
    found = {one["data"]["name"]: one["predictions"][0]["score"] for one in tasks}
    assert found == {"b.png": 1.0, "a.png": 0.75, "c.png": 0.75, "d.png": 0.25}


def test_answers_that_an_export_leaves_out_are_said(home: Path, tiny: Callable[..., Path]) -> None:
    said = "the answers in labels.db are not in it; with them: --labels labels.db"
    export = ("export", "--ranking", ranking(), "--format", "csv", "--graph", str(tiny(top_k=5)))
    accepted(labels(*export, "--out", "x.csv"), said)
    result = labels(*export, "--out", "y.csv", "--labels", "labels.db")
    assert said not in result.stderr
