"""Who is asked which pixel: best image first, nobody for what somebody else has."""

from dataclasses import dataclass, replace

import numpy as np
from contracts import CONTRACT as ANY

from scorer.images.geometry import Geometry
from scorer.selection.result import Pixel, Ranked
from scorer.service.queue import LEASE_S, Queue

CONTRACT = replace(ANY, classes=("sky", "road"))


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def ranked(image: str, score: float, pixels: int = 2) -> Ranked:
    found = tuple(Pixel(place, 7, place + 1, score - place, 1) for place in range(pixels))
    return Ranked(image, Geometry((50, 60), (64, 96)), found)


def filled(clock: Clock | None = None) -> Queue:
    queue = Queue(clock=clock or Clock())
    for image, score in (("low", -5.0), ("best", 3.0), ("middle", 0.0)):
        queue.add(ranked(image, score), CONTRACT, 1)
    return queue


def test_the_best_image_comes_first_with_its_pixels_in_order() -> None:
    found = filled().next("ann", 5)
    assert [(one.image, one.row) for one in found] == [
        ("best", 0), ("best", 1), ("middle", 0), ("middle", 1), ("low", 0),
    ]  # fmt: skip
    first = found[0]
    assert (first.guess, first.height, first.width) == ("road", 50, 60)
    assert (first.grid_height, first.grid_width) == (64, 96)


def test_nobody_gets_what_somebody_has() -> None:
    queue = filled()
    seen = [one.pixel for name in ("ann", "bob", "cyd") for one in queue.next(name, 2)]
    assert len(set(seen)) == 6
    assert queue.next("dan", 2) == []
    assert [one.pixel for one in queue.next("ann", 2)] == seen[:2], "asked again: the same"
    assert queue.wrong(seen[0], "ann") is None
    assert queue.wrong(seen[0], "bob") == "somebody else has this pixel now"


def test_a_lease_expires_unless_it_is_renewed() -> None:
    clock = Clock()
    queue = filled(clock)
    mine = queue.next("ann", 1)
    clock.now = LEASE_S - 1
    assert queue.next("ann", 1) == mine, "a sign of life"
    clock.now = LEASE_S + 1
    assert queue.next("bob", 1) != mine
    clock.now = 2 * LEASE_S
    assert mine[0] in queue.next("bob", 6)
    assert queue.wrong(mine[0].pixel, "ann") is not None


def test_what_is_answered_is_not_asked_again_until_it_is_taken_back() -> None:
    queue = filled()
    assert queue.left() == (6, 3)
    first, second = queue.next("ann", 2)
    queue.close(first.pixel)
    queue.close(second.pixel)
    assert queue.left() == (4, 2)
    assert queue.next("ann", 1)[0].image == "middle"
    queue.reopen(first, "ann")
    assert queue.next("ann", 1) == [first], "at once, before what is already held"
    assert first not in queue.next("bob", 6)
    assert queue.left() == (5, 3)


def test_a_pixel_taken_back_before_its_image_is_ranked_is_asked_once() -> None:
    queue = filled()
    taken = replace(queue.next("ann", 1)[0], image="late", row=9)
    queue.reopen(taken, "ann")
    queue.add(ranked("late", 9.0), CONTRACT, 1)
    assert queue.left() == (9, 4)
    late = [one for one in queue.next("ann", 20) if one.image == "late"]
    assert [one.row for one in late] == [9, 0, 1]
    for one in late:
        queue.close(one.pixel)
    assert not any(one.image == "late" for one in queue.next("ann", 20))
    assert queue.left() == (6, 3)


def test_what_was_answered_is_known() -> None:
    queue = Queue()
    queue.add(ranked("a", 1.0), CONTRACT, 1)
    queue.close(("a", 0, 7))
    assert [one.row for one in queue.next("ann", 5)] == [1]
    assert queue.find(("a", 0, 7)) is not None
    taken = replace(queue.next("ann", 1)[0], row=0)
    queue.reopen(taken, "ann")
    assert queue.next("ann", 1) == [taken], "also of a pixel that this ranking did not choose"


def test_after_a_new_graph_nothing_old_is_asked_but_can_be_answered() -> None:
    queue = filled()
    (held,) = queue.next("ann", 1)
    queue.clear()
    assert queue.next("ann", 5) == [held], "it stays theirs"
    assert queue.next("bob", 5) == []
    assert queue.left() == (0, 0)
    assert queue.find(held.pixel) == held
    assert queue.wrong(held.pixel, "ann") is None
    queue.close(held.pixel)


def test_guesses_are_the_models_class_and_those_that_meet_there() -> None:
    seen = np.zeros((64, 96), np.int32)
    seen[:, 9:] = 1
    seen[40:] = 2
    contract = replace(ANY, classes=("sky", "road", "car"), colours=((0, 0, 0),) * 3)
    pixel = Pixel(5, 7, 1, 0.5, 1)
    queue = Queue()
    queue.add(Ranked("a", Geometry((64, 96), (64, 96)), (pixel,), None, seen), contract, 1)
    (query,) = queue.next("ann", 1)
    assert query.guesses == ("road", "sky"), "its own first, though sky is more frequent there"


def test_what_was_answered_is_not_asked_by_a_ranking_that_did_not_know_it() -> None:
    queue = filled()
    (asked,) = queue.next("ann", 1)
    queue.clear()  # another graph ranks the pool, with the answers so far
    queue.close(asked.pixel)
    queue.add(ranked("best", 3.0), CONTRACT, 2)
    assert asked.pixel not in {one.pixel for one in queue.next("bob", 9)}
    queue.reopen(asked, "ann")
    assert queue.next("ann", 1) == [asked]
