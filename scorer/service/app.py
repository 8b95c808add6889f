"""The HTTP interface: what every route has in common, and the routes of the annotation page."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from scorer import __version__
from scorer.errors import BadImage, BadInput
from scorer.service import refusal, requests
from scorer.service.annotation import Annotation, Conflict
from scorer.service.guard import Guard, Limits
from scorer.service.metrics import Metrics
from scorer.service.scoring import Scoring

_PAGE = {
    "index.html": "text/html",
    "page.js": "text/javascript",
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
    "docs.html": "text/html",
    "docs.js": "text/javascript",
}
_SWAGGER = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css"}
_ANNOTATION, _OPERATION = "annotation", "operation"
_PAINTERS = 4  # pictures that are made at a time
# A picture is asked for again each time: the file may be another, or seen by another graph.
_ASK_AGAIN = {"Cache-Control": "private, no-cache"}
_PICTURE_CODES: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such image in the pool, or it cannot be shown."}
}
_ADDRESSES = {"index.html": "/", "docs.html": "/docs"}  # the others have their own names

Name = Annotated[str, Field(min_length=1, max_length=100)]
Annotator = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Text = Annotated[str, Field(min_length=1, max_length=4096)]
Index = Annotated[int, Field(ge=0, le=10**6)]


class Given(BaseModel):
    """An answer as the page sends it. request: names it, so that one sent twice is one."""

    model_config = ConfigDict(extra="forbid", strict=True)
    image: Text
    row: Index
    col: Index
    answer: Literal["label", "unsure", "skip"]
    class_name: Name | None = None
    annotator: Annotator
    seconds: Annotated[float, Field(ge=0, le=10**6, strict=False)]
    request: Name


class Undo(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    annotator: Annotator
    request: Name


def create(
    annotation: Annotation,
    scoring: Scoring,
    *,
    token: str | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """The application. token: what every request must bring; None: only this machine may ask."""
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
        Guard, token=token, limits=limits, uploads=requests.UPLOADS,
        graph=lambda: served.runtime.contract.sha256, metrics=metrics,
    )  # fmt: skip
    refusal.add(app)
    _add_page(app)
    _add_health(app, annotation, metrics)
    _add_routes(app, annotation)
    _add_pictures(app, annotation)
    requests.add(app, scoring, limits)
    requests.describe(app)
    return app


def _add_page(app: FastAPI) -> None:
    def add(file: Traversable, kind: str) -> None:
        content = file.read_bytes()

        def page() -> Response:
            return Response(content, media_type=kind)

        address = _ADDRESSES.get(file.name, f"/{file.name}")
        app.add_api_route(address, page, include_in_schema=False)

    for name, kind in _PAGE.items():
        add(files("scorer.service") / "page" / name, kind)
    for name, kind in _SWAGGER.items():
        add(files("fastapi_offline") / "static" / name, kind)


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
        changed = annotation.reload()
        return {"changed": changed, "graph": served.runtime.contract.sha256}


def _add_routes(app: FastAPI, annotation: Annotation) -> None:
    served = annotation.served

    @app.get("/v1/state", tags=[_ANNOTATION])
    def state() -> dict[str, Any]:
        """Classes, progress, and the graph that chooses."""
        pixels, images = annotation.queue.left()
        contract = served.runtime.contract
        return {
            "classes": contract.classes,
            "colours": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in contract.colours],
            "graph": contract.sha256,
            "acquisition": contract.acquisition,
            "has_map": contract.has_map,
            "started": annotation.started,
            "round": annotation.round,
            "images": len(annotation.pool),
            "ranked": annotation.ranked,
            "skipped": annotation.skipped,
            "nonnegative": annotation.nonnegative,
            "failure": annotation.failure,
            "pixels_left": pixels,
            "images_left": images,
            "pool_ranked": annotation.pool_ranked,
        }

    @app.get("/v1/queue", tags=[_ANNOTATION])
    def queue(
        annotator: Annotator, count: Annotated[int, Field(ge=1, le=20)] = 2
    ) -> list[dict[str, Any]]:
        """The next pixels for an annotator, theirs until they answer or stay away too long."""
        return [asdict(query) for query in annotation.queue.next(annotator, count)]

    @app.post("/v1/labels", status_code=201, tags=[_ANNOTATION])
    def label(given: Given) -> dict[str, int]:
        """Keep an answer: it is on the disk when this is answered."""
        if (given.answer == "label") != (given.class_name is not None):
            raise HTTPException(422, "a class goes with the answer label, and with no other")
        classes = served.runtime.contract.classes
        if given.class_name is not None and given.class_name not in classes:
            raise HTTPException(422, "no such class")
        query = annotation.queue.find((given.image, given.row, given.col))
        if query is None:
            raise HTTPException(404, "this pixel was not asked for")
        try:
            number = annotation.answer(
                query, answer=given.answer, class_name=given.class_name, annotator=given.annotator,
                seconds=given.seconds, request=given.request,
            )  # fmt: skip
        except Conflict as taken:
            raise HTTPException(409, str(taken)) from taken
        return {"id": number}

    @app.post("/v1/undo", tags=[_ANNOTATION])
    def undo(given: Undo) -> dict[str, Any]:
        """Take back one's last answer; the pixel is asked again, if it is of this pool."""
        undone = annotation.undo(given.annotator, given.request)
        query = undone and undone[1]
        return {"undone": undone is not None, "query": query and asdict(query)}


def _add_pictures(app: FastAPI, annotation: Annotation) -> None:
    few = CapacityLimiter(_PAINTERS)  # decoding is large, and others must not wait for it

    async def shown(read: Callable[[str], bytes], image: str, kind: str) -> Response:
        try:
            content = await anyio.to_thread.run_sync(read, image, limiter=few)
        except (BadImage, BadInput) as error:
            raise HTTPException(404, f"{image} cannot be shown: {error}") from error
        return Response(content, media_type=kind, headers=_ASK_AGAIN)

    @app.get("/v1/photograph", tags=[_ANNOTATION], responses=_PICTURE_CODES)
    async def photograph(
        image: Text, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """An image of the pool as JPEG, upright, at its own size."""
        try:
            tag = f'"{annotation.mark(image)}"'
        except BadInput as error:
            raise HTTPException(404, str(error)) from error
        if if_none_match == tag:
            return Response(status_code=304, headers=_ASK_AGAIN | {"ETag": tag})
        answer = await shown(annotation.photograph, image, "image/jpeg")
        answer.headers["ETag"] = tag
        return answer

    @app.get("/v1/map", tags=[_ANNOTATION], responses=_PICTURE_CODES)
    async def uncertainty(image: Text) -> Response:
        """The uncertainty map of an image as PNG, values through the normal CDF."""
        return await shown(annotation.map, image, "image/png")

    @app.get("/v1/segmentation", tags=[_ANNOTATION], responses=_PICTURE_CODES)
    async def segmentation(image: Text) -> Response:
        """The model's classes of an image as PNG, in their colours."""
        return await shown(annotation.segmentation, image, "image/png")
