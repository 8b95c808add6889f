"""The service as an application in this process, asked by a client in this process."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scorer.labels.store import Store
from scorer.pools import list_pool
from scorer.runtimes import open_graph
from scorer.runtimes.base import Runtime

pytest.importorskip("fastapi", reason="pip install 'balentacq[serve]'")
from fastapi.testclient import TestClient

from scorer.service import app
from scorer.service.annotation import Annotation
from scorer.service.scoring import Scoring
from scorer.service.served import Served

HOST = "http://127.0.0.1"


def started(
    folder: Path,
    graph: Path,
    *,
    n: int = 3,
    reopen: Callable[[], Runtime] | None = None,
    pool: str = "images",
) -> Annotation:
    """On folder/images, or another pool there, and folder/labels.db; it begins to rank."""
    served = Served(reopen or (lambda: open_graph("cpu", graph, workers=1)))
    store = Store(folder / "labels.db", served.runtime.contract.classes)
    annotation = Annotation(list_pool(folder / pool), served, store, n=n, distance=0.0, seed=0)
    annotation.start()
    return annotation


def ranked(annotation: Annotation) -> Annotation:
    """The same, once its whole pool is ranked."""
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
    """A client of it; when it is done, the service is stopped."""
    scoring = scoring or Scoring(annotation.served)
    try:
        with TestClient(app.create(annotation, scoring, **options), base_url=host) as client:
            yield client
    finally:
        scoring.stop()
        annotation.stop()
