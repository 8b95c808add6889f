"""Where the service listens, and what people type to get there."""

import socket

from scorer.errors import BadInput

_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  # compared with, not listened to
_WAITING = 2048  # connections that are not taken yet


def listen(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on; port 0: any that is free. Raises BadInput."""
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
    """The address for a browser: for those of other machines, by this machine's name."""
    name = socket.gethostname() if host in _EVERYWHERE else host
    name = f"[{name}]" if ":" in name else name
    query = "" if token is None else f"/?token={token}"
    return f"http://{name}:{listening.getsockname()[1]}{query}"
