"""Answer the questions of a session from masks, in place of an annotator, and print the timings.

trainer live --pool images --classes classes.txt --port 8000 &
python scripts/annotator.py http://127.0.0.1:8000 --masks masks --answers 600 --pause 1

A mask is <image>.png with class indices. The script makes the page's own requests, so that it
measures what a browser waits for.
"""

import argparse
import json
import time
import urllib.request
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ASK_AGAIN_S = 0.2


@dataclass
class Annotator:
    """Answers one question after the other, and records timings."""

    address: str
    masks: Path
    classes: list[str]
    acknowledged: list[float] = field(default_factory=list)  # seconds until an answer was received
    sources: list[str] = field(default_factory=list)
    images: set[str] = field(default_factory=set)
    # number of rows in the store, and time
    answered: list[tuple[int, float]] = field(default_factory=list)
    # hash of the graph that chose the pixel, and time
    questions: list[tuple[str, float]] = field(default_factory=list)
    waited: int = 0  # number of times without a question

    def answer(self) -> None:
        """Answer the next question, as soon as there is one."""
        while not (queue := self.ask("/v1/queue?annotator=annotator&count=3")):
            self.waited += 1
            time.sleep(ASK_AGAIN_S)
        one = queue[0]
        self.questions.append((one["graph"], time.monotonic()))
        with Image.open((self.masks / one["image"]).with_suffix(".png")) as mask:
            value = int(np.asarray(mask)[one["row"], one["col"]])
        is_known = value < len(self.classes)
        body = {
            **{key: one[key] for key in ("image", "row", "col")},
            "answer": "label" if is_known else "unsure",
            "class_name": self.classes[value] if is_known else None,
            "annotator": "annotator", "seconds": 1.0, "request": uuid.uuid4().hex,
        }  # fmt: skip
        begin = time.perf_counter()
        received = self.ask("/v1/labels", body)
        self.answered.append((received["id"], time.monotonic()))
        self.acknowledged.append(time.perf_counter() - begin)
        self.sources.append(one["source"])
        self.images.add(one["image"])

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.address + path, data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def until_known(self) -> list[float]:
        """Seconds from each answer to the first question by a model that was trained on it."""
        rows = {one["graph"]: one["rows"] for one in self.ask("/v1/curve")}
        found = []
        for row, when in self.answered:
            later = (at for graph, at in self.questions if at > when and rows.get(graph, -1) >= row)
            found += [at - when for at in [next(later, None)] if at is not None]
        return found

    def told(self, seconds: float) -> dict[str, object]:
        """The results, in milliseconds except for `seconds`."""
        received = 1e3 * np.array(self.acknowledged)
        return {
            "answers": len(received),
            "images": len(self.images),
            "audits": self.sources.count("audit"),
            "seconds": round(seconds),
            "receipt_median_ms": round(float(np.median(received)), 1),
            "receipt_p95_ms": round(float(np.percentile(received, 95)), 1),
            "receipt_max_ms": round(float(received.max()), 1),
            "graphs": len({graph for graph, _ in self.questions}),
            "known_median_s": round(float(np.median(self.until_known() or [np.nan])), 1),
            "waited": self.waited,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--answers", type=int, default=600)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two answers")
    given = parser.parse_args()
    annotator = Annotator(given.address.rstrip("/"), given.masks, [])
    annotator.classes = annotator.ask("/v1/state")["classes"]
    begin = time.monotonic()
    for _ in range(given.answers):
        annotator.answer()
        time.sleep(given.pause)
    print(json.dumps(annotator.told(time.monotonic() - begin), indent=1))


if __name__ == "__main__":
    main()
