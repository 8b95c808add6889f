"""The network address of the service, and its URL for browsers."""

import socket

from scorer.errors import BadInput

_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  # compared with, not listened on
_WAITING = 2048  # pending connections


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0: any free port. Raises BadInput."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address, family=family, backlog=_WAITING)
    except OSError as error:
        raise BadInput(
            f"cannot listen on {host}, port {port}: {error.strerror or error}",
            remedy="another program may use the port; --port 0 takes one that is free",
        ) from error


def shown(listening: socket.socket, host: str, token: str | None) -> str:
    """The URL for a browser; other machines get this machine's name."""
    name = socket.gethostname() if host in _EVERYWHERE else host
    name = f"[{name}]" if ":" in name else name
    query = "" if token is None else f"/?token={token}"
    return f"http://{name}:{listening.getsockname()[1]}{query}"
