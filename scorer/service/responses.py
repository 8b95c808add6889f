"""Error responses in JSON, in the form that the protocol requires."""

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
    """An error response with the reason `wrong`; in the Open Inference Protocol as text under
    `error`.
    """
    content: dict[str, object] = {"detail": wrong}
    if path.startswith("/v2"):
        content = {"error": wrong if isinstance(wrong, str) else json.dumps(wrong)}
    return Response(json.dumps(content), status, headers, "application/json")


def add(app: FastAPI) -> None:
    """Add handlers for all errors to an application."""
    app.exception_handler(RequestValidationError)(_not_understood)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(Failure)(_failed)
    app.exception_handler(Busy)(_busy)
    app.exception_handler(NoModel)(_no_model)


async def _not_understood(request: Request, error: Exception) -> Response:
    """The errors of a request without the invalid input, which may not be valid text."""
    assert isinstance(error, RequestValidationError)
    wrong: list[Any] = [
        {"loc": [str(part) for part in one["loc"]], "msg": one["msg"]} for one in error.errors()
    ]
    return error_response(request.url.path, 422, wrong)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(request.url.path, error.status_code, error.detail, error.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """Status 400 for invalid input; 503 for a full disk, or a file that cannot be read."""
    assert isinstance(error, Failure)
    wrong = f"{error}; {error.remedy}"
    return error_response(request.url.path, 400 if isinstance(error, BadInput) else 503, wrong)


async def _busy(request: Request, error: Exception) -> Response:
    assert isinstance(error, Busy)
    return error_response(request.url.path, 429, str(error), {"Retry-After": str(error.seconds)})


async def _no_model(request: Request, error: Exception) -> Response:
    return error_response(request.url.path, 503, str(error), {"Retry-After": "10"})
