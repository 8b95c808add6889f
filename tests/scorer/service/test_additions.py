"""What an annotator may add to a live session: classes, and a second look at answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from application import answer, answering, asked, live, until
from fastapi.testclient import TestClient
from PIL import Image

from scorer.errors import BadGraph
from scorer.labels import learned
from scorer.labels.learned import Doubt
from scorer.service.annotation import Annotation

Graph = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    for index in range(12):
        Image.new("RGB", (70, 50), (index, 0, 0)).save(tmp_path / "images" / f"{index:02}.png")
    return tmp_path


def test_a_class_is_added_and_answered_at_once(folder: Path, tiny: Graph) -> None:
    annotation = live(folder, tiny(), grows=True)
    with answering(annotation) as client:
        before = client.get("/v1/state").json()
        (query,) = asked(client)
        answer(client, query, before["classes"][0])
        assert before["grows"]
        made = client.post("/v1/classes", json={"name": " lamp post "})
        assert made.status_code == 201
        assert made.json()["classes"] == [*before["classes"], "lamp post"]
        state = client.get("/v1/state").json()
        assert state["classes"][-1] == "lamp post"
        assert state["colours"][:-1] == before["colours"]
        assert state["colours"][-1] not in before["colours"]
        (query,) = asked(client)
        answer(client, query, "lamp post")
        again = client.post("/v1/classes", json={"name": "LAMP POST"})
        assert again.status_code == 409
        assert "there is a class lamp post already" in again.text
        labels = annotation.store.labels()
    found = {one.label for clicks in labels.clicks.values() for one in clicks}
    assert found == {0, len(before["classes"])}


def test_the_first_classes_are_named_in_the_page(folder: Path, tiny: Graph) -> None:
    annotation = live(folder, tiny(), grows=True, classes=())
    with answering(annotation) as client:
        (query,) = asked(client)
        state = client.get("/v1/state").json()
        assert (state["classes"], state["failure"]) == ([], None)
        for name in ("sky", "road"):
            assert client.post("/v1/classes", json={"name": name}).status_code == 201
        answer(client, query, "road")
        assert not annotation.rounds.reload(), "there is no graph yet"
        assert [one.class_name for one in annotation.store.standing()] == ["road"]


def test_a_graph_may_lack_the_newest_classes_but_have_no_others(
    folder: Path, tiny: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    annotation = live(folder, tiny(), grows=True)
    with answering(annotation) as client:
        client.post("/v1/classes", json={"name": "lamp post"})
        (folder / "scorer.onnx").write_bytes(tiny("entropy").read_bytes())
        assert annotation.rounds.reload()
        classes = annotation.store.classes
        assert annotation.rounds.runtime.contract.classes == classes[:-1]
        assert client.get("/v1/state").json()["classes"] == list(classes)
        monkeypatch.setattr(annotation.store, "classes", ("other", *classes))
        (folder / "scorer.onnx").write_bytes(tiny("bald").read_bytes())
        with pytest.raises(BadGraph, match="other classes"):
            annotation.rounds.reload()


def test_no_class_is_added_where_the_graph_has_them(folder: Path, tiny: Graph) -> None:
    with answering(live(folder, tiny())) as client:
        refused = client.post("/v1/classes", json={"name": "lamp post"})
        assert refused.status_code == 409
        assert "those of the graph" in refused.text
        assert not client.get("/v1/state").json()["grows"]


def doubt(annotation: Annotation, query: dict[str, Any], given: str, predicted: str) -> Doubt:
    """As the process that learns writes it."""
    found = Doubt(
        image=query["image"], row=query["row"], col=query["col"],
        given=given, predicted=predicted, probability=0.97,
    )  # fmt: skip
    learned.write_doubts(annotation.store.path.with_name(learned.DOUBTS), [found])
    return found


def doubtful(client: TestClient, annotation: Annotation) -> dict[str, Any]:
    """A question that was answered with the first class, which a model says is the second."""
    (query,) = asked(client)
    given, predicted = annotation.store.classes[:2]
    answer(client, query, given)
    doubt(annotation, query, given, predicted)
    return query


@pytest.fixture
def doubted(folder: Path, tiny: Graph) -> Annotation:
    (folder / "scorer.onnx").write_bytes(tiny().read_bytes())
    return live(folder, tiny())


def test_a_doubt_is_shown_on_request_with_both_answers_and_mended(doubted: Annotation) -> None:
    sky, road = doubted.store.classes[:2]
    with answering(doubted) as client:
        (first,) = asked(client)
        answer(client, first, sky)
        found = doubt(doubted, first, sky, road)
        assert client.get("/v1/state").json()["second_looks"] == 1
        shown = client.post("/v1/second-look", json={"annotator": "ann"})
        assert shown.json() == {"shown": 1}
        again = asked(client, 3)[0]
        assert (again["image"], again["row"], again["col"]) == found.pixel
        assert again["guesses"] == [sky, road]
        standing = doubted.store.find(found.pixel)
        assert standing is not None
        assert again["reviews"] == standing[0]
        assert client.post("/v1/second-look", json={"annotator": "bob"}).json() == {"shown": 0}
        answer(client, again, road)
        assert client.get("/v1/state").json()["second_looks"] == 0
        mended = doubted.store.find(found.pixel)
        assert mended is not None
        assert (mended[1].class_name, mended[1].reviews) == (road, standing[0])
        assert mended[1].source == "asked"
        undone = client.post("/v1/undo", json={"annotator": "ann", "request": "back"}).json()
        assert undone == {"undone": True, "query": None}
        assert doubted.store.find(found.pixel) == standing
        assert client.get("/v1/state").json()["second_looks"] == 1, "it may be looked at again"


def test_to_undo_while_an_answer_is_looked_at_asks_the_question_again(doubted: Annotation) -> None:
    road = doubted.store.classes[1]
    with answering(doubted) as client:
        first = doubtful(client, doubted)
        client.post("/v1/second-look", json={"annotator": "ann"})
        assert asked(client)[0]["reviews"] is not None
        undone = client.post("/v1/undo", json={"annotator": "ann", "request": "back"}).json()
        assert undone["query"]["reviews"] is None
        again = asked(client)[0]
        assert (again["image"], again["row"], again["reviews"]) == (
            first["image"], first["row"], None
        )  # fmt: skip
        answer(client, again, road)
        standing = list(doubted.store.standing())
    assert [(one.class_name, one.reviews) for one in standing] == [(road, None)]


def test_a_new_model_leaves_second_looks_where_they_are(doubted: Annotation, tiny: Graph) -> None:
    sky, road = doubted.store.classes[:2]
    with answering(doubted) as client:
        answered = []
        for _ in range(4):
            answered.append(asked(client)[0])
            answer(client, answered[-1], sky)
        doubts = [
            Doubt(
                image=one["image"], row=one["row"], col=one["col"], given=sky, predicted=road,
                probability=0.95,
            )
            for one in answered
        ]  # fmt: skip
        learned.write_doubts(doubted.store.path.with_name(learned.DOUBTS), doubts)
        assert client.post("/v1/second-look", json={"annotator": "ann"}).json() == {"shown": 4}
        (doubted.store.path.parent / "scorer.onnx").write_bytes(tiny("entropy").read_bytes())
        assert doubted.rounds.reload()
        shown = client.get("/v1/queue?annotator=ann&count=20").json()
    assert sum(one["reviews"] is not None for one in shown) == 4


def test_an_answer_that_is_sent_again_after_a_restart_is_received(
    folder: Path, tiny: Graph
) -> None:
    (folder / "scorer.onnx").write_bytes(tiny().read_bytes())
    first = live(folder, tiny())
    with answering(first) as client:
        (query,) = asked(client)
        place = {key: query[key] for key in ("image", "row", "col")}
        name = first.store.classes[0]
        body = place | {
            "answer": "label", "class_name": name, "annotator": "ann", "seconds": 1.0,
            "request": "once",
        }  # fmt: skip
        number = client.post("/v1/labels", json=body).json()["id"]
    with answering(live(folder, tiny())) as client:
        again = client.post("/v1/labels", json=body)
        assert (again.status_code, again.json()) == (201, {"id": number})
        other = client.post("/v1/labels", json=body | {"annotator": "bob"})
        assert other.status_code == 400


def test_a_confirmed_answer_is_not_shown_again(doubted: Annotation) -> None:
    sky, road = doubted.store.classes[:2]
    with answering(doubted) as client:
        first = doubtful(client, doubted)
        client.post("/v1/second-look", json={"annotator": "ann"})
        answer(client, asked(client)[0], sky)
        doubt(doubted, first, sky, road)  # a later model doubts it, too
        assert client.get("/v1/state").json()["second_looks"] == 0
        assert client.post("/v1/second-look", json={"annotator": "ann"}).json() == {"shown": 0}


def test_a_doubt_is_shown_at_the_end_of_a_photograph_now_and_then(doubted: Annotation) -> None:
    sky = doubted.store.classes[0]
    with answering(doubted) as client:
        doubtful(client, doubted)
        reviews = []
        for _ in range(40):
            query = asked(client)[0]
            reviews.append(query["reviews"])
            answer(client, query, sky)
    assert sum(one is not None for one in reviews) == 1
    assert reviews[:8] == [None] * 8


def test_an_answer_that_was_given_otherwise_meanwhile_is_no_doubt(doubted: Annotation) -> None:
    sky, road = doubted.store.classes[:2]
    with answering(doubted) as client:
        (first,) = asked(client)
        answer(client, first, road)
        doubt(doubted, first, sky, road)
        assert client.get("/v1/state").json()["second_looks"] == 0


def test_undo_reaches_over_a_change_of_the_model(doubted: Annotation, tiny: Graph) -> None:
    with answering(doubted) as client:
        (first,) = asked(client)
        answer(client, first, doubted.store.classes[0])
        (doubted.store.path.parent / "scorer.onnx").write_bytes(tiny("entropy").read_bytes())
        assert doubted.rounds.reload()
        undone = client.post("/v1/undo", json={"annotator": "ann", "request": "back"}).json()
        pixel = [undone["query"][key] for key in ("image", "row", "col")]
        assert pixel == [first[key] for key in ("image", "row", "col")]
        assert undone["query"]["graph"] == first["graph"], "of the model that asked"
        assert asked(client)[0]["image"] == first["image"]
        answer(client, undone["query"], doubted.store.classes[1])
        rows = list(doubted.store.history())
    assert [one.answer for one in rows] == ["label", "undo", "label"]
    assert {one.graph for one in rows} == {first["graph"]}


def test_two_annotators_never_have_the_same_pixel(doubted: Annotation, tiny: Graph) -> None:
    def pixels(client: TestClient, annotator: str) -> set[tuple[str, int, int]]:
        found = asked(client, 2, annotator)
        return {(one["image"], one["row"], one["col"]) for one in found}

    seen: set[tuple[str, int, int]] = set()
    with answering(doubted) as client:
        for step in range(12):
            until(lambda: doubted.queue.free() >= 1)
            ann, bob = pixels(client, "ann"), pixels(client, "bob")
            assert not ann & bob
            for annotator in ("ann", "bob"):
                query = asked(client, 1, annotator)[0]
                pixel = (query["image"], query["row"], query["col"])
                assert pixel not in seen
                seen.add(pixel)
                answer(client, query, doubted.store.classes[0], annotator)
            if step == 6:
                graph = doubted.store.path.parent / "scorer.onnx"
                graph.write_bytes(tiny("entropy").read_bytes())
                assert doubted.rounds.reload()
        assert len({one.annotator for one in doubted.store.standing()}) == 2
        assert len(list(doubted.store.standing())) == 24


def test_the_newest_model_is_in_the_metrics(doubted: Annotation) -> None:
    audit = {"pixels": 12, "accuracy": 0.5, "accuracy_low": 0.2, "accuracy_high": 0.8, "miou": 0.4,
         "miou_low": 0.1, "miou_high": 0.7}  # fmt: skip
    model = learned.Learned(
        rows=30, labels=25, images=9, gathered_and_fitted=1.5, exported=0.5, audit=audit,
        confirmed=0.6,
    )  # fmt: skip
    with answering(doubted) as client:
        assert "balentacq_model_labels" not in client.get("/metrics").text
        learned.append(doubted.store.path.with_name(learned.LOG), model)
        text = client.get("/metrics").text
        for line in ("model_labels 25.0", "guesses_confirmed 0.6", "audit_accuracy_high 0.8"):
            assert f"balentacq_{line}" in text
        assert client.get("/v1/curve").json()[0]["miou"] == 0.4
        assert client.get("/v1/state").json()["learned"]["trend"] is None
