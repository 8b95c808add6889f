"""The process that learns beside the page: when it does, from what, and a session as a whole."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trees
from PIL import Image

from export.worker import Pace, Worker
from scorer.errors import Failure
from scorer.labels import learned
from scorer.labels.answer import Answer
from scorer.labels.store import Store
from scorer.runtimes import open_graph
from trainer import model
from trainer.live.home import Home, prepare
from trainer.live.learner import Learner
from trainer.recipe import HeadRecipe

ROOT = Path(__file__).parents[2]
SIZE = (64, 96)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    trees.folders(tmp_path / "data", images=6, val=0, size=SIZE)
    home = Home(tmp_path / "session")
    prepare(home, str(tmp_path / "data" / "images"), trees.NAMES)
    return home


def answer(home: Home, number: int) -> Answer:
    """The truth at a pixel of a toy photograph."""
    names = sorted(path.name for path in (home.folder.parent / "data" / "images").iterdir())
    name = names[number % len(names)]
    mask = np.asarray(Image.open(home.folder.parent / "data" / "masks" / name))
    row, col = (7 * number) % SIZE[0], (11 * number) % SIZE[1]
    value = int(mask[row, col])
    return Answer(
        image=name, row=row, col=col, height=SIZE[0], width=SIZE[1], grid_height=SIZE[0],
        grid_width=SIZE[1], answer="label" if value < 3 else "unsure",
        class_name=trees.NAMES[value] if value < 3 else None, round=1, annotator="ann",
        seconds=1.0, time="2026-01-01T00:00:00+00:00", request=f"{number}",
    )  # fmt: skip


def test_it_learns_after_so_many_answers_or_in_a_pause_and_not_before(home: Home) -> None:
    found = prepare(home, None, None)
    with (
        closing(Store(home.labels, found.classes.names)) as store,
        Learner(found, home.model, HeadRecipe(steps=20)) as learner,
    ):
        worker = Worker(home, learner, Pace(every=10, pause=3600, least=20))
        assert not home.graph.exists()
        store.extend(answer(home, number) for number in range(15))
        assert worker.look(store) is None, "too few"
        store.extend(answer(home, number) for number in range(15, 36))
        first = worker.look(store)
        assert first is not None
        assert first.labels > 20
        contract = open_graph("cpu", home.graph, workers=1).contract
        assert contract.classes == trees.NAMES
        assert worker.look(store) is None, "nothing new"
        store.add(answer(home, 40))
        assert worker.look(store) is None, "one answer, and the next is near"
        worker.pace = Pace(every=10, pause=0, least=20)
        again = worker.look(store)
        assert again is not None
        assert again.labels >= first.labels
        assert open_graph("cpu", home.graph, workers=1).contract.sha256 != contract.sha256
        learned.append(home.log, again)
        later = Worker(home, learner, Pace(every=1, pause=0, least=20))
        assert later.look(store) is None, "a session that begins again has nothing new to learn"
        store.add(answer(home, 50))
        assert later.look(store) is not None


def test_what_is_learned_depends_on_the_labels_alone(home: Home, tmp_path: Path) -> None:
    found = prepare(home, None, None)
    path = tmp_path / "labels.db"
    with closing(Store(path, found.classes.names)) as store:
        store.extend(answer(home, number) for number in range(40))
        labels = store.labels()
        few = Store(tmp_path / "few.db", found.classes.names)
        few.extend(answer(home, number) for number in range(25))
        with Learner(found, tmp_path / "a.safetensors", HeadRecipe(steps=20)) as fresh:
            fresh.learn(labels)
        with Learner(found, tmp_path / "b.safetensors", HeadRecipe(steps=20)) as warm:
            warm.learn(few.labels())
            warm.learn(labels)
        few.close()
    one, other = (model.load(tmp_path / f"{name}.safetensors")[0] for name in "ab")
    assert all(
        torch.equal(a, b)
        for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


@pytest.mark.slow
def test_a_failure_is_said_and_the_next_labels_are_learned(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = prepare(home, None, None)
    with (
        closing(Store(tmp_path / "labels.db", found.classes.names)) as store,
        Learner(found, tmp_path / "m.safetensors", HeadRecipe(steps=20)) as learner,
    ):
        worker = Worker(home, learner, Pace(every=1, pause=3600, least=20))
        store.extend(answer(home, number) for number in range(30))
        with monkeypatch.context() as patch:
            patch.setattr(
                learner, "learn", lambda _: (_ for _ in ()).throw(Failure("no", remedy="none"))
            )
            with pytest.raises(Failure):
                worker.look(store)
        store.add(answer(home, 31))
        assert worker.look(store) is not None


class Client:
    """An annotator who answers from masks, through the page's own requests."""

    def __init__(self, port: int, masks: Path, classes: list[str]) -> None:
        self.base, self.masks, self.classes = f"http://127.0.0.1:{port}", masks, classes
        self.acknowledged: list[str] = []
        self._body: dict[str, Any] | None = None  # sent, and not received yet
        self.graphs: dict[str, int] = {}

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.base + path, timeout=30) as got:
            return json.load(got)

    def answer(self) -> bool:
        """One pixel, if there is one; a request that fails is sent again, as the page does."""
        return self._send() if self._body else self._next()

    def _next(self) -> bool:
        try:
            queue = self.get("/v1/queue?annotator=ann&count=3")
        except OSError:
            return False
        if not queue:
            return False
        one = queue[0]
        self.graphs.setdefault(one["graph"], len(self.acknowledged))
        with Image.open((self.masks / one["image"]).with_suffix(".png")) as mask:
            value = int(np.asarray(mask)[one["row"], one["col"]])
        is_known = value < len(self.classes)
        self._body = {key: one[key] for key in ("image", "row", "col")} | {
            "answer": "label" if is_known else "unsure",
            "class_name": self.classes[value] if is_known else None,
            "annotator": "ann", "seconds": 1.0, "request": uuid.uuid4().hex,
        }  # fmt: skip
        return self._send()

    def _send(self) -> bool:
        assert self._body is not None
        request = urllib.request.Request(
            f"{self.base}/v1/labels",
            json.dumps(self._body).encode(),
            {"Content-Type": "application/json"},
        )
        try:
            urllib.request.urlopen(request, timeout=30).close()
        except urllib.error.HTTPError as error:
            if error.code in (404, 409):  # the service was started again, and asks for others
                self._body = None
            return False
        except OSError:
            return False
        self.acknowledged.append(str(self._body["request"]))
        self._body = None
        return True


