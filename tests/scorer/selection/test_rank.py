"""What is chosen depends on graph, image, labels, n and seed; and never breaks its promises."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import photographs
import pytest
from PIL import Image

from scorer.contract import NO_PIXEL, NO_SCORE, Contract
from scorer.errors import BadInput, Failure
from scorer.images.geometry import Geometry
from scorer.labels import Click, Labels
from scorer.pools import list_pool, named
from scorer.runtimes.cpu import OnnxRuntime, Scores
from scorer.selection.noise import uniform
from scorer.selection.result import Ranked, Skipped
from scorer.selection.select import check, rank

Graph = Callable[..., Path]


def opened(path: Path) -> OnnxRuntime:
    return OnnxRuntime(path, workers=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine images of several sizes: shrunk, enlarged, tall, as thin as can be, and one broken."""
    folder = tmp_path_factory.mktemp("pool")
    sizes = [(8, 12), (24, 32), (3, 4), (50, 10), (1, 300), (300, 1), (7, 13), (64, 96)]
    for index, (height, width) in enumerate(sizes):
        photographs.noisy(index, height, width).save(folder / f"{index}.png")
    photographs.broken(folder, "truncated png", "5-broken")
    return folder


def ranked(results: Sequence[Ranked | Skipped]) -> list[Ranked]:
    return [result for result in results if isinstance(result, Ranked)]


def test_every_image_has_one_result_in_the_order_of_the_pool(tiny: Graph, folder: Path) -> None:
    pool = list_pool(folder)
    results = list(rank(opened(tiny()), pool, n=4, batch=2))
    assert [result.image for result in results] == list(pool.names)
    assert [type(result) for result in results].count(Skipped) == 1
    assert results[5] == Skipped("5-broken.png", "truncated", "image file is truncated")


@pytest.mark.parametrize("acquisition", ["balentacq", "margin", "powerbald", "random"])
@pytest.mark.parametrize("n", [1, 3, 4])
def test_the_chosen_are_in_range_distinct_and_best_first(
    acquisition: str, n: int, tiny: Graph, folder: Path
) -> None:
    results = ranked(list(rank(opened(tiny(acquisition)), list_pool(folder), n=n)))
    assert len(results) == 8
    for result in results:
        places = [(pixel.row, pixel.col) for pixel in result.pixels]
        height, width = result.geometry.image
        assert len(places) == n
        assert len(set(places)) == n
        assert all(0 <= row < height and 0 <= col < width for row, col in places)
        assert [pixel.rank for pixel in result.pixels] == list(range(1, n + 1))
        scores = [pixel.score for pixel in result.pixels]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= pixel.label < 5 for pixel in result.pixels)


def test_the_brightest_pixel_of_an_unscaled_image_is_found(tiny: Graph, tmp_path: Path) -> None:
    dark = np.zeros((8, 12, 3), np.uint8)
    dark[6, 11], dark[0, 2] = 200, 100
    Image.fromarray(dark).save(tmp_path / "a.png")
    (result,) = ranked(list(rank(opened(tiny()), list_pool(tmp_path), n=2)))
    assert [(pixel.row, pixel.col) for pixel in result.pixels] == [(6, 11), (0, 2)]
    assert result.pixels[0].score == pytest.approx(202)


def test_the_brightest_spot_of_a_turned_photograph_is_told_upright(
    tiny: Graph, tmp_path: Path
) -> None:
    upright = np.zeros((80, 120, 3), np.uint8)
    upright[60:70, 110:120] = 255
    for orientation in photographs.ORIENTATIONS:
        path = tmp_path / f"{orientation}.png"
        photographs.turned(path, orientation, Image.fromarray(upright))
    results = ranked(list(rank(opened(tiny()), list_pool(tmp_path), n=1)))
    assert len(results) == 8
    assert {(r.geometry.image, r.pixels[0].row, r.pixels[0].col) for r in results} == {
        ((80, 120), 65, 115)
    }


def test_a_larger_n_only_adds_to_a_smaller_one(tiny: Graph, folder: Path) -> None:
    few = ranked(list(rank(opened(tiny()), list_pool(folder), n=2)))
    many = ranked(list(rank(opened(tiny()), list_pool(folder), n=4)))
    assert [result.pixels for result in few] == [result.pixels[:2] for result in many]


@pytest.mark.parametrize("acquisition", ["balentacq", "margin", "random"])
def test_labelled_pixels_are_never_chosen(acquisition: str, tiny: Graph, folder: Path) -> None:
    """Label what was chosen and rank again, until nothing is left: every pixel comes once."""
    runtime, pool = opened(tiny(acquisition)), list_pool(folder)
    done: dict[str, list[Click]] = {}
    for _ in range(60):
        results = ranked(list(rank(runtime, pool, n=4, labels=Labels(done))))
        assert len(results) == 8
        for result in results:
            before = {(click.row, click.col) for click in done.setdefault(result.image, [])}
            places = {(pixel.row, pixel.col) for pixel in result.pixels}
            assert not places & before
            done[result.image] += [Click(row, col, None) for row, col in places]
        if not any(result.pixels for result in results):
            break
    else:
        pytest.fail("the pool never ran out of pixels")
    for result in results:
        assert len(done[result.image]) == (result.geometry.exclude() == 0).sum()


