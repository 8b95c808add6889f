"""Masks go to annotation tools as drafts and come back as they were, or are refused by name."""

import base64
import json
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from scipy import ndimage

from scorer.errors import BadLabels
from scorer.exchange.catalogue import Catalogue, Sizes
from scorer.exchange.drafts import corrected
from scorer.exchange.drafts.drafting import Manner, drawn, least_area
from scorer.exchange.drafts.formats import FORMATS

CLASSES = ("sky", "road & <kerb>", 'véhicule, "grand"')
IMAGE = "street/a.jpg"
OUT = {"cvat": "out.xml", "label-studio": "out.json", "labelme": "out", "coco": "out.json"}
MASKS = arrays.arrays(
    np.uint8,
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    elements=st.sampled_from([0, 1, 2, 255]),
).filter(lambda mask: bool((mask != 255).any()))
EXACT = {"min_area": 1, "tolerance": 0.0}


def known(mask: np.ndarray, image: str = IMAGE) -> Catalogue:
    return Catalogue(CLASSES, {image: Sizes(*mask.shape)})


def submitted(path: Path) -> None:
    """As Label Studio exports a task whose prediction was opened and submitted as it is."""
    tasks = json.loads(path.read_text())
    for task in tasks:
        result = [one | {"origin": "prediction"} for one in task.pop("predictions")[0]["result"]]
        task["annotations"] = [{"result": result, "was_cancelled": False}]
    path.write_text(json.dumps(tasks))


def write(folder: Path, kind: str, mask: np.ndarray, **how: object) -> Path:
    picture, _ = drawn(IMAGE, mask, None, CLASSES, Manner(**how))  # type: ignore[arg-type]
    path = folder / OUT[kind]
    FORMATS[kind].write(path, [picture], CLASSES)
    if kind == "label-studio":
        submitted(path)
    return path


def there_and_back(kind: str, mask: np.ndarray, **how: object) -> np.ndarray:
    with TemporaryDirectory() as name:
        path, masks = write(Path(name), kind, mask, **how), Path(name) / "masks"
        corrected.take(path, kind, masks, known(mask))
        file = masks / "street" / "a.png"
        if not file.exists():
            return np.full(mask.shape, 255, np.uint8)
        with Image.open(file) as found:
            assert found.mode == "P"
            return np.asarray(found)


@pytest.mark.parametrize("kind", FORMATS)
@settings(deadline=None, max_examples=15)
@given(mask=MASKS, shapes=st.sampled_from(["masks", "polygons"]))
def test_every_pixel_comes_back_as_it_was(kind: str, mask: np.ndarray, shapes: str) -> None:
    assert (there_and_back(kind, mask, shapes=shapes, **EXACT) == mask).all()


@st.composite
def _scenes(draw: st.DrawFn) -> np.ndarray:
    """Blobs, holes among them."""
    mask = np.full((40, 50), draw(st.sampled_from([0, 1, 255])), np.uint8)
    rows, cols = np.indices(mask.shape)
    for _ in range(draw(st.integers(1, 6))):
        y, x = draw(st.integers(0, 40)), draw(st.integers(0, 50))
        radius = draw(st.integers(2, 18))
        mask[(rows - y) ** 2 + (cols - x) ** 2 < radius**2] = draw(st.sampled_from([0, 1, 2, 255]))
    return mask


