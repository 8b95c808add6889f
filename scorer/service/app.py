"""The HTTP interface: routes, what they take, and who may ask."""

import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from importlib.resources import files
from typing import Annotated, Any, Literal

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from pydantic import BaseModel, ConfigDict, Field

from scorer import __version__
from scorer.errors import Failure
from scorer.service.annotation import Annotation, read_picture

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_MOST_BYTES = 65536  # of a request: a click is small
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE = {
    "index.html": "text/html",
    "page.js": "text/javascript",
    "page.css": "text/css",
    "icon.svg": "image/svg+xml",
}
_COOKIE = "balentacq-token"

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


def create(annotation: Annotation, *, token: str | None = None) -> FastAPI:
    """The application. token: what every request must bring; None: only this machine may ask."""
    app = FastAPI(title="balentacq", version=__version__, docs_url=None, redoc_url=None)
    app.middleware("http")(_guard(token))
    app.exception_handler(RequestValidationError)(_not_understood)
    app.exception_handler(Failure)(_failed)
    if token is None:
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=[*LOOPBACK])
    _add_page(app)
    _add_routes(app, annotation)
    return app


async def _not_understood(_: Request, error: Exception) -> Response:
    """What is wrong with a request, without what it said: that may be no text at all."""
    assert isinstance(error, RequestValidationError)
    wrong = [
        {"loc": [str(part) for part in one["loc"]], "msg": one["msg"]} for one in error.errors()
    ]
    content = json.dumps({"detail": wrong})
    return Response(content, status_code=422, media_type="application/json")


async def _failed(_: Request, error: Exception) -> Response:
    """A full disk, or a file that cannot be read: the page says so and keeps the pixel."""
    assert isinstance(error, Failure)
    content = json.dumps({"detail": str(error), "remedy": error.remedy})
    return Response(content, status_code=503, media_type="application/json")


Next = Callable[[Request], Awaitable[Response]]


def _guard(token: str | None) -> Callable[[Request, Next], Awaitable[Response]]:
    """Refuse what is too large, comes from another page, or brings no token."""

    async def guard(request: Request, proceed: Next) -> Response:
        refusal = _refusal(request, token)
        response = refusal or await proceed(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        given = request.query_params.get("token")
        if refusal is None and token is not None and given is not None:
            response.set_cookie(_COOKIE, token, httponly=True, samesite="strict")
        return response

    return guard


def _refusal(request: Request, token: str | None) -> Response | None:
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not length.isdecimal():
        return Response("a request says its length", 411)
    if int(length) > _MOST_BYTES:
        return Response("too large", 413)
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{request.headers.get('host')}":
        return Response("another page may not ask", 403)
    if token is not None and not _has_token(request, token):
        return Response("this service needs its token: it was printed when it started", 401)
    return None


def _has_token(request: Request, token: str) -> bool:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = (
        bearer if scheme.lower() == "bearer" else "",
        request.query_params.get("token", ""),
        request.cookies.get(_COOKIE, ""),
    )
    found = [secrets.compare_digest(one.encode(), token.encode()) for one in given]
    return any(found)  # each is compared, whichever fits


def _add_page(app: FastAPI) -> None:
    folder = files("scorer.service") / "page"

    def add(name: str, kind: str) -> None:
        content = (folder / name).read_bytes()

        def page() -> Response:
            return Response(content, media_type=kind)

        address = "/" if name == "index.html" else f"/{name}"
        app.add_api_route(address, page, include_in_schema=False)

    for name, kind in _PAGE.items():
        add(name, kind)


def _add_routes(app: FastAPI, annotation: Annotation) -> None:
    contract = annotation.runtime.contract

    @app.get("/health/live")
    def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @app.get("/v1/state")
    def state() -> dict[str, Any]:
        """Classes, progress, and the graph that chooses."""
        pixels, images = annotation.queue.left()
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
        if given.class_name is not None and given.class_name not in contract.classes:
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
        return _picture(read_picture(annotation.photograph, image), "image/jpeg")

    @app.get("/v1/map")
    def uncertainty(image: Text) -> Response:
        """The uncertainty map of an image as PNG, values through the normal CDF."""
        return _picture(read_picture(annotation.map, image), "image/png")


def _picture(content: bytes | None, kind: str) -> Response:
    if content is None:
        raise HTTPException(404, "no such image in the pool, or it cannot be read")
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})
