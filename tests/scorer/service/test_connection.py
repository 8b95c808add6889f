"""Clients that never finish what they begin, on a real socket."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

pytest.importorskip("uvicorn", reason="pip install 'balentacq[serve]'")
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from scorer.service import connection
from scorer.service.guard import Guard, Limits

UPLOAD = 1000
LARGE = 100_000_000  # more than the system keeps for a client


class Unmeasured:
    def observe(self, *_: object) -> None:
        pass


async def reading(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers once the request is here."""
    while (await receive()).get("more_body"):
        await asyncio.sleep(0)
    content = "x" * LARGE if scope["path"] == "/large" else "read"
    await PlainTextResponse(content)(scope, receive, send)


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(connection, "HEADERS_S", 0.3)
    monkeypatch.setattr(connection, "UNREAD_S", 0.3)
    guarded: ASGIApp = Guard(
        reading,
        None,
        Limits(upload=UPLOAD),
        frozenset({"/up"}),
        lambda: "g",
        Unmeasured(),
    )
    config = uvicorn.Config(guarded, port=0, http=connection.Connection, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def connected(port: int, sent: bytes = b"") -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port), timeout=10)
    opened.sendall(sent)
    return opened


def upload(port: int, body: bytes = b"") -> socket.socket:
    head = f"POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: {UPLOAD}\r\n\r\n"
    return connected(port, head.encode() + body)


def answer(client: socket.socket) -> bytes:
    """The whole answer: its header and its body may arrive one after the other."""
    received = b""
    while not received.endswith(b"\r\n\r\nread"):
        more = client.recv(1000)
        assert more, f"the connection ended after {received!r}"
        received += more
    return received


GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: loc"])
def test_who_sends_no_whole_header_is_left(sent: bytes, port: int) -> None:
    with connected(port, sent) as client:
        assert client.recv(100) == b""


def test_a_second_request_that_stops_in_its_header_is_left(port: int) -> None:
    with connected(port, GET) as client:
        assert b"200 OK" in answer(client)
        client.sendall(GET[:20])
        assert client.recv(100) == b""


def test_a_request_that_is_answered_slowly_is_not_left(port: int) -> None:
    with upload(port, b"x") as client:
        time.sleep(0.5)
        client.sendall(b"x" * (UPLOAD - 1))
        assert b"200 OK" in client.recv(1000)


def test_no_more_is_read_at_once_than_there_is_room_for(port: int) -> None:
    arriving = [upload(port) for _ in range(8)]
    with upload(port) as client:
        refused = client.recv(1000)
    assert b"429" in refused
    assert b"retry-after: 1" in refused.lower()
    for one in arriving:
        one.sendall(b"x" * UPLOAD)
        assert b"200 OK" in one.recv(1000)
        one.close()
    with upload(port, b"x" * UPLOAD) as client:
        assert b"200 OK" in client.recv(1000)


def test_a_header_without_end_is_refused(port: int) -> None:
    with connected(port, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 300_000) as client:
        assert b"400" in client.recv(1000)


def test_who_does_not_read_their_answer_is_left(port: int) -> None:
    with connected(port, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n") as client:
        time.sleep(1)
        received = 0
        with suppress(ConnectionResetError):
            while more := client.recv(1 << 20):
                received += len(more)
    assert 0 < received < LARGE


def test_who_reads_slowly_gets_all_of_it(port: int) -> None:
    with connected(port, b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n") as client:
        received = 0
        for _ in range(10):
            time.sleep(0.1)
            received += len(client.recv(1 << 20))
        while received < LARGE:
            received += len(client.recv(1 << 20))