@pytest.mark.parametrize("kind", FORMATS)
@settings(deadline=None, max_examples=10)
@given(
    mask=_scenes().filter(lambda mask: bool((mask != 255).any())),
    tolerance=st.sampled_from([0.5, 1.0, 3.0]),
)
def test_polygons_come_back_within_the_tolerance(
    kind: str, mask: np.ndarray, tolerance: float
) -> None:
    back = there_and_back(kind, mask, shapes="polygons", min_area=1, tolerance=tolerance)
    for value in np.unique(mask):
        # From a pixel to the nearest of another class: half a pixel more than to their border.
        away = ndimage.distance_transform_edt(np.pad(mask == value, 1, mode="edge"))[1:-1, 1:-1]
        changed = (back != mask) & (mask == value)
        assert not changed.any() or away[changed].max() <= tolerance + np.sqrt(0.5)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A class around another with a hole that is not known; and how sure each pixel is."""
    mask = np.zeros((20, 30), np.uint8)
    mask[3:17, 4:26], mask[8:12, 10:20] = 1, 255
    confidence = np.full((20, 30), 250, np.uint8)
    confidence[3:17, 4:26] = 102
    return mask, confidence


def marked(kind: str, path: Path) -> dict[str, bool]:
    """What each region in a file of a tool says: its label, and whether to look at it."""
    if kind == "cvat":
        lines = path.read_text().splitlines()
        found = [line for line in lines if "label=" in line or 'name="review"' in line]
        labels = [line.split('label="')[1].split('"')[0] for line in found[::2]]
        return dict(zip(labels, ["true" in line for line in found[1::2]], strict=True))
    if kind == "labelme":
        shapes = json.loads((path / "street" / "a.json").read_text())["shapes"]
        return {one["label"]: one["flags"]["review"] for one in shapes}
    contents = json.loads(path.read_text())
    if kind == "coco":
        names = {one["id"]: one["name"] for one in contents["categories"]}
        return {
            names[one["category_id"]]: one["attributes"]["review"]
            for one in contents["annotations"]
        }
    results = contents[0]["predictions"][0]["result"]
    return {
        one["value"][one["type"]][0]: one.get("meta") == {"text": ["review"]} for one in results
    }


@pytest.mark.parametrize("shapes", ["masks", "polygons"])
@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_uncertain_is_marked_for_review(kind: str, shapes: str, tmp_path: Path) -> None:
    mask, confidence = scene()
    picture, islands = drawn(IMAGE, mask, confidence, CLASSES, Manner(shapes=shapes))
    path = tmp_path / OUT[kind]
    FORMATS[kind].write(path, [picture], CLASSES)
    assert islands == 0
    expected = {"sky": False, "road & <kerb>": True, "unlabeled": True}
    if kind == "cvat":
        expected = {
            name.replace("& <", "&amp; &lt;").replace(">", "&gt;"): one
            for name, one in expected.items()
        }
    assert marked(kind, path) == expected


def test_the_score_is_the_mean_confidence() -> None:
    mask, confidence = scene()
    picture, _ = drawn(IMAGE, mask, confidence, CLASSES, Manner())
    scores = {one.word: one.score for one in picture.regions}
    assert scores["road & <kerb>"] == pytest.approx(0.4)
    assert scores["sky"] == pytest.approx(250 / 255)
    assert picture.score == pytest.approx(confidence.mean() / 255)
    without, _ = drawn(IMAGE, mask, None, CLASSES, Manner())
    assert without.score is None
    sure, _ = drawn(IMAGE, mask, confidence, CLASSES, Manner(review_below=0.4))
    assert [one.word for one in sure.regions if one.review] == ["unlabeled"]


def test_tasks_of_label_studio_carry_a_score_and_how_many_to_look_at(tmp_path: Path) -> None:
    mask, confidence = scene()
    picture, _ = drawn(IMAGE, mask, confidence, CLASSES, Manner())
    FORMATS["label-studio"].write(tmp_path / "t.json", [picture], CLASSES)
    (task,) = json.loads((tmp_path / "t.json").read_text())
    assert task["data"] == {
        "image": "/data/local-files/?d=images/street/a.jpg", "name": IMAGE, "review": 2,
    }  # fmt: skip
    assert task["predictions"][0]["score"] == round(float(confidence.mean()) / 255, 4)


def test_small_islands_go_to_what_is_around_them() -> None:
    mask = np.zeros((100, 200), np.uint8)
    mask[10, 10:12], mask[50:52, 60:62], mask[70, 70] = 1, 2, 255
    picture, islands = drawn(IMAGE, mask, None, CLASSES, Manner())
    assert least_area(100, 200) == 4
    assert islands == 2
    assert sorted((one.word, one.area) for one in picture.regions) == [
        ("sky", 100 * 200 - 4), (CLASSES[2], 4),
    ]  # fmt: skip


def test_a_thin_pole_survives_a_large_tolerance() -> None:
    mask = np.zeros((40, 50), np.uint8)
    mask[5:35, 20:22] = 1
    picture, _ = drawn(IMAGE, mask, None, CLASSES, Manner(shapes="polygons", tolerance=5.0))
    assert {one.word: len(one.rings[0]) for one in picture.regions} == {"sky": 4, CLASSES[1]: 4}
    assert (there_and_back("cvat", mask, shapes="polygons", tolerance=5.0) == mask).all()


# ---- as the tools themselves export: sky everywhere, two pixels of another class that touch at a
# corner and are marked for review, and the first pixel not labelled

EXPECTED = np.array(
    [[255, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]], np.uint8
)
CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><name>sky</name></task></meta>
  <image id="0" name="street/a.jpg" subset="Train" task_id="7" width="6" height="4">
    <mask label="unlabeled" source="manual" occluded="0" rle="0, 1" left="0" top="0" width="1"
      height="1" z_order="3"></mask>
    <polygon label="sky" source="manual" occluded="0" z_order="0"
      points="0.00,0.00;6.00,0.00;6.00,4.00;0.00,4.00">
      <attribute name="review">false</attribute>
    </polygon>
    <mask label="road &amp; &lt;kerb&gt;" source="semi-auto" occluded="0" rle="1, 2, 1" left="1"
      top="1" width="2" height="2" z_order="1"><attribute name="review">true</attribute></mask>
    <box label="sky" source="manual" occluded="0" xtl="1" ytl="1" xbr="2" ybr="2" z_order="9"></box>
  </image>
</annotations>
"""
# Of those two pixels: Label Studio's converter 0.0.59 (mask2rle), pycocotools 2.0.11 (encode).
STROKES = [0, 0, 0, 96, 57, 27, 254, 31, 0, 143, 254, 248, 4, 127, 248, 156, 0]
COUNTS = "6120<"


