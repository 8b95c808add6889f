"""Before any route: who may ask, and how much. Behind it: headers and metrics."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from fastapi import HTTPException, Request, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scorer.service.metrics import Metrics

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_MOST_BYTES = 65536  # of a request that is no upload: a click is small
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_GRAPH = "Balentacq-Graph"
_COOKIE = "balentacq-token"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """upload: bytes of a request with images. seconds: until it is here, and until its answer."""

    upload: int = 32_000_000
    seconds: float = 30.0


class Guard:
    """ASGI middleware. token: what every request must bring; None: only this machine may ask.

    uploads: paths whose requests may be as large as the limits say. graph: gives its hash.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, limits: Limits, uploads: frozenset[str],
        graph: Callable[[], str], metrics: Metrics,
    ) -> None:  # fmt: skip
        self.app, self.token, self.limits, self.uploads = app, token, limits, uploads
        self.graph, self.metrics = graph, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, begin, status = Request(scope), monotonic(), 500
        refusal = self._refusal(request)
        given = request.query_params.get("token") if self.token and refusal is None else None

        async def decorated(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = _HEADERS | {_GRAPH: self.graph()}
                message["headers"] += [(k.lower().encode(), v.encode()) for k, v in extra.items()]
                if given is not None:
                    cookie = f"{_COOKIE}={self.token}; HttpOnly; Path=/; SameSite=strict"
                    message["headers"].append((b"set-cookie", cookie.encode()))
            await send(message)

        try:
            if refusal is not None:
                await refusal(scope, receive, decorated)
            else:
                await self.app(scope, self._in_time(receive, begin), decorated)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            method = request.method if request.method in _METHODS else "other"
            self.metrics.observe(route, method, status, monotonic() - begin)

    def _in_time(self, receive: Receive, begin: float) -> Receive:
        """A body that does not end within the limit is no longer waited for."""
        whole = False

        async def timed() -> Message:
            nonlocal whole
            if whole:  # what is left to hear is that the client has gone
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
        length = request.headers.get("content-length", "0")
        if "transfer-encoding" in request.headers or not length.isdecimal():
            return Response("a request says its length", 411)
        upload = request.url.path in self.uploads
        most = self.limits.upload if upload else _MOST_BYTES
        if len(length) > len(str(most)) or int(length) > most:
            return Response(f"too large: at most {most} bytes", 413)
        origin = request.headers.get("origin")
        if origin is not None and origin != f"{request.url.scheme}://{request.headers.get('host')}":
            return Response("another page may not ask", 403)
        if self.token is not None and not _has_token(request, self.token):
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
