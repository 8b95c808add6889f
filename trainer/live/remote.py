"""The HTTP client of a service on another machine: reads answers, and uploads graphs."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from http.client import HTTPException
from pathlib import Path
from typing import Any

from scorer.errors import BadInput, Failure
from scorer.labels.answer import Answer
from scorer.labels.answered import Answered
from scorer.labels.learned import Doubt, Learned

_WAIT_S = 60.0
_REFUSED = (401, 403, 404)


class Refused(BadInput):
    """The service rejects the requests; repeating them would not help."""


class RemoteStore(Answered):
    """The answers of a remote service. token: printed by the service at its start, or None.

    Its methods raise Refused, or Failure while the service cannot be reached.
    """

    def __init__(self, address: str, token: str | None = None) -> None:
        if not address.startswith(("http://", "https://")):
            raise BadInput(f"--service {address} is no address", remedy="such as http://first:8000")
        self.address, self._token = address.rstrip("/"), token
        self._rows, self._standing = -1, list[Answer]()
        self.classes: tuple[str, ...] = ()

    def length(self) -> int:
        """The number of rows of the store; if it has changed, all answers are read again."""
        found = self._ask(f"/v1/answers?known={self._rows}")
        if found["rows"] != self._rows:
            self._standing = [Answer(**one) for one in found["answers"]]
        self._rows, self.classes = int(found["rows"]), tuple(found["classes"])
        return self._rows

    def reread_classes(self) -> tuple[str, ...]:
        """The class names, read again."""
        self.length()
        return self.classes

    def standing(self) -> Iterable[Answer]:
        """The answers at the time of the last `length`."""
        return list(self._standing)

    def publish(self, graph: Path, learned: Learned) -> None:
        """Upload a graph for the service to use, and the record of its training."""
        self._ask("/v1/graph", graph.read_bytes(), method="PUT")
        self._ask("/v1/learned", json.dumps({"model": asdict(learned)}).encode())

    def publish_doubts(self, doubts: Sequence[Doubt]) -> None:
        """Upload the answers that a model contradicts."""
        self._ask("/v1/doubts", json.dumps({"doubts": [asdict(one) for one in doubts]}).encode())

    def _ask(self, path: str, body: bytes | None = None, method: str | None = None) -> Any:
        kind = "application/octet-stream" if method == "PUT" else "application/json"
        headers = {"Content-Type": kind} if body is not None else {}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(  # noqa: S310  # http or https, see above
            self.address + path, body, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=_WAIT_S) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            reason = _reason(error)
            if error.code in _REFUSED:
                raise Refused(
                    f"{self.address} refuses: {reason}",
                    remedy="start it with scorer serve --learner, and give its --token",
                ) from error
            raise Failure(
                f"{self.address} refuses: {reason}", remedy="the log of that service says more"
            ) from error
        except (OSError, HTTPException, ValueError) as error:
            raise Failure(
                f"{self.address} does not answer: {error}",
                remedy="start the service there, and see that its port can be reached from here",
            ) from error


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(error)
