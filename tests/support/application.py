"""The service as an application in this process, with a client in this process."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scorer.labels.store import Store
from scorer.pools import list_pool
from scorer.runtimes import open_graph
from scorer.runtimes.base import Runtime
from scorer.runtimes.blank import Blank

pytest.importorskip("fastapi", reason="pip install 'balentacq[serve]'")
from fastapi.testclient import TestClient

from scorer.service import app
from scorer.service.annotation import Annotation
from scorer.service.scoring import Scoring
from scorer.service.served import Served

HOST = "http://127.0.0.1"
AHEAD = 4  # number of pixels that a live session chooses ahead


def started(
    folder: Path,
    graph: Path,
    *,
    n: int = 3,
    reopen: Callable[[], Runtime] | None = None,
    pool: str = "images",
) -> Annotation:
    """The annotation of folder/images, or another pool there, and folder/labels.db; it starts
    ranking.
    """
    served = Served(reopen or (lambda: open_graph("cpu", graph, workers=1)))
    store = Store(folder / "labels.db", served.runtime.contract.classes)
    annotation = Annotation(list_pool(folder / pool), served, store, n=n, distance=0.0, seed=0)
    annotation.start()
    return annotation


def ranked(annotation: Annotation) -> Annotation:
    """The annotation, once its whole pool is ranked."""
    end = time.monotonic() + 60
    while not annotation.rounds.is_ranked:
        assert annotation.rounds.failure is None
        assert time.monotonic() < end
        time.sleep(0.01)
    return annotation


@contextmanager
def answering(
    annotation: Annotation, scoring: Scoring | None = None, host: str = HOST, **options: Any
) -> Iterator[TestClient]:
    """A client of the annotation, which is stopped afterwards."""
    scoring = scoring or Scoring(annotation.served)
    try:
        with TestClient(app.create(annotation, scoring, **options), base_url=host) as client:
            yield client
    finally:
        scoring.stop()
        annotation.stop()


def live(
    folder: Path,
    graph: Path,
    *,
    n: int = 3,
    audit: float = 0.0,
    grows: bool = False,
    classes: tuple[str, ...] | None = None,
) -> Annotation:
    """The annotation of a live session: random pixels of folder/images until folder/scorer.onnx
    exists.

    classes: initial ones; None: those of the graph.
    """
    if classes is None:
        classes = open_graph("cpu", graph, workers=1).contract.classes
    kept = folder / "scorer.onnx"
    served = Served(
        lambda: open_graph("cpu", kept, workers=1) if kept.exists() else Blank(classes, (64, 96))
    )
    store = Store(folder / "labels.db", classes, grows=grows)
    pool = list_pool(folder / "images")
    annotation = Annotation(
        pool, served, store, n=n, distance=None, seed=0, ahead=AHEAD, audit=audit
    )
    annotation.start()
    return annotation


def until(true: Callable[[], bool]) -> None:
    for _ in range(400):
        if true():
            return
        time.sleep(0.02)
    pytest.fail("it never came")


def asked(client: TestClient, count: int = 1, annotator: str = "ann") -> list[dict[str, Any]]:
    """The questions for an annotator, once there is one."""
    params = {"annotator": annotator, "count": count}
    until(lambda: bool(client.get("/v1/queue", params=params).json()))
    found: list[dict[str, Any]] = client.get("/v1/queue", params=params).json()
    return found


def answer(client: TestClient, query: dict[str, Any], name: str, annotator: str = "ann") -> None:
    """Answer a question with a class; the service must accept it."""
    place = {key: query[key] for key in ("image", "row", "col")}
    body = place | {"answer": "label", "class_name": name, "annotator": annotator, "seconds": 1.0}
    sent = body | {"request": uuid.uuid4().hex}
    assert client.post("/v1/labels", json=sent).status_code == 201
