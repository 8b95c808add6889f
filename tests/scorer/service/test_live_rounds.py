"""Labelling without a graph, and pixels that the newest graph chooses just in time."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import byhand
import numpy as np
import pytest
from application import AHEAD, answer, answering, asked, live, ranked, started, until
from PIL import Image

from scorer.contract import NO_PIXEL
from scorer.runtimes.blank import NETWORK, Blank
from scorer.service.guesses import Guesses
from scorer.service.queue import Query

Graph = Callable[..., Path]
IMAGES = 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for index in range(IMAGES):
        Image.new("RGB", (70, 50), (index, 0, 0)).save(tmp_path / "images" / f"{index:02}.png")
    return tmp_path


def test_without_a_graph_random_pixels_are_asked_of_as_many_photographs_as_there_are(
    folder: Path, tiny: Graph
) -> None:
    with answering(live(folder, tiny())) as client:
        seen = Counter[object]()
        for _ in range(IMAGES):
            (query,) = asked(client)
            assert (query["guess"], query["guesses"]) == ("", [])
            assert (query["height"], query["width"]) == (50, 70)
            seen[query["image"]] += 1
            answer(client, query, "road")
        state = client.get("/v1/state").json()
    assert len(seen) >= IMAGES - 3, "nearly one of each, before a second of any"
    assert (state["network"], state["has_map"]) == (NETWORK, False)


def test_random_pixels_go_on_until_there_is_a_graph(tmp_path: Path, tiny: Graph) -> None:
    """Two photographs, or a class that is everywhere, are no end."""
    (tmp_path / "images").mkdir()
    for index in range(2):
        Image.new("RGB", (70, 50), (index, 0, 0)).save(tmp_path / "images" / f"{index}.png")
    with answering(live(tmp_path, tiny())) as client:
        seen = set()
        for _ in range(25):
            (query,) = asked(client)
            seen.add((query["image"], query["row"], query["col"]))
            answer(client, query, "road")
    assert len(seen) == 25


def test_many_annotators_all_have_something_to_do(folder: Path, tiny: Graph) -> None:
    annotation = live(folder, tiny())
    with answering(annotation) as client:
        for number in range(5):
            params = {"annotator": f"ann {number}", "count": 3}
            until(lambda params=params: bool(client.get("/v1/queue", params=params).json()))  # type: ignore[misc]


def test_no_more_is_chosen_than_somebody_will_see_soon(folder: Path, tiny: Graph) -> None:
    annotation = live(folder, tiny())
    with answering(annotation):
        until(lambda: annotation.queue.left()[0] >= AHEAD)
        time.sleep(0.3)
        assert annotation.queue.left()[0] < AHEAD + 3
        assert annotation.rounds.ranked < IMAGES / 2


def test_the_newest_graph_asks_next_and_what_is_shown_stays(folder: Path, tiny: Graph) -> None:
    annotation = live(folder, tiny())
    with answering(annotation) as client:
        until(lambda: annotation.queue.free() >= 3)
        before = asked(client, 3)
        answer(client, before[0], "road")
        (folder / "scorer.onnx").write_bytes(tiny("entropy").read_bytes())
        assert annotation.rounds.reload()
        until(lambda: annotation.queue.free() >= 2)
        after = asked(client, 3)
        assert after[0]["graph"] == before[1]["graph"], "the one that is on the page"
        graph = client.get("/v1/state").json()["graph"]
        assert {one["graph"] for one in after[1:]} == {graph}
        assert before[0]["image"] not in {one["image"] for one in after[1:]}, "answered already"


def test_a_graph_that_is_there_from_the_start_is_served(folder: Path, tiny: Graph) -> None:
    (folder / "scorer.onnx").write_bytes(tiny().read_bytes())
    with answering(live(folder, tiny())) as client:
        assert client.get("/v1/state").json()["network"] != NETWORK


def query(guess: str, col: int = 1) -> Query:
    return Query(
        image="a.png", row=1, col=col, height=9, width=9, grid_height=9, grid_width=9, rank=1,
        score=0.0, guess=guess, guesses=(guess,), round=1, graph="",
    )  # fmt: skip


def test_guesses_are_offered_once_they_beat_the_most_frequent_class() -> None:
    guesses = Guesses(lambda: False)
    for index in range(12):  # always the frequent class: right half of the time, as chance is
        guesses.note(query("sky"), ("sky", "road")[index % 2])
    assert (guesses.right, guesses.offered) == (0.5, False)
    for index in range(20):
        guesses.note(query(("sky", "road")[index % 2]), ("sky", "road")[index % 2])
    assert (guesses.right, guesses.offered) == (1.0, True)
    assert Guesses(lambda: True).offered


def test_a_retracted_answer_counts_for_no_guess() -> None:
    guesses = Guesses(lambda: False)
    for col in range(11):
        guesses.note(query("sky", col), "road" if col == 10 else "sky")
    assert guesses.right == pytest.approx(10 / 11)
    guesses.forget(query("sky", 10).pixel)
    assert guesses.right == 1
    guesses.forget(query("sky", 9).pixel)
    assert guesses.right is None, "too few are left"


def test_an_answer_that_is_undone_counts_for_no_guess(folder: Path, tiny: Graph) -> None:
    annotation = ranked(started(folder, tiny()))
    with answering(annotation) as client:
        for number in range(10):
            (query,) = asked(client)
            answer(client, query, "sky")
            assert (annotation.guesses.right is not None) == (number == 9)
        client.post("/v1/undo", json={"annotator": "ann", "request": "back"})
        assert annotation.guesses.right is None


def test_a_network_that_has_learned_nothing_offers_no_guesses(folder: Path) -> None:
    """Its classes then stand on their own keys alone, until its guesses prove to be right."""
    seen = {}
    for name, level in (("trained", 0), ("untrained", 1000)):
        graph = folder / f"{name}.onnx"
        byhand.save(graph, "balentacq", level=level)
        annotation = ranked(started(folder, graph))
        with answering(annotation) as client:
            (seen[name],) = asked(client)
            known = annotation.queue.find((*(seen[name][key] for key in ("image", "row", "col")),))
            assert known is not None
            for one in byhand.CLASSES * 3:
                annotation.guesses.note(query(one), one)
            (later,) = asked(client)
        assert later["guesses"] == list(known.guesses), "they were right"
        assert later["guesses"][0] == later["guess"] != ""
    assert seen["trained"]["guesses"] != []
    assert (seen["untrained"]["guess"], seen["untrained"]["guesses"]) == ("", [])


def test_few_answers_tell_nothing_and_random_pixels_have_no_guess() -> None:
    guesses = Guesses(lambda: False)
    for _ in range(9):
        guesses.note(query("sky"), "sky")
    for _ in range(30):
        guesses.note(query(""), "sky")
        guesses.note(query("sky"), None)
    assert (guesses.right, guesses.offered) == (None, False)


def test_random_pixels_are_eligible_ones_and_the_best_first() -> None:
    blank = Blank(("a", "b"), (64, 96))
    noise = np.random.default_rng(0).random((2, 64, 96), np.float32)
    exclude = np.ones((2, 64, 96), np.uint8)
    exclude[0, 3:5, 7] = 0
    found = blank.run(np.zeros((2, 64, 96, 3), np.uint8), exclude, noise)
    assert sorted(map(tuple, found.pixel[0, :2].tolist())) == [(3, 7), (4, 7)]
    assert found.score[0, 0] == noise[0, 3:5, 7].max()
    assert (found.pixel[0, 2:] == NO_PIXEL).all()
    assert (found.pixel[1] == NO_PIXEL).all()


def test_some_questions_are_random_pixels_that_measure_the_model(folder: Path, tiny: Graph) -> None:
    (folder / "scorer.onnx").write_bytes(tiny().read_bytes())
    annotation = live(folder, tiny(), audit=0.2)
    with answering(annotation) as client:
        sources = Counter[object]()
        for _ in range(40):
            (query,) = asked(client)
            sources[query["source"]] += 1
            if query["source"] == "audit":
                assert query["guesses"] == [], "it must not measure itself"
            answer(client, query, "road")
        labels, audit = annotation.store.labels(), annotation.store.audit()
    assert 6 <= sources["audit"] <= 10
    assert sources["asked"] == 40 - sources["audit"]
    assert len(audit) == sources["audit"]
    assert labels.labelled == sources["asked"], "the model never learns from the others"


def test_without_a_model_nothing_is_measured(folder: Path, tiny: Graph) -> None:
    with answering(live(folder, tiny(), audit=0.5)) as client:
        for _ in range(10):
            (query,) = asked(client)
            assert query["source"] == "asked"
            answer(client, query, "road")


def test_an_annotator_may_answer_a_pixel_that_was_not_asked(folder: Path, tiny: Graph) -> None:
    annotation = live(folder, tiny())
    with answering(annotation) as client:
        body = {
            "image": "07.png", "row": 20, "col": 30, "answer": "label", "class_name": "road",
            "annotator": "ann", "seconds": 1.0, "request": "f",
        }  # fmt: skip
        assert client.post("/v1/labels", json=body).status_code == 404
        free = body | {"free": True}
        assert client.post("/v1/labels", json=free).status_code == 201
        assert client.post("/v1/labels", json=free).status_code == 201, "the same once more"
        again = free | {"request": "g"}
        assert client.post("/v1/labels", json=again).status_code == 409, "it is answered"
        annotation.queue.forget(("07.png", 20, 30))  # as after a restart of the service
        assert client.post("/v1/labels", json=again).status_code == 409, "the store knows"
        for wrong in ({"row": 50}, {"image": "none.png"}, {"image": "../07.png"}):
            assert client.post("/v1/labels", json=again | wrong).status_code == 404
        assert [one.source for one in annotation.store.history()] == ["free"]
        undone = client.post("/v1/undo", json={"annotator": "ann", "request": "u"}).json()
        assert undone == {"undone": True, "query": None}, "nobody had asked for it"
        assert client.post("/v1/labels", json=free | {"request": "h"}).status_code == 201


def test_without_a_model_nothing_is_scored_on_request(folder: Path, tiny: Graph) -> None:
    annotation = live(folder, tiny())
    with answering(annotation) as client:
        until(lambda: client.get("/health/ready").status_code == 200)
        files = [("images", ("a.png", (folder / "images" / "00.png").read_bytes()))]
        refused = client.post("/v1/rank", files=files)
        assert (refused.status_code, refused.json()) == (503, {"detail": "there is no model yet"})
        assert client.get("/v2/health/ready").status_code == 503
        (folder / "scorer.onnx").write_bytes(tiny().read_bytes())
        assert annotation.rounds.reload()
        assert client.get("/v2/health/ready").status_code == 200
        assert client.post("/v1/rank?n=1&min_distance=0", files=files).status_code == 200