def test_fewer_eligible_pixels_than_n_are_not_filled_up(tiny: Graph, tmp_path: Path) -> None:
    photographs.noisy(1, 1, 3).save(tmp_path / "a.png")
    photographs.noisy(2, 1, 1).save(tmp_path / "b.png")
    labels = Labels({"b.png": [Click(0, 0, 1)]})
    first, second = ranked(list(rank(opened(tiny()), list_pool(tmp_path), n=4, labels=labels)))
    assert {(pixel.row, pixel.col) for pixel in first.pixels} == {(0, 0), (0, 1), (0, 2)}
    assert second.pixels == ()


@pytest.mark.parametrize("place", [(8, 0), (0, 12), (8, 12), (10**9, 0)])
def test_a_label_outside_the_image_skips_it_and_says_where(
    place: tuple[int, int], tiny: Graph, tmp_path: Path
) -> None:
    photographs.noisy(1, 8, 12).save(tmp_path / "a.png")
    labels = Labels({"a.png": [Click(*place, None)]})
    (result,) = rank(opened(tiny()), list_pool(tmp_path), n=1, labels=labels)
    assert result == Skipped(
        "a.png",
        "label outside the image",
        f"row {place[0]}, col {place[1]} in an image of 8x12",
    )


@pytest.mark.parametrize("acquisition", ["balentacq", "margin", "powerbald", "random"])
@pytest.mark.parametrize("batch", [3, 8])
def test_the_batch_does_not_change_the_choice(
    acquisition: str, batch: int, tiny: Graph, folder: Path
) -> None:
    runtime, pool = opened(tiny(acquisition)), list_pool(folder)
    assert list(rank(runtime, pool, n=4, batch=batch)) == list(rank(runtime, pool, n=4))


def test_the_batch_does_not_change_what_a_real_graph_chooses(baked: Graph, folder: Path) -> None:
    runtime, pool = opened(baked()), list_pool(folder)
    alone = list(rank(runtime, pool, n=16))
    for batch in (3, 8):
        assert list(rank(runtime, pool, n=16, batch=batch)) == alone


def test_threads_of_the_runtime_do_not_change_what_a_real_graph_chooses(
    baked: Graph, folder: Path
) -> None:
    pool = list_pool(folder)
    one = list(rank(OnnxRuntime(baked(), workers=1), pool, n=16))
    assert list(rank(OnnxRuntime(baked(), workers=3), pool, n=16)) == one


