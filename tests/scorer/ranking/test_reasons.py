"""The sentence about an image: what is uncertain, rare and new in it, by rules that are stated."""

from collections.abc import Sequence

import numpy as np
import pytest

from scorer.images import palette
from scorer.images.geometry import Geometry
from scorer.labels import Click, Labels
from scorer.ranking.reasons import Reasons
from scorer.selection.result import Ranked
from scorer.selection.sight import Sight

CLASSES = ("road", "sky", "car", "bicycle")


def colours(seed: int) -> bytes:
    shares = np.zeros(palette.SIZE)
    shares[:100] = np.random.default_rng(seed).dirichlet(np.ones(100))
    return np.rint(255 * np.sqrt(shares)).astype(np.uint8).tobytes()


def image(name: str, classes: Sequence[int], share: float | None = 0.144, seed: int = 0) -> Ranked:
    sight = Sight(-1.25, tuple(classes), colours(seed))
    return Ranked(name, Geometry((8, 12), (8, 12)), (), share=share, sight=sight)


def pool(count: int, labelled: int = 0) -> tuple[list[Ranked], Labels]:
    images = [image(f"{one:02}", (500, 495, 5, 0), seed=one) for one in range(count)]
    clicks = {one.image: [Click(0, 0, 1)] for one in images[:labelled]}
    return images, Labels(clicks)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ((500, 500, 0, 0), ()),
        ((500, 496, 4, 0), ()),  # too few pixels of the image
        ((500, 495, 5, 0), (2,)),
        ((0, 0, 5, 995), (3, 2)),  # the rarest first
        ((1, 0, 0, 0), ()),
    ],
)
def test_rare_is_what_the_pool_lacks_and_the_image_shows(
    classes: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    images, labels = pool(20)
    reasons = Reasons.of([*images, image("x", (0, 0, 0, 1))], CLASSES, labels)
    assert reasons.of_image(image("y", classes)).rare == expected


def test_the_shares_of_a_pool_are_those_of_all_its_pixels() -> None:
    reasons = Reasons.of([image("a", (3, 1, 0, 0)), image("b", (0, 0, 0, 4))], CLASSES, None)
    assert reasons.shares == [3 / 8, 1 / 8, 0, 1 / 2]


def test_a_sentence_says_all_that_is_so_and_nothing_else() -> None:
    images, labels = pool(40, labelled=10)
    images[3] = image("03", (500, 500, 0, 0), seed=3)
    reasons = Reasons.of(images, CLASSES, labels)
    told = [reasons.sentence(reasons.of_image(one), 0.5) for one in images]
    assert told[3] == "uncertain on 14% of its pixels; has labels already"
    assert told[39].startswith("uncertain on 14% of its pixels; shows car (0.49% of the pool)")
    sight = Sight(0.0, (1000, 0, 0, 0), bytes([0] * 215 + [255]))
    odd = Ranked("odd", Geometry((8, 12), (8, 12)), (), share=0.0, sight=sight)
    sentence = reasons.sentence(reasons.of_image(odd), 0.0)
    assert sentence == "uncertain on 0% of its pixels; unlike the labelled images"


def test_without_a_level_of_uncertainty_the_mean_is_compared_with_the_pool() -> None:
    images, labels = pool(20)
    reasons = Reasons.of(images, CLASSES, labels)
    reason = reasons.of_image(image("a", (1000, 0, 0, 0), share=None))
    sentence = reasons.sentence(reason, 0.973)
    assert sentence == "its map has a mean of -1.25, more than 97% of the images"


def test_pixels_that_were_asked_but_not_answered_are_no_labels() -> None:
    images, _ = pool(20)
    labels = Labels({one.image: [Click(0, 0, None)] for one in images})
    reasons = Reasons.of(images, CLASSES, labels)
    assert (reasons.labelled, reasons.likeness) == (0, None)
    assert not reasons.of_image(images[0]).is_labelled
