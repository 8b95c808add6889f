"""How a request is refused: what is wrong, as JSON, under the name that its protocol has for it."""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from scorer.errors import BadInput, Failure
from scorer.service.scoring import Busy, NoModel


def error_response(
    path: str, status: int, wrong: object, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer that says what is `wrong`; the Open Inference Protocol wants a text as `error`."""
    content: dict[str, object] = {"detail": wrong}
    if path.startswith("/v2"):
        content = {"error": wrong if isinstance(wrong, str) else json.dumps(wrong)}
    return Response(json.dumps(content), status, headers, "application/json")


def add(app: FastAPI) -> None:
    """Give an application an answer to every error that is not its own."""
    app.exception_handler(RequestValidationError)(_not_understood)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(Failure)(_failed)
    app.exception_handler(Busy)(_busy)
    app.exception_handler(NoModel)(_no_model)


async def _not_understood(request: Request, error: Exception) -> Response:
    """What is wrong with a request, without what it said: that may be no text at all."""
    assert isinstance(error, RequestValidationError)
    wrong: list[Any] = [
        {"loc": [str(part) for part in one["loc"]], "msg": one["msg"]} for one in error.errors()
    ]
    return error_response(request.url.path, 422, wrong)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(request.url.path, error.status_code, error.detail, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """What was asked makes no sense (400); or a full disk, a file that cannot be read (503)."""
    assert isinstance(error, Failure)
    wrong = f"{error}; {error.remedy}"
    return error_response(request.url.path, 400 if isinstance(error, BadInput) else 503, wrong)


async def _busy(request: Request, error: Exception) -> Response:
    assert isinstance(error, Busy)
    return error_response(request.url.path, 429, str(error), {"Retry-After": str(error.seconds)})


async def _no_model(request: Request, error: Exception) -> Response:
    return error_response(request.url.path, 503, str(error), {"Retry-After": "10"})
