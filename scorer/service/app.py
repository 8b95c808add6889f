"""The HTTP application: the page's files, health, metrics, and the routes of other modules."""

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
_KINDS = {  # media types of served files, by suffix
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_SWAGGER = ("swagger-ui-bundle.js", "swagger-ui.css")
_OPERATION = "operation"
# other files are served under their own names
_ADDRESSES = {"index.html": "/", "docs.html": "/docs"}


def create(
    annotation: Annotation,
    scoring: Scoring,
    *,
    token: str | None = None,
    limits: Limits | None = None,
    inbox: Inbox | None = None,
    segmenter: Segmenter | None = None,
) -> FastAPI:
    """Create the application.

    token: required in every request; None: only this machine has access. inbox: receives graphs of
    a remote training process. segmenter: for images sent to be segmented.
    """
    limits, served, metrics = limits or Limits(), annotation.served, Metrics(annotation, scoring)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:  # meanwhile, requests get "not ready"
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
        """The process is running."""
        return {"live": True}

    @app.get(
        "/health/ready",
        tags=[_OPERATION],
        responses={503: {"description": "Not yet."}},
    )
    async def ready(response: Response) -> dict[str, bool]:
        """Whether the graph is ready: it has been run once."""
        response.status_code = 200 if served.ready else 503
        return {"ready": served.ready}

    @app.get("/metrics", tags=[_OPERATION], response_class=Response)
    def measured() -> Response:
        """Metrics for Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.post("/v1/reload", tags=[_OPERATION])
    def reload() -> dict[str, Any]:
        """Reload the graph's file; a new graph ranks the pool again."""
        changed = annotation.rounds.reload()
        return {"changed": changed, "graph": served.runtime.contract.sha256}
