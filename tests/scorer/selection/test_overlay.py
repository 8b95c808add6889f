"""The pictures show the chosen pixels where they are, at a readable size, inside their folder."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import photographs
import pytest
from PIL import Image

from scorer.images.geometry import Geometry
from scorer.pools import list_pool
from scorer.ranking.job import RankOptions, Run, rank_to_file
from scorer.ranking.shard import Criteria
from scorer.runtimes.cpu import OnnxRuntime
from scorer.selection import overlay
from scorer.selection.result import Pixel, Ranked

Graph = Callable[..., Path]
RING = (255, 0, 255)
GAP = 8


def result(
    height: int, width: int, *places: tuple[int, int], image: str = "a.png", ramp: bool = False
) -> Ranked:
    geometry = Geometry((height, width), (64, 96))
    values = np.zeros(geometry.content, np.float32)
    if ramp:
        values += np.arange(geometry.content[1], dtype=np.float32)
    pixels = tuple(Pixel(*place, rank, 0.5, 0) for rank, place in enumerate(places, start=1))
    return Ranked(image, geometry, pixels, values)


def like(picture: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(np.asarray(picture).astype(int) - colour) <= 20).all(axis=-1)


@pytest.mark.parametrize(
    ("size", "panel"),
    [
        ((480, 640), (480, 640)),
        ((720, 1280), (720, 1280)),
        ((2000, 4000), (640, 1280)),
        ((40, 60), (480, 720)),
        ((1, 5000), (1, 1280)),
        ((5000, 1), (1280, 1)),
        ((1, 1), (480, 480)),
    ],
)
def test_both_panels_have_a_readable_size(size: tuple[int, int], panel: tuple[int, int]) -> None:
    photograph = Image.new("RGB", size[::-1], "grey")
    picture = overlay.draw(result(*size, (0, 0)), photograph, [RING])
    assert picture.mode == "RGB"
    assert picture.size == (2 * panel[1] + GAP, panel[0])


@pytest.mark.parametrize("place", [(20, 30), (40, 15), (70, 100)])
def test_the_ring_is_around_the_pixel_on_both_panels(place: tuple[int, int]) -> None:
    photograph = Image.new("RGB", (120, 80), "black")
    picture = overlay.draw(result(80, 120, place), photograph, [RING])
    width, height = (picture.width - GAP) // 2, picture.height
    expected = (place[0] + 0.5) * height / 80, (place[1] + 0.5) * width / 120
    for offset in (0, width + GAP):
        panel = picture.crop((offset, 0, offset + width, height))
        rows, cols = np.nonzero(like(panel, RING))
        assert len(rows) > 20
        middle = (rows.min() + rows.max()) / 2, (cols.min() + cols.max()) / 2
        assert middle == pytest.approx(expected, abs=1.5)
        assert max(np.ptp(rows), np.ptp(cols)) <= height / 20


def test_a_ring_has_the_colour_of_the_predicted_class() -> None:
    photograph = Image.new("RGB", (640, 480), "black")
    ranked = Ranked(
        "a.png",
        Geometry((480, 640), (48, 64)),
        (Pixel(100, 100, 1, 1.0, 1), Pixel(300, 500, 2, 1.0, 0)),
        np.zeros((48, 64), np.float32),
    )
    picture = overlay.draw(ranked, photograph, [(255, 0, 255), (0, 255, 255)])
    for colour, centre in (((0, 255, 255), (100, 100)), ((255, 0, 255), (300, 500))):
        rows, cols = np.nonzero(like(picture.crop((0, 0, 640, 480)), colour))
        assert np.hypot(rows - centre[0], cols - centre[1]).max() < 20


def test_every_chosen_pixel_has_its_number() -> None:
    photograph = Image.new("RGB", (640, 480), "black")
    none = overlay.draw(result(480, 640), photograph, [RING])
    places = [(100, 100), (100, 400), (300, 100), (300, 400)]
    drawn = overlay.draw(result(480, 640, *places), photograph, [RING])
    for row, col in places:
        beside = (col + 8, row - 30, col + 40, row)
        assert not like(none.crop(beside), (255, 255, 255)).any()
        assert like(drawn.crop(beside), (255, 255, 255)).any()


def test_the_map_lies_beside_the_photograph_and_rises_from_blue_to_yellow() -> None:
    photograph = Image.new("RGB", (640, 480), (10, 200, 30))
    picture = overlay.draw(result(480, 640, ramp=True), photograph, [RING])
    assert like(picture.crop((0, 0, 640, 480)), (10, 200, 30)).all()
    right = np.asarray(picture.crop((640 + GAP, 0, 1280 + GAP, 480))).astype(int)
    assert right[240, 0, 2] > right[240, 0, 0]  # blue beats red at the low end
    assert right[240, -1, 0] > right[240, -1, 2]  # and red beats blue at the high end
    lightness = right[240].sum(axis=1)
    assert (np.diff(lightness[::40]) >= 0).all()
    assert lightness[-1] > lightness[0] + 200


def test_a_map_without_differences_is_drawn(recwarn: pytest.WarningsRecorder) -> None:
    overlay.draw(result(8, 12, (0, 0)), photographs.scene(8, 12), [RING])
    assert len(recwarn) == 0


def test_a_result_without_a_map_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        overlay.draw(Ranked("a", Geometry((1, 1), (1, 1)), ()), photographs.scene(), [RING])


@pytest.mark.parametrize("name", ["a.png", "city/b/a.png"])
def test_a_picture_has_the_name_of_its_image(name: str, tmp_path: Path) -> None:
    photographs.scene(8, 12).save(tmp_path / "photo.png")
    drawn = result(8, 12, (0, 0), image=name)
    path = overlay.write(tmp_path / "p", tmp_path / "photo.png", drawn, [RING])
    assert path == tmp_path / "p" / f"{name}.jpg"
    assert list(tmp_path.rglob("*.jpg")) == [path]


@pytest.mark.parametrize(
    "name", ["../a.png", "../../city/../a.png", "/outside/a.png", "b/../../../a.png"]
)
def test_a_picture_stays_inside_its_folder_whatever_the_name(name: str, tmp_path: Path) -> None:
    photographs.scene(8, 12).save(tmp_path / "photo.png")
    folder = tmp_path / "deep" / "pictures"
    drawn = result(8, 12, (0, 0), image=name)
    path = overlay.write(folder, tmp_path / "photo.png", drawn, [RING])
    assert path.resolve().is_relative_to(folder)
    assert list(tmp_path.rglob("*.jpg")) == [path]


def test_a_name_with_two_slashes_stays_inside_too(tmp_path: Path) -> None:
    photographs.scene(8, 12).save(tmp_path / "photo.png")
    drawn = result(8, 12, (0, 0), image=f"/{tmp_path}/outside/a.png")
    path = overlay.write(tmp_path / "pictures", tmp_path / "photo.png", drawn, [RING])
    assert path.resolve().is_relative_to(tmp_path / "pictures")


def test_the_picture_of_a_turned_photograph_is_upright(tmp_path: Path) -> None:
    photographs.turned(tmp_path / "a.jpg", 6, photographs.scene(480, 640))
    drawn = result(480, 640, (60, 580))
    with Image.open(overlay.write(tmp_path / "p", tmp_path / "a.jpg", drawn, [RING])) as picture:
        assert picture.size == (2 * 640 + GAP, 480)
        corners = [picture.getpixel(place) for place in ((100, 200), (400, 200), (100, 400))]
    for corner, colour in zip(corners, ((200, 20, 20), (20, 200, 20), (20, 20, 200)), strict=True):
        assert np.abs(np.subtract(corner, colour)).max() < 30


def test_every_ranked_image_has_its_picture_and_skipped_ones_have_none(
    tiny: Graph, tmp_path: Path
) -> None:
    names = photographs.photographs(tmp_path / "pool", 5)
    photographs.broken(tmp_path / "pool", "truncated png")
    runtime = OnnxRuntime(tiny(), workers=1)
    options = RankOptions(criteria=Criteria(n=2, pictures=tmp_path / "pictures"))
    rank_to_file(Run(runtime, list_pool(tmp_path / "pool"), tmp_path / "r.csv", options))
    pictures = [
        path.relative_to(tmp_path / "pictures") for path in (tmp_path / "pictures").rglob("*.*")
    ]
    assert sorted(path.as_posix() for path in pictures) == [f"{name}.jpg" for name in names]


def test_names_of_a_list_that_lead_outside_stay_inside_too(tiny: Graph, tmp_path: Path) -> None:
    for name in ("above.png", "lists/beside.png", "far/away.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        photographs.noisy(1).save(tmp_path / name)
    text = f"../above.png\nbeside.png\n{tmp_path / 'far' / 'away.png'}\n"
    (tmp_path / "lists" / "list.txt").write_text(text)
    runtime = OnnxRuntime(tiny(), workers=1)
    pictures = tmp_path / "pictures"
    options = RankOptions(criteria=Criteria(n=2, pictures=pictures))
    pool = list_pool(tmp_path / "lists" / "list.txt")
    assert rank_to_file(Run(runtime, pool, tmp_path / "r.csv", options)).ranked == 3
    drawn = list(tmp_path.rglob("*.jpg"))
    assert len(drawn) == 3
    assert all(path.is_relative_to(pictures) for path in drawn)


def test_two_images_never_share_a_picture(tmp_path: Path) -> None:
    photographs.scene(8, 12).save(tmp_path / "photo.png")
    paths = {
        overlay.write(tmp_path / "p", tmp_path / "photo.png", result(8, 12, image=name), [RING])
        for name in ("a.png", "../a.png", "/a.png")
    }
    assert len(paths) == 3