def region_of_label_studio(
    kind: str, value: dict[str, object], **more: object
) -> dict[str, object]:
    return {
        "original_width": 6, "original_height": 4, "image_rotation": 0, "id": "hqudA4A3U4",
        "type": kind, "value": value, "from_name": kind, "to_name": "image", "origin": "manual",
    } | more  # fmt: skip


def polygon(*corners: tuple[float, float]) -> dict[str, object]:
    return region_of_label_studio(
        "polygonlabels", {"points": corners, "closed": True, "polygonlabels": ["sky"]}
    )


def cvat_file(folder: Path) -> Path:
    (folder / "annotations.xml").write_text(CVAT)
    return folder


def label_studio_file(folder: Path) -> Path:
    strokes = {"format": "rle", "rle": STROKES, "brushlabels": [CLASSES[1]]}
    corners = [[0, 0], [100 / 6, 0], [100 / 6, 25], [0, 25]]
    hidden = {"points": corners, "closed": True, "polygonlabels": ["unlabeled"]}
    results = [
        polygon((0, 0), (100, 0), (100, 100), (0, 100)),
        region_of_label_studio("brushlabels", strokes, meta={"text": ["review"]}),
        region_of_label_studio("polygonlabels", hidden),
        region_of_label_studio("rectanglelabels", {}),
    ]
    cancelled = {"was_cancelled": True, "result": [polygon((0, 0), (100, 0), (100, 100))]}
    task = {
        "id": 1, "data": {"image": "/data/upload/1/1a2b3c4d-a.jpg"}, "predictions": [{"result": 7}],
        "annotations": [{"was_cancelled": False, "result": results}, cancelled],
    }  # fmt: skip
    (folder / "p.json").write_text(json.dumps([task]))
    return folder


