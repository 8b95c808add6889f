"""A process that learns on another machine: through HTTP, against a service that listens."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from application import HOST, answering, asked, live
from fastapi.testclient import TestClient
from PIL import Image

from scorer.errors import BadInput, Failure
from scorer.labels import learned
from scorer.labels.answer import Answer
from scorer.labels.learned import Doubt, Learned
from scorer.runtimes import open_graph
from scorer.service import app
from scorer.service.annotation import Annotation
from scorer.service.inbox import Inbox
from scorer.service.scoring import Scoring
from trainer.live.remote import Refused, RemoteStore

uvicorn = pytest.importorskip("uvicorn", reason="pip install 'balentacq[serve]'")

Graph = Callable[..., Path]
SECRET = "secret"
MODEL = Learned(rows=30, labels=25, images=9, gathered_and_fitted=1.5, exported=0.5, confirmed=0.6)


@pytest.fixture
def annotation(tmp_path: Path, tiny: Graph) -> Annotation:
    (tmp_path / "images").mkdir()
    for index in range(6):
        Image.new("RGB", (70, 50), (index, 0, 0)).save(tmp_path / "images" / f"{index}.png")
    return live(tmp_path, tiny(), grows=True)


def inbox(annotation: Annotation) -> Inbox:
    graph = annotation.store.path.with_name("scorer.onnx")
    return Inbox(graph, lambda path: open_graph("cpu", path, workers=1))


@contextmanager
def listening(annotation: Annotation, *, takes: bool = True) -> Iterator[str]:
    """The address of the service."""
    scoring = Scoring(annotation.served)
    made = app.create(annotation, scoring, token=SECRET, inbox=inbox(annotation) if takes else None)
    server = uvicorn.Server(uvicorn.Config(made, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        scoring.stop()
        annotation.stop()


def answer(number: int, **changes: object) -> Answer:
    values: dict[str, object] = {
        "image": "0.png", "row": number, "col": 2, "height": 50, "width": 70, "grid_height": 64,
        "grid_width": 96, "answer": "label", "class_name": None, "round": 1, "annotator": "ann",
        "seconds": 1.0, "time": "2026-01-01T00:00:00+00:00", "request": f"{number}",
    }  # fmt: skip
    return Answer(**values | changes)  # type: ignore[arg-type]


def test_answers_and_classes_come_as_the_service_has_them(annotation: Annotation) -> None:
    sky, road = annotation.store.classes[:2]
    with listening(annotation) as address:
        remote = RemoteStore(address, SECRET)
        assert remote.length() == 0
        annotation.store.add(answer(1, class_name=sky))
        annotation.store.add(answer(2, class_name=road, source="audit", guess=sky))
        annotation.store.add_class("lamp post")
        annotation.store.add(answer(3, class_name="lamp post"))
        assert remote.length() == 3
        assert remote.reread_classes() == annotation.store.classes
        assert list(remote.standing()) == list(annotation.store.standing())
        assert remote.labels() == annotation.store.labels()
        assert remote.audit() == annotation.store.audit()
        annotation.store.undo("ann", time="t", request="undo")
        assert remote.length() == 4
        assert len(list(remote.standing())) == 2


def test_a_graph_is_served_and_what_is_said_of_it_kept(annotation: Annotation, tiny: Graph) -> None:
    doubt = Doubt(image="0.png", row=1, col=2, given="a", predicted="b", probability=0.9)
    with listening(annotation) as address:
        remote = RemoteStore(address + "/", SECRET)
        before = annotation.served.runtime.contract.sha256
        remote.publish(tiny("entropy"), MODEL)
        assert annotation.served.runtime.contract.acquisition == "entropy"
        assert annotation.served.runtime.contract.sha256 != before
        assert annotation.progress.newest == MODEL
        remote.publish_doubts([doubt])
        assert learned.read_doubts(annotation.store.path.with_name(learned.DOUBTS)) == [doubt]


@pytest.mark.parametrize("content", [b"", b"no graph"])
def test_what_is_no_graph_is_refused_and_the_one_before_stays(
    content: bytes, annotation: Annotation, tiny: Graph, tmp_path: Path
) -> None:
    with listening(annotation) as address:
        remote = RemoteStore(address, SECRET)
        remote.publish(tiny("entropy"), MODEL)
        graph = annotation.store.path.with_name("scorer.onnx")
        before = graph.read_bytes()
        (tmp_path / "bad.onnx").write_bytes(content)
        with pytest.raises(Failure, match="refuses"):
            remote.publish(tmp_path / "bad.onnx", MODEL)
        assert graph.read_bytes() == before
        assert sorted(path.name for path in graph.parent.glob("*scorer*")) == ["scorer.onnx"]
        assert annotation.served.runtime.contract.acquisition == "entropy"


def test_a_graph_of_other_classes_is_refused(
    annotation: Annotation, tiny: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(annotation.store, "classes", ("other", "classes"))
    with listening(annotation) as address, pytest.raises(Failure, match="other classes"):
        RemoteStore(address, SECRET).publish(tiny("entropy"), MODEL)
    assert not annotation.store.path.with_name("scorer.onnx").exists()


def test_nobody_teaches_without_being_asked_to(annotation: Annotation) -> None:
    with listening(annotation, takes=False) as address:
        with pytest.raises(Refused, match="without --learner"):
            RemoteStore(address, SECRET).length()
        with pytest.raises(Refused, match="token is missing or wrong"):
            RemoteStore(address, "other").length()


def test_a_service_that_is_away_is_named() -> None:
    with pytest.raises(Failure, match="does not answer"):
        RemoteStore("http://127.0.0.1:9", SECRET).length()
    for address in ("file:///etc/passwd", "first:8000"):
        with pytest.raises(BadInput, match="no address"):
            RemoteStore(address)


def test_a_line_that_is_none_is_refused(annotation: Annotation) -> None:
    options = {"inbox": inbox(annotation)}
    with answering(annotation, None, HOST, **options) as client:
        assert isinstance(client, TestClient)
        asked(client)
        for model in ({}, {"rows": -1, "labels": 1, "images": 1}, {"rows": "many"}):
            assert client.post("/v1/learned", json={"model": model}).status_code == 422
        assert annotation.progress.newest is None