@pytest.mark.parametrize("acquisition", ["margin", "powerbald", "random"])
def test_drawing_depends_on_the_seed_and_the_name_only(
    acquisition: str, tiny: Graph, tmp_path: Path
) -> None:
    picture = photographs.noisy(1, 8, 12)
    for name in ("one/a.png", "one/b.png", "two/a.png", "two/0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture.save(tmp_path / name)
    runtime = opened(tiny(acquisition))

    def chosen(place: str, seed: int) -> dict[str, tuple[object, ...]]:
        results = ranked(list(rank(runtime, list_pool(tmp_path / place), n=4, seed=seed)))
        return {result.image: result.pixels for result in results}

    one = chosen("one", 0)
    assert chosen("one", 0) == one
    assert chosen("two", 0)["a.png"] == one["a.png"]  # in another folder, at another place in it
    assert one["a.png"] != one["b.png"]  # the same picture by another name
    assert chosen("one", 1)["a.png"] != one["a.png"]


def test_other_acquisitions_ignore_seed_and_name(tiny: Graph, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        photographs.noisy(1, 8, 12).save(tmp_path / name)
    runtime, pool = opened(tiny()), list_pool(tmp_path)
    first, second = ranked(list(rank(runtime, pool, n=4)))
    assert first.pixels == second.pixels
    assert list(rank(runtime, pool, n=4, seed=9)) == [first, second]


class Watched:
    """A runtime that passes everything on and remembers what it was given."""

    name = "cpu float32"
    workers = 1

    def __init__(self, runtime: OnnxRuntime) -> None:
        self.runtime, self.contract = runtime, runtime.contract
        self.excludes: list[npt.NDArray[np.uint8]] = []
        self.noises: list[npt.NDArray[np.float32] | None] = []

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        self.excludes += list(exclude)
        self.noises.append(noise)
        return self.runtime.run(image, exclude, noise, want_map=want_map)


@pytest.mark.parametrize("n", [1, 4])
def test_margin_competes_inside_a_random_pool_of_ten_n(n: int, tiny: Graph, tmp_path: Path) -> None:
    photographs.noisy(1, 8, 12).save(tmp_path / "a.png")
    watched = Watched(opened(tiny("margin")))
    labels = Labels({"a.png": [Click(row, 3, None) for row in range(8)]})
    (result,) = ranked(list(rank(watched, list_pool(tmp_path), n=n, labels=labels)))
    (exclude,) = watched.excludes
    assert (exclude == 0).sum() == 10 * n
    assert exclude[:, 3].all()
    assert all(exclude[pixel.row, pixel.col] == 0 for pixel in result.pixels)
    drawn = uniform(0, "a.png", (8, 12))
    drawn[:, 3] = 0
    lowest_inside = drawn[exclude == 0].min()
    assert (drawn[exclude == 1] <= lowest_inside).all()
    assert watched.noises == [None]


def test_a_random_pool_larger_than_the_image_is_the_image(tiny: Graph, tmp_path: Path) -> None:
    photographs.noisy(1, 1, 3).save(tmp_path / "a.png")
    watched = Watched(opened(tiny("margin")))
    list(rank(watched, list_pool(tmp_path), n=4))
    assert np.array_equal(watched.excludes[0], Geometry((1, 3), (8, 12)).exclude())


def test_the_map_covers_the_image_and_no_padding(tiny: Graph, folder: Path) -> None:
    results = ranked(list(rank(opened(tiny()), list_pool(folder), n=1, want_map=True)))
    assert len(results) == 8
    for result in results:
        assert result.map is not None
        assert result.map.shape == result.geometry.content


@pytest.mark.parametrize("start", [0, 4, 9])
def test_a_start_inside_the_pool_gives_the_rest(start: int, tiny: Graph, folder: Path) -> None:
    runtime, pool = opened(tiny("random")), list_pool(folder)
    assert list(rank(runtime, pool, n=2, start=start)) == list(rank(runtime, pool, n=2))[start:]


@pytest.mark.parametrize("n", [0, -1, 5, 100])
def test_more_pixels_than_the_graph_serves_are_refused(n: int, tiny: Graph, folder: Path) -> None:
    with pytest.raises(BadInput, match=f"n is {n}, this graph serves 1 to 4") as caught:
        next(rank(opened(tiny()), list_pool(folder), n=n))
    assert "--top" in caught.value.remedy


def test_what_a_graph_can_give_is_checked_without_an_image(tiny: Graph) -> None:
    with_map, without = (opened(tiny(has_map=has_map)).contract for has_map in (True, False))
    check(with_map, n=4, want_map=True)
    check(without, n=4, want_map=False)
    for contract, n, want_map, remedy in (
        (with_map, 5, False, "--top 5"),
        (without, 4, True, "--map"),
    ):
        with pytest.raises(BadInput) as caught:
            check(contract, n=n, want_map=want_map)
        assert remedy in caught.value.remedy


class Fixed:
    """A runtime that gives one score to every place of every image."""

    name = "cpu float32"
    workers = 1

    def __init__(self, contract: Contract, score: float, pixel: int) -> None:
        self.contract, self.score, self.pixel = contract, score, pixel

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        shape = len(image), self.contract.top_k
        return Scores(
            np.full(shape, self.score, np.float32),
            np.full((*shape, 2), self.pixel, np.int32),
            np.zeros(shape, np.int32),
            None,
        )


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_ends_the_run_and_names_the_image(
    score: float, tiny: Graph, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        photographs.noisy(1).save(tmp_path / name)
    runtime = Fixed(opened(tiny()).contract, score, pixel=0)
    with pytest.raises(Failure, match=r"a\.png: .*not a number") as caught:
        list(rank(runtime, list_pool(tmp_path), n=1))
    assert caught.value.exit_code == 1


def test_places_without_a_pixel_may_hold_any_score(tiny: Graph, tmp_path: Path) -> None:
    photographs.noisy(1).save(tmp_path / "a.png")
    contract = opened(tiny()).contract
    for score in (np.nan, NO_SCORE):
        runtime = Fixed(contract, score, NO_PIXEL)
        (result,) = ranked(list(rank(runtime, list_pool(tmp_path), n=4)))
        assert result.pixels == ()


def test_a_program_error_in_a_decoding_thread_is_not_swallowed(tiny: Graph, tmp_path: Path) -> None:
    photographs.noisy(1).save(tmp_path / "a.png")
    runtime = opened(tiny())
    runtime.contract = replace(runtime.contract, height="eight")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        list(rank(runtime, list_pool(tmp_path), n=1))


def test_every_kind_of_broken_file_is_a_value_with_its_reason(tiny: Graph, tmp_path: Path) -> None:
    expected = {}
    for kind, (suffix, _, reason) in photographs.BROKEN.items():
        photographs.broken(tmp_path, kind, kind)
        expected[f"{kind}{suffix}"] = reason
    photographs.noisy(1).save(tmp_path / "whole.png")
    results = list(rank(opened(tiny()), list_pool(tmp_path), n=1, batch=4))
    skipped = {result.image: result.reason for result in results if isinstance(result, Skipped)}
    assert skipped == expected
    assert [result.image for result in ranked(results)] == ["whole.png"]


def test_a_name_that_is_no_utf8_is_a_value(tiny: Graph, tmp_path: Path) -> None:
    name = "caf\udce9.png"
    photographs.noisy(1).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / name)
    (result,) = rank(opened(tiny()), list_pool(tmp_path), n=1)
    assert result == Skipped(name, "file name is not UTF-8", r"'caf\udce9.png'")


def test_a_file_that_vanishes_between_listing_and_reading_is_a_value(
    tiny: Graph, tmp_path: Path
) -> None:
    pool = named(tmp_path, ("gone.png",))
    assert list(rank(opened(tiny()), pool, n=1)) == [Skipped("gone.png", "vanished")]


@pytest.mark.parametrize("distance", [1, 1.5, 3, 5, 40])
def test_the_chosen_keep_their_distance_and_are_the_best_that_do(
    distance: float, tiny: Graph, tmp_path: Path
) -> None:
    """Beside a search over the whole map, on an image of the grid's own size: more asks than K."""
    photographs.noisy(3, 8, 12).save(tmp_path / "a.png")
    runtime, pool = opened(tiny()), list_pool(tmp_path)
    labels = Labels({"a.png": [Click(7, 0, None)]})
    (found,) = ranked(
        list(rank(runtime, pool, n=4, labels=labels, distance=distance, want_map=True))
    )
    assert found.map is not None
    left = {(row, col): float(found.map[row, col]) for row in range(8) for col in range(12)}
    expected, taken = [], [(7, 0)]
    while len(expected) < 4:
        far = [p for p in left if all(np.hypot(p[0] - r, p[1] - c) >= distance for r, c in taken)]
        if not far:
            break
        expected.append(max(far, key=left.__getitem__))
        taken.append(expected[-1])
    assert [(pixel.row, pixel.col) for pixel in found.pixels] == expected


def test_distance_is_in_pixels_of_the_original(tiny: Graph, folder: Path) -> None:
    for result in ranked(list(rank(opened(tiny()), list_pool(folder), n=4, distance=9))):
        places = [(pixel.row, pixel.col) for pixel in result.pixels]
        between = [np.hypot(a[0] - b[0], a[1] - b[1]) for a in places for b in places if a != b]
        assert min(between, default=9) >= 9


def excluding(tmp_path: Path, **masks: np.ndarray) -> Path:
    for name, values in masks.items():
        Image.fromarray(values.astype(np.uint8)).save(tmp_path / f"{name.lstrip('_')}.png")
    return tmp_path


@pytest.mark.parametrize("acquisition", ["balentacq", "margin", "random"])
def test_what_a_mask_excludes_is_never_chosen(
    acquisition: str, tiny: Graph, folder: Path, tmp_path: Path
) -> None:
    """Of the image of 24x32 all but four pixels that the map shows; others have no mask."""
    mask = np.full((24, 32), 255)
    left = [(1, 1), (10, 17), (22, 30), (22, 1)]
    geometry = Geometry((24, 32), (8, 12))
    shown = [geometry.to_image(*geometry.to_map(*place)) for place in left]
    for place in shown:
        mask[place] = 0
    masks = excluding(tmp_path, _1=mask)
    results = list(rank(opened(tiny(acquisition)), list_pool(folder), n=4, exclude=masks))
    found = {one.image: one for one in ranked(results)}
    assert {(pixel.row, pixel.col) for pixel in found["1.png"].pixels} == set(shown)
    assert len(found) == 8


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: Image.new("L", (31, 24)).save(path), "exclusion mask of another size"),
        (lambda path: Image.new("RGB", (32, 24)).save(path), "exclusion mask of another size"),
        (lambda path: path.write_bytes(b"no image"), "exclusion mask unreadable"),
    ],
)
def test_a_bad_exclusion_mask_skips_its_image_and_no_other(
    make: Callable[[Path], object], reason: str, tiny: Graph, folder: Path, tmp_path: Path
) -> None:
    make(tmp_path / "1.png")
    results = list(rank(opened(tiny()), list_pool(folder), n=4, exclude=tmp_path))
    assert len(ranked(results)) == 7
    (skipped,) = (one for one in results if isinstance(one, Skipped) and one.image == "1.png")
    assert skipped.reason == reason
    assert str(tmp_path) not in skipped.detail, "a path differs between machines"