def labelme_file(folder: Path) -> Path:
    png = BytesIO()
    Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8)).save(png, "PNG")

    def shape(label: str, kind: str, points: list[list[float]], **more: object) -> object:
        bare = {"group_id": None, "description": "", "flags": {}, "mask": None}
        return {"label": label, "shape_type": kind, "points": points} | bare | more

    shapes = [
        shape("sky", "polygon", [[0, 0], [6.0, 0], [6, 4], [0, 4]]),
        shape(
            CLASSES[1], "mask", [[1.0, 1.0], [2.0, 2.0]], flags={"review": True},
            mask=base64.b64encode(png.getvalue()).decode(),
        ),
        shape("unlabeled", "polygon", [[0, 0], [1, 0], [1, 1], [0, 1]]),
        shape("sky", "rectangle", [[3, 3], [4, 4]]),
    ]  # fmt: skip
    (folder / "street").mkdir()
    contents = {
        "version": "5.5.0", "flags": {}, "shapes": shapes, "imagePath": "a.jpg",
        "imageData": None, "imageHeight": 4, "imageWidth": 6,
    }  # fmt: skip
    (folder / "street" / "a.json").write_text(json.dumps(contents))
    return folder


def coco_file(folder: Path) -> Path:
    def annotation(category: int, segmentation: object, **more: object) -> object:
        bare = {"image_id": 139, "iscrowd": 0, "area": 1.0, "bbox": [0, 0, 1, 1]}
        return {"id": 1, "category_id": category, "segmentation": segmentation} | bare | more

    contents = {
        "images": [{"id": 139, "file_name": "street/a.jpg", "width": 6, "height": 4}],
        "categories": [
            {"id": 90, "name": "sky"}, {"id": 3, "name": CLASSES[1]},
            {"id": 8, "name": "unlabeled"},
        ],
        "annotations": [
            annotation(90, [[0, 0, 3, 0, 3, 4, 0, 4], [3.0, 0, 6, 0, 6, 4, 3, 4]]),
            annotation(3, {"size": [4, 6], "counts": COUNTS}, attributes={"review": True}),
            annotation(8, {"size": [4, 6], "counts": [0, 1, 23]}, iscrowd=1),
            annotation(90, []),
        ],
    }  # fmt: skip
    (folder / "instances.json").write_text(json.dumps(contents))
    return folder


OWN = {
    "cvat": cvat_file,
    "label-studio": label_studio_file,
    "labelme": labelme_file,
    "coco": coco_file,
}
NO_AREA = {
    "cvat": "box",
    "label-studio": "rectanglelabels",
    "labelme": "rectangle",
    "coco": "a box alone",
}


@pytest.mark.parametrize("without_review", [False, True])
@pytest.mark.parametrize("kind", FORMATS)
def test_the_tools_own_export_is_read(kind: str, without_review: bool, tmp_path: Path) -> None:
    path, masks = OWN[kind](tmp_path), tmp_path / "masks"
    done = corrected.take(path, kind, masks, known(EXPECTED), without_review=without_review)
    with Image.open(masks / "street" / "a.png") as found:
        expected = np.where(EXPECTED == 1, 255, EXPECTED) if without_review else EXPECTED
        assert np.asarray(found).tolist() == expected.tolist()
    assert (done.masks, done.review, done.passed_over) == (1, 1, {NO_AREA[kind]: 1})
    assert (done.labelled, done.pixels, done.empty) == (21 if without_review else 23, 24, [])


# ---- what is refused


def changed(kind: str, folder: Path, old: str, new: str) -> Path:
    path = OWN[kind](folder)
    (file,) = (one for one in path.rglob("*") if one.suffix in (".xml", ".json"))
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return path


