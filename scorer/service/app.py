"""The HTTP interface: what every route has in common, and the routes of the annotation page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Literal

import anyio.to_thread
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field

from scorer import __version__
from scorer.service import refusal, requests
from scorer.service.annotation import Annotation, read_picture
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
_ADDRESSES = {"index.html": "/", "docs.html": "/docs"}  # the others have their own names

Name = Annotated[str, Field(min_length=1, max_length=100)]
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
    annotator: Name
    seconds: Annotated[float, Field(ge=0, le=10**6, strict=False)]
    request: Name


class Undo(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    annotator: Name
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
        await anyio.to_thread.run_sync(served.warm_up)
        yield
        served.ready = False

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

    @app.get("/health/live")
    async def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @app.get("/health/ready", responses={503: {"description": "Not yet, or not any more."}})
    async def ready(response: Response) -> dict[str, bool]:
        """The graph is warm, and requests are taken."""
        response.status_code = 200 if served.ready else 503
        return {"ready": served.ready}

    @app.get("/metrics", response_class=Response)
    def measured() -> Response:
        """For Prometheus."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.post("/v1/reload")
    def reload() -> dict[str, Any]:
        """Open the graph's file again; where it is another, the pool is ranked again with it."""
        changed = annotation.reload()
        return {"changed": changed, "graph": served.runtime.contract.sha256}


def _add_routes(app: FastAPI, annotation: Annotation) -> None:
    served = annotation.served

    @app.get("/v1/state")
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
            "round": annotation.round,
            "images": len(annotation.pool),
            "ranked": annotation.ranked,
            "skipped": annotation.skipped,
            "failure": annotation.failure,
            "pixels_left": pixels,
            "images_left": images,
            "done": annotation.done,
        }

    @app.get("/v1/queue")
    def queue(
        annotator: Name, count: Annotated[int, Field(ge=1, le=20)] = 2
    ) -> list[dict[str, Any]]:
        """The next pixels for an annotator, theirs until they answer or stay away too long."""
        return [asdict(query) for query in annotation.queue.next(annotator, count)]

    @app.post("/v1/labels", status_code=201)
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
        if not annotation.queue.holds(query.place, given.annotator):
            raise HTTPException(409, "somebody else has this pixel now")
        number = annotation.answer(
            query,
            answer=given.answer,
            class_name=given.class_name,
            annotator=given.annotator,
            seconds=given.seconds,
            request=given.request,
        )
        return {"id": number}

    @app.post("/v1/undo")
    def undo(given: Undo) -> dict[str, Any]:
        """Take back one's last answer; the pixel is asked again."""
        query = annotation.undo(given.annotator, given.request)
        return {"query": None if query is None else asdict(query)}

    @app.get("/v1/photograph")
    def photograph(image: Text) -> Response:
        """An image of the pool as JPEG, upright, at its own size."""
        return _picture(read_picture(annotation.photograph, image), "image/jpeg", keep=True)

    @app.get("/v1/map")
    def uncertainty(image: Text) -> Response:
        """The uncertainty map of an image as PNG, values through the normal CDF."""
        return _picture(read_picture(annotation.map, image), "image/png")

    @app.get("/v1/segmentation")
    def segmentation(image: Text) -> Response:
        """The model's classes of an image as PNG, in their colours."""
        return _picture(read_picture(annotation.segmentation, image), "image/png")


def _picture(content: bytes | None, kind: str, *, keep: bool = False) -> Response:
    if content is None:
        raise HTTPException(404, "no such image in the pool, or it cannot be read")
    # A photograph stays what it is; what the graph sees in it, until there is another graph.
    how = "private, max-age=3600" if keep else "no-cache"
    return Response(content, media_type=kind, headers={"Cache-Control": how})
