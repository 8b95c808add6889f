"""Middleware before all routes: access control, size and time limits, headers, metrics."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from time import monotonic
from urllib.parse import urlsplit

from fastapi import HTTPException, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scorer.service.metrics import Metrics
from scorer.service.responses import error_response

GRAPH = "balentacq-graph"  # response header with the hash of the graph
_UPLOADS_AT_ONCE = 8  # times the largest upload
_BUSY = 429
_MOST_BYTES = 65536  # of a request that is no upload
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_PAGES = frozenset({"/", "/docs"})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """upload: largest request with images, in bytes. seconds: for receiving a request, and for
    answering.
    """

    upload: int = 32_000_000
    seconds: float = 30.0


class Guard:
    """ASGI middleware.

    token: required in every request; None: only this machine has access. uploads: paths with the
    size limit for uploads. graph: returns the hash of the graph.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, limits: Limits, uploads: frozenset[str],
        graph: Callable[[], str], metrics: Metrics,
    ) -> None:  # fmt: skip
        self.app, self.token, self.limits, self.uploads = app, token, limits, uploads
        self.graph, self.metrics = graph, metrics
        self._arriving = 0  # bytes of uploads that are being received or processed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, begin, status, begun = Request(scope), monotonic(), 500, False
        refused = self._refusal(request)
        given = request.query_params.get("token") if self.token and refused is None else None

        async def decorated(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                extra = _HEADERS | {GRAPH: self.graph()}
                headers = MutableHeaders(scope=message)
                for name, value in extra.items():
                    headers.setdefault(name, value)
                if given is not None:
                    cookie = f"{_cookie(request)}={self.token}; HttpOnly; Path=/; SameSite=strict"
                    headers.append("set-cookie", cookie)
            await send(message)

        size = 0 if refused is not None else self._size(request)
        self._arriving += size
        try:
            if refused is not None:
                await refused(scope, receive, decorated)
            else:
                await self.app(scope, self._in_time(receive, begin), decorated)
        except Exception:
            if not begun:
                wrong = error_response(scope["path"], 500, "the service failed: its log says why")
                await wrong(scope, receive, decorated)
            raise  # logged
        finally:
            self._arriving -= size
            route = getattr(scope.get("route"), "path", "none")
            method = request.method if request.method in _METHODS else "other"
            self.metrics.observe(route, method, status, monotonic() - begin)

    def _in_time(self, receive: Receive, begin: float) -> Receive:
        """Limit the time for receiving a request body."""
        whole = False

        async def timed() -> Message:
            nonlocal whole
            if whole:  # only the client's disconnection is left to receive
                return await receive()
            try:
                async with asyncio.timeout(begin + self.limits.seconds - monotonic()):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "the request took too long to arrive") from None
            whole = not message.get("more_body", False)
            return message

        return timed

    def _refusal(self, request: Request) -> Response | None:
        wrong = self._stranger(request) or self._too_much(request)
        if wrong is None:
            return None
        later = {"Retry-After": "1"} if wrong[0] == _BUSY else None
        return error_response(request.scope["path"], *wrong, later)

    def _stranger(self, request: Request) -> tuple[int, str] | None:
        """Status and reason if the client has no access; else None."""
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if self.token is None and not is_loopback(_hostname(host)):
            return 400, "this service answers to the names of this machine alone"
        # Ignoring the scheme, which may be a proxy's. Links to a page are allowed from any site.
        site, mode = (request.headers.get(f"sec-fetch-{name}") for name in ("site", "mode"))
        followed = mode == "navigate" and request.scope["path"] in _PAGES
        foreign = site in {"cross-site", "same-site"} and not followed
        if foreign or (origin is not None and _host_of(origin) != host):
            return 403, "another page may not ask"
        if self.token is not None and not _has_token(request, self.token):
            return (
                401,
                "the token is missing or wrong: the service printed it when it started",
            )
        return None

    def _too_much(self, request: Request) -> tuple[int, str] | None:
        """Status and reason if a request is too large, or too much is being uploaded; else None."""
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdecimal():
            return 411, "a request says its length"
        upload = request.scope["path"] in self.uploads
        most = self.limits.upload if upload else _MOST_BYTES
        if len(length) > len(str(most)) or int(length) > most:
            return 413, f"too large: at most {most} bytes"
        if upload and self._arriving + int(length) > _UPLOADS_AT_ONCE * self.limits.upload:
            return _BUSY, "too much is being sent at once"
        return None

    def _size(self, request: Request) -> int:
        """Bytes that a request holds in memory until it is answered."""
        upload = request.scope["path"] in self.uploads
        return int(request.headers.get("content-length", "0")) if upload else 0


def is_loopback(host: str) -> bool:
    """Whether a host name or address is a loopback address of this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _hostname(host: str) -> str:
    """The host in a Host header, without the port; "" if invalid."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _host_of(origin: str) -> str:
    """The host and port in an Origin header; "" if invalid."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _cookie(request: Request) -> str:
    """The name of the cookie, with the port, because browsers share cookies between ports."""
    return f"balentacq-token-{request.url.port or 0}"


def _has_token(request: Request, token: str) -> bool:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = (
        bearer if scheme.lower() == "bearer" else "",
        request.query_params.get("token", ""),
        request.cookies.get(_cookie(request), ""),
    )
    found = [secrets.compare_digest(one.encode(), token.encode()) for one in given]
    return any(found)  # all are compared, which takes constant time
