"""A budget over the pool takes the best pixels of all images, and nothing else."""

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from scorer.images.geometry import Geometry
from scorer.selection.budget import within
from scorer.selection.result import Pixel, Ranked

GEOMETRY = Geometry((10, 10), (10, 10))


def ranked(scores: list[list[float]]) -> list[Ranked]:
    return [
        Ranked(
            f"{index}.png",
            GEOMETRY,
            tuple(
                Pixel(0, place, place + 1, score, 0)
                for place, score in enumerate(sorted(of_one, reverse=True))
            ),
        )
        for index, of_one in enumerate(scores)
    ]


def test_images_without_a_pixel_are_left_out() -> None:
    found = list(within(3, lambda: ranked([[0.9, 0.1], [0.2], [0.8, 0.7]])))
    assert [(one.image, [p.score for p in one.pixels]) for one in found] == [
        ("0.png", [0.9]),
        ("2.png", [0.8, 0.7]),
    ]


def test_ties_go_to_the_image_that_comes_first() -> None:
    (found,) = within(1, lambda: ranked([[0.5], [0.5]]))
    assert found.image == "0.png"


@given(
    st.lists(st.lists(st.sampled_from([0.1, 0.2, 0.3]), max_size=4), max_size=6),
    st.integers(1, 30),
)
def test_it_is_what_sorting_all_pixels_gives(scores: list[list[float]], budget: int) -> None:
    found = [p.score for one in within(budget, lambda: ranked(scores)) for p in one.pixels]
    assert sorted(found, reverse=True) == sorted(chain.from_iterable(scores), reverse=True)[:budget]
