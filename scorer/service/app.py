"""The HTTP interface: what every route has in common, the page itself, health and metrics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Response

from scorer import __version__
from scorer.service import annotating, requests, responses, segmenting, teaching
from scorer.service.annotation import Annotation
from scorer.service.guard import Guard, Limits
from scorer.service.inbox import Inbox
from scorer.service.metrics import Metrics
from scorer.service.scoring import Scoring
from scorer.service.segmenting import Segmenter

_PAGE = files("scorer.service") / "page"
_KINDS = {  # of files that are served, by their suffix
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css")
_OPERATION = "operation"
_ADDRESSES = {"index.html": "/", "docs.html": "/docs"}  # the others have their own names


def create(
    annotation: Annotation,
    scoring: Scoring,
    *,
    token: str | None = None,
    limits: Limits | None = None,
    inbox: Inbox | None = None,
    segmenter: Segmenter | None = None,
) -> FastAPI:
    """The application. token: what every request must bring; None: only this machine may ask.
    inbox: where a process that learns elsewhere may put graphs. segmenter: of the images that are
    sent to be segmented.
    """
    limits, served, metrics = limits or Limits(), annotation.served, Metrics(annotation, scoring)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:  # who asks meanwhile hears "not ready"
            tasks.start_soon(anyio.to_thread.run_sync, served.warm_up)
            yield

    app = FastAPI(
        title="balentacq", version=__version__, docs_url=None, redoc_url=None, lifespan=life
    )
    app.add_middleware(
        Guard, token=token, limits=limits,
        uploads=requests.UPLOADS | teaching.UPLOADS | segmenting.UPLOADS,
        graph=lambda: served.runtime.contract.sha256, metrics=metrics,
    )  # fmt: skip
    responses.add(app)
    _add_page(app)
    _add_health(app, annotation, metrics)
    annotating.add(app, annotation)
    teaching.add(app, annotation, inbox)
    requests.add(app, scoring, limits)
    segmenting.add(app, segmenter, limits)
    requests.describe(app)
    return app


def _add_page(app: FastAPI) -> None:
    def add(file: Traversable) -> None:
        content, kind = file.read_bytes(), _KINDS[PurePath(file.name).suffix]

        def page() -> Response:
            return Response(content, media_type=kind)

        address = _ADDRESSES.get(file.name, f"/{file.name}")
        app.add_api_route(address, page, include_in_schema=False)

    for file in _PAGE.iterdir():
        if PurePath(file.name).suffix in _KINDS:
            add(file)
    for name in _SWAGGER:
        add(files("fastapi_offline") / "static" / name)


def _add_health(app: FastAPI, annotation: Annotation, metrics: Metrics) -> None:
    served = annotation.served

    @app.get("/health/live", tags=[_OPERATION])
    async def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @app.get(
        "/health/ready",
        tags=[_OPERATION],
        responses={503: {"description": "Not yet."}},
    )
    async def ready(response: Response) -> dict[str, bool]:
        """The graph is warm: it has computed something."""
        response.status_code = 200 if served.ready else 503
        return {"ready": served.ready}

    @app.get("/metrics", tags=[_OPERATION], response_class=Response)
    def measured() -> Response:
        """For Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.post("/v1/reload", tags=[_OPERATION])
    def reload() -> dict[str, Any]:
        """Open the graph's file again; where it is another, the pool is ranked again with it."""
        changed = annotation.rounds.reload()
        return {"changed": changed, "graph": served.runtime.contract.sha256}