@contextmanager
def session(folder: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "trainer", "live", "--pool", "data/images", "--classes",
        ",".join(trees.NAMES), "--out", "session", "--port", str(port), "--steps", "20", *options,
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, port
        finally:
            process.send_signal(signal.SIGINT)
            assert process.stderr
            err = process.stderr.read()
        assert process.wait(60) == 0, err
        assert "Traceback" not in err


def models(folder: Path) -> int:
    """How many a session has made."""
    return len(learned.read(folder / "session" / "live.jsonl"))


def children(process: "subprocess.Popen[str]") -> list[int]:
    tasks = Path(f"/proc/{process.pid}/task")
    return [int(pid) for task in tasks.iterdir() for pid in (task / "children").read_text().split()]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("answers", "times"), [(40, 1), pytest.param(300, 10, marks=pytest.mark.slow)]
)
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system hides its processes")
def test_a_session_learns_beside_the_clicks_and_survives_kills(
    answers: int, times: int, tmp_path: Path
) -> None:
    trees.folders(tmp_path / "data", images=12, val=0, size=SIZE)
    with session(tmp_path, "--every", "5", "--pause", "0.5") as (process, port):
        client = Client(port, tmp_path / "data" / "masks", list(trees.NAMES))
        end = time.monotonic() + 5 * answers
        kills = [30 + number * (answers - 30) // times for number in range(times)]
        after = 0  # models, when the last kill was over
        while (
            kills
            or len(client.acknowledged) < answers
            or models(tmp_path) <= after
            or len(client.graphs) < 2
        ):
            assert time.monotonic() < end, (client.graphs, len(client.acknowledged))
            assert process.poll() is None
            if kills and len(client.acknowledged) >= kills[0]:
                kills.pop(0)
                after = models(tmp_path)
                for child in children(process):
                    os.kill(child, signal.SIGKILL)
            time.sleep(0.1 if client.answer() else 0.3)
    with closing(Store(tmp_path / "session" / "labels.db", trees.NAMES)) as store:
        rows = list(store.history())
    assert set(client.acknowledged) <= {one.request for one in rows}, (
        "what was acknowledged is there"
    )
    assert len(rows) == len({one.pixel for one in rows}), "and once"
    assert model.load(tmp_path / "session" / "model.safetensors")[1].training["labels"] >= 20


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_process_elsewhere_learns_for_a_service(tmp_path: Path) -> None:
    trees.folders(tmp_path / "data", images=12, val=0, size=SIZE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = [
        sys.executable, "-m", "scorer", "serve", "--pool", "data/images",
        "--labels", "here/labels.db",
        "--graph", "here/scorer.onnx", "--port", str(port), "--new-classes", "--ahead", "4",
        "--classes", ",".join(trees.NAMES), "--size", "64x96", "--learner",
    ]  # fmt: skip
    learn = [
        sys.executable, "-m", "trainer", "live", "--service", f"http://127.0.0.1:{port}", "--pool",
        "data/images", "--out", "there", "--steps", "20", "--every", "5", "--pause", "0.5",
    ]  # fmt: skip
    with (
        subprocess.Popen(serve, cwd=tmp_path) as service,
        subprocess.Popen(learn, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as learner,
    ):
        client = Client(port, tmp_path / "data" / "masks", list(trees.NAMES))
        end = time.monotonic() + 200
        while len(client.graphs) < 3 or len(client.acknowledged) < 40:
            assert time.monotonic() < end, (client.graphs, len(client.acknowledged))
            time.sleep(0.1 if client.answer() else 0.3)
        newest = client.get("/v1/state")["learned"]
        for process in (learner, service):
            process.send_signal(signal.SIGINT)
        assert learner.stderr is not None
        assert "Traceback" not in learner.stderr.read()
    assert newest["labels"] >= 20
    assert not (tmp_path / "there" / "labels.db").exists()
    assert model.load(tmp_path / "there" / "model.safetensors")[1].training["labels"] >= 20
    here, there = (
        open_graph("cpu", tmp_path / place / "scorer.onnx", workers=1).contract
        for place in ("here", "there")
    )
    assert here.classes == trees.NAMES
    assert here.sha256 == there.sha256, "the newest model is served"
