"""A real `scorer serve` in a separate process."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Server:
    """The address of the service, and its process."""

    address: str
    process: "subprocess.Popen[str]"

    @property
    def memory(self) -> int:
        """Resident memory in bytes; 0 if the system does not report it."""
        status = Path(f"/proc/{self.process.pid}/status")
        lines = status.read_text().splitlines() if status.is_file() else []
        return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@contextmanager
def serving(folder: Path, graph: Path, *options: object) -> Iterator[Server]:
    """A service that is ready, on folder/images and folder/labels.db; it must end without a
    traceback.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "scorer", "serve", "--pool", folder / "images", "--graph", graph,
        "--labels", folder / "labels.db", "--port", str(port), "--threads", "1",
        *map(str, options),
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        server = Server(f"http://127.0.0.1:{port}", process)
        try:
            _wait(server)
            yield server
        finally:
            process.terminate()
            assert process.stderr
            assert "Traceback" not in process.stderr.read()


def _wait(server: Server) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(f"{server.address}/health/ready").close()
        except OSError:
            assert server.process.poll() is None, "it ended"
            time.sleep(0.1)
        else:
            return
    raise AssertionError("it does not become ready")