WRONG = {
    "a class that nobody knows": (
        "cvat", 'label="sky" source', 'label="moon" source', "no class 'moon'",
    ),
    "another size": ("cvat", 'width="6"', 'width="8"', r"4x8 in the tool, and 4x6 in the pool"),
    "an image of no pool": ("cvat", "street/a.jpg", "b.jpg", "no known image is named b.jpg"),
    "a mask that leads out": ("cvat", 'left="1"', 'left="5"', "leads out of the image of 4x6"),
    "run lengths of another mask": (
        "cvat", "1, 2, 1", "1, 2", "run lengths of 3 pixels, expected 4",
    ),
    "two corners": ("cvat", ";6.00,4.00;0.00,4.00", "", "fewer than 3 corners"),
    "no number": ("cvat", "0.00,0.00", "nan,0.00", "no number"),
    "no corner": ("cvat", "0.00,0.00", "0.00", "not as CVAT writes it"),
    "a DOCTYPE": ("cvat", "<annotations>", "<!DOCTYPE x><annotations>", "DOCTYPE"),
    "a video": ("cvat", "<image", "<track></track><image", "tracks"),
    "a file that ends early": ("cvat", "</annotations>", "", "cannot be read"),
    "a turned image": ("label-studio", '"image_rotation": 0', '"image_rotation": 90', "was turned"),
    "strokes that are cut": ("label-studio", "[0, 0, 0, 96,", "[0, 0, 0, 96, 0,", "Label Studio"),
    "two labels": ("label-studio", '["sky"]', '["sky", "sky"]', "2 labels"),
    "another size in Label Studio": (
        "label-studio", '"original_height": 4', '"original_height": 5', "5x6",
    ),
    "a labelme class": ("labelme", '"unlabeled"', '"cat"', "no class 'cat'"),
    "a labelme size": ("labelme", '"imageHeight": 4', '"imageHeight": null', "Nonex6 in the tool"),
    "a mask of another box": ("labelme", "[2.0, 2.0]", "[3.0, 2.0]", "its box is"),
    "a labelme mask that is no PNG": ("labelme", '"mask": "iVBO', '"mask": "AAAA', "no PNG"),
    "a COCO category": ("coco", '"category_id": 8', '"category_id": 4', "no class None"),
    "a COCO size": ("coco", '"height": 4', '"height": 40', "40x6 in the tool"),
    "a COCO image": (
        "coco", '"image_id": 139', '"image_id": 7', "1 annotated images are not listed",
    ),
    "a COCO text": ("coco", COUNTS, COUNTS[:-1], "run lengths of 10 pixels, expected 24"),
    "a COCO without categories": ("coco", '"categories"', '"labels"', "not as COCO has it"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_right_is_refused_and_nothing_written(case: str, tmp_path: Path) -> None:
    kind, old, new, message = WRONG[case]
    path, masks = changed(kind, tmp_path, old, new), tmp_path / "masks"
    with pytest.raises(BadLabels, match=message) as refused:
        corrected.take(path, kind, masks, known(EXPECTED))
    assert str(tmp_path) in str(refused.value)
    assert not list(masks.rglob("*"))


def test_an_image_in_two_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(CVAT)
    (tmp_path / "b.xml").write_text(CVAT)
    with pytest.raises(
        BadLabels, match=r"a\.xml and street/a\.jpg of .*b\.xml would have one mask"
    ):
        corrected.take(tmp_path, "cvat", tmp_path / "masks", known(EXPECTED))
    assert not list((tmp_path / "masks").rglob("*"))


def test_masks_that_are_there_are_never_replaced(tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    (tmp_path / "in").mkdir()
    path = cvat_file(tmp_path / "in")
    corrected.take(path, "cvat", masks, known(EXPECTED))
    before = (masks / "street" / "a.png").read_bytes()
    with pytest.raises(BadLabels, match=r"a\.png is there already"):
        corrected.take(path, "cvat", masks, known(EXPECTED))
    assert [one.name for one in masks.rglob("*")] == ["street", "a.png"]
    assert (masks / "street" / "a.png").read_bytes() == before
