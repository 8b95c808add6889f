"""The routes for other programs that request scores."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Annotated, Any, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, File, HTTPException, Query, Request, Response, UploadFile
from pydantic import Field

from scorer.errors import BadImage
from scorer.runtimes.blank import is_blank
from scorer.selection.spacing import AUTO
from scorer.service import inference
from scorer.service.guard import GRAPH, Limits
from scorer.service.inference import MODEL, Inference
from scorer.service.scoring import Scored, Scoring
from scorer.service.upload import Upload

MOST_FILES = 64
_LONGEST_NAME = 4096
_PARSERS = 2  # requests with tensors that are parsed or written at a time
_REFERENCE = "#/components/schemas/{model}"
_MODEL = f"/v2/models/{MODEL}"
UPLOADS = frozenset({"/v1/rank", f"{_MODEL}/infer", f"{_MODEL}/versions/1/infer"})
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"description": "This graph cannot answer that."},
    429: {"description": "Too many images wait; Retry-After says for how many seconds."},
    503: {"description": "It took longer than the limit."},
}


def add(app: FastAPI, scoring: Scoring, limits: Limits) -> None:
    """Add the routes to an application."""
    _add_rank(app, scoring, limits)
    _add_inference(app, scoring, limits)


def describe(app: FastAPI) -> None:
    """Add to the OpenAPI description what FastAPI cannot derive: bodies that mix JSON and binary
    data.
    """
    schema = Inference.model_json_schema(ref_template=_REFERENCE)
    parts = schema.pop("$defs")
    app.openapi()["components"]["schemas"].update(parts | {"Inference": schema})


def _add_rank(app: FastAPI, scoring: Scoring, limits: Limits) -> None:
    @app.post("/v1/rank", tags=["scores"], responses=_ERRORS)
    async def rank(
        images: Annotated[list[UploadFile], File(description="JPEG, PNG, WebP, TIFF or BMP files")],
        response: Response,
        n: Annotated[int, Query(ge=1, le=10_000, description="pixels per image")] = 5,
        want_map: Annotated[bool, Query(alias="map", description="with the map as PNG")] = False,
        min_distance: Annotated[
            Annotated[float, Field(ge=0, le=10**5, allow_inf_nan=False)] | Literal["auto"],
            Query(
                description="of the pixels from each other, in those of the image; 0: the paper's"
            ),
        ] = "auto",
        seed: Annotated[int, Query(ge=0, le=2**32 - 1)] = 0,
    ) -> dict[str, Any]:
        """Rank the pixels of uploaded images, best first.

        An image that cannot be used has an `error` in place of its pixels.
        """
        if len(images) > MOST_FILES:
            raise HTTPException(413, f"at most {MOST_FILES} images in a request")
        distance = AUTO if min_distance == "auto" else min_distance
        works = [
            Upload(name_of(file), await file.read(), n, distance, seed, want_map) for file in images
        ]
        futures = scoring.submit(works)
        await done(futures, limits.seconds)
        for future in futures:
            if future.exception() is None:
                response.headers[GRAPH] = future.result().contract.sha256
        return {"images": [_of_image(work, one) for work, one in zip(works, futures, strict=True)]}


def name_of(file: UploadFile) -> str:
    """The file name of an upload, as valid UTF-8 of limited length."""
    return (file.filename or "image").encode("utf-8", "replace").decode()[:_LONGEST_NAME]


def _of_image(work: Upload, future: "Future[Scored]") -> Any:
    error = future.exception()
    if isinstance(error, BadImage):
        return {"image": work.name, "error": str(error)}
    return future.result().answer


async def done(futures: "Sequence[Future[Any]]", seconds: float) -> None:
    """Wait until all futures are done. Raises HTTPException 503 after `seconds`."""
    waiting = [asyncio.wrap_future(future) for future in futures]
    try:
        _, late = await asyncio.wait(waiting, timeout=seconds)
    finally:  # the client may have disconnected
        for one in waiting:
            one.cancel()
    for one in waiting:
        if not one.cancelled():
            one.exception()  # raised again when the result is read
    if late:
        raise HTTPException(503, f"no answer within {seconds:g} s", {"Retry-After": "1"})


def _add_inference(app: FastAPI, scoring: Scoring, limits: Limits) -> None:
    served, parsing = scoring.served, CapacityLimiter(_PARSERS)

    @app.get("/v2", tags=["open inference protocol"])
    async def server() -> dict[str, Any]:
        """Name, version, extensions."""
        return inference.server()

    @app.get("/v2/health/live", tags=["open inference protocol"])
    async def live() -> Response:
        """The process is running."""
        return Response()

    async def ready() -> Response:
        """Whether the graph is ready, and belongs to a model."""
        is_ready = served.ready and not is_blank(served.runtime.contract)
        return Response(status_code=200 if is_ready else 503)

    async def model() -> dict[str, Any]:
        """The graph's inputs and outputs."""
        return inference.metadata(served.runtime.contract)

    async def infer(request: Request) -> Response:
        """Run the graph on raw tensors, as JSON or binary."""
        content, length = await request.body(), request.headers.get(inference.HEADER)
        raw = await to_thread.run_sync(inference.read, content, length, limiter=parsing)
        (future,) = scoring.submit([raw])
        await done([future], limits.seconds)
        scored = future.result()
        body, end = await to_thread.run_sync(inference.written, raw, scored, limiter=parsing)
        headers = {GRAPH: scored.contract.sha256}
        if end is None:
            return Response(body, media_type="application/json", headers=headers)
        headers[inference.HEADER] = str(end)
        return Response(body, media_type="application/octet-stream", headers=headers)

    described = {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": _REFERENCE.format(model="Inference")}}
            },
        }
    }
    ready_codes: dict[int | str, dict[str, Any]] = {503: {"description": "Not yet."}}
    tags: list[Any] = ["open inference protocol"]
    for path in ("/v2/health/ready", f"{_MODEL}/ready", f"{_MODEL}/versions/1/ready"):
        app.add_api_route(path, ready, responses=ready_codes, tags=tags)
    for path in (_MODEL, f"{_MODEL}/versions/1"):
        app.add_api_route(path, model, tags=tags)
        app.add_api_route(
            f"{path}/infer", infer, methods=["POST"], openapi_extra=described, tags=tags,
            responses=_ERRORS,
        )  # fmt: skip
