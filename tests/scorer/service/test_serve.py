"""A real service: standard clients, many at once, killed, reloaded, stopped."""

import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import photographs
import pytest
import serving
from click.testing import CliRunner
from serving import Server

from scorer import cli
from scorer.labels.store import Store
from scorer.pools import list_pool
from scorer.runtimes import open_graph

pytest.importorskip("fastapi", reason="pip install 'balentacq[serve]'")
Graph = Callable[..., Path]
CLIENTS = 64


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    photographs.photographs(tmp_path / "images", 60, height=40, width=60)
    return tmp_path


@pytest.fixture
def graph(folder: Path, tiny: Graph) -> Path:
    return Path(shutil.copy(tiny(), folder / "scorer.onnx"))


@pytest.fixture
def server(folder: Path, graph: Path) -> Iterator[Server]:
    with serving.serving(folder, graph, "--n", 4, "--waiting", 8) as server:
        yield server


def ask(server: Server, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(server.address + path, data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def picture(folder: Path) -> bytes:
    pool = list_pool(folder / "images")
    source = pool.image(pool.names[0])
    assert isinstance(source, Path)
    return source.read_bytes()


def to_rank(server: Server, data: bytes) -> urllib.request.Request:
    part = b'--x\r\ncontent-disposition: form-data; name="images"; filename="a.jpg"\r\n\r\n'
    return urllib.request.Request(
        f"{server.address}/v1/rank?n=2", part + data + b"\r\n--x--\r\n",
        {"content-type": "multipart/form-data; boundary=x"},
    )  # fmt: skip


def upload(server: Server, data: bytes) -> int:
    """The status that an image gets."""
    try:
        with urllib.request.urlopen(to_rank(server, data), timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def label(server: Server, annotator: str) -> tuple[str, int, int] | None:
    """Answer one pixel; the place of an answer that was acknowledged."""
    queries = ask(server, f"/v1/queue?annotator={annotator}&count=1")
    if not queries:
        return None
    (query,) = queries
    guess = query["guess"] or ask(server, "/v1/state")["classes"][0]
    body = {
        "image": query["image"], "row": query["row"], "col": query["col"], "answer": "label",
        "class_name": guess, "annotator": annotator, "seconds": 0.1,
        "request": random.randbytes(8).hex(),
    }  # fmt: skip
    ask(server, "/v1/labels", body)
    return query["image"], query["row"], query["col"]


def kept(folder: Path, graph: Path) -> list[tuple[str, int, int]]:
    store = Store(folder / "labels.db", open_graph("cpu", graph, workers=1).contract.classes)
    found = [(answer.image, answer.row, answer.col) for answer in store.history()]
    store.close()
    return found


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_many_clients_lose_nothing_and_hear_of_no_error_but_429(
    seconds: int, folder: Path, graph: Path
) -> None:
    photographs.photographs(folder / "images", 80 * seconds, height=40, width=60)
    with serving.serving(folder, graph, "--n", 4, "--waiting", 8) as server:
        labelled = crowded(server, picture(folder), seconds)
    assert len(labelled) == len(set(labelled)), "nobody was asked what somebody had"
    assert sorted(kept(folder, graph)) == sorted(labelled)


def crowded(server: Server, data: bytes, seconds: int) -> list[tuple[str, int, int]]:
    """Clients send images and answer pixels for so long; the acknowledged answers."""
    statuses: Counter[int] = Counter()
    labelled: list[tuple[str, int, int]] = []
    failures: list[Exception] = []
    end = time.monotonic() + seconds

    def client(name: str) -> None:
        try:
            while time.monotonic() < end:
                statuses[upload(server, data)] += 1
                if place := label(server, name):
                    labelled.append(place)
        except Exception as error:  # of a thread, which nobody else would hear of
            failures.append(error)

    threads = [threading.Thread(target=client, args=(f"ann{i}",)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    time.sleep(seconds / 2)
    middle = server.memory
    for thread in threads:
        thread.join()
    assert not failures
    assert set(statuses) <= {200, 429}
    assert statuses[200] > 0
    assert ask(server, "/v1/state")["pixels_left"], "they had something to do all the time"
    after = server.memory
    assert after < 1.15 * middle + 10e6, f"{middle / 1e6:.0f} MB, then {after / 1e6:.0f}"
    return labelled


def test_a_second_service_on_the_port_or_the_store_is_refused(
    server: Server, folder: Path, graph: Path, tmp_path: Path
) -> None:
    port = server.address.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "scorer", "serve", "--graph", graph, "--pool"]
    for options, message in (
        (("--labels", tmp_path / "new" / "other.db", "--port", port), "Address already in use"),
        (("--labels", folder / "labels.db", "--port", "0"), "is in use by another scorer serve"),
    ):
        done = subprocess.run(
            [*command, folder / "images", *options], capture_output=True, text=True, check=False
        )
        assert (done.returncode, message in done.stderr) == (5, True), done.stderr
        assert "open http" not in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_killed_in_the_middle_of_labelling_it_has_every_acknowledged_answer(
    folder: Path, graph: Path
) -> None:
    acknowledged: list[tuple[str, int, int]] = []
    for _ in range(2):
        with serving.serving(folder, graph, "--n", 4) as server:

            def work(name: str, server: Server = server) -> None:
                try:
                    while True:
                        if place := label(server, name):
                            acknowledged.append(place)
                except (OSError, http.client.HTTPException, ValueError):
                    return  # it was killed, perhaps in the middle of an answer

            threads = [threading.Thread(target=work, args=(f"a{i}",)) for i in range(4)]
            for thread in threads:
                thread.start()
            before = len(acknowledged)
            while len(acknowledged) < before + 20:
                time.sleep(0.005)
            server.process.kill()
            for thread in threads:
                thread.join()
    found = kept(folder, graph)
    assert set(acknowledged) <= set(found)
    assert len(found) == len(set(found)), "no pixel was asked again after the restart"


def test_stopped_it_finishes_what_it_took(server: Server, folder: Path) -> None:
    data = picture(folder)
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(upload(server, data))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while 'route="/v1/rank"' not in metrics(server) and time.monotonic() < deadline:
        time.sleep(0.001)
    server.process.terminate()
    for thread in threads:
        thread.join()
    assert server.process.wait(30) == 0
    assert not list(folder.glob("labels.db-*")), "the store is closed"
    assert len(statuses) == 8
    assert 200 in statuses
    assert set(statuses) <= {200, 429}


def test_several_threads_score_one_image(folder: Path, baked: Graph) -> None:
    found = []
    for threads in (1, 2):
        path = shutil.copy(baked(), folder / "scorer.onnx")
        with serving.serving(folder, path, "--threads-per-image", threads) as server:
            request = to_rank(server, picture(folder))
            with urllib.request.urlopen(request, timeout=60) as answer:
                found.append(json.loads(answer.read())["images"][0]["pixels"])
    one, other = found
    assert [(p["row"], p["col"]) for p in one] == [(p["row"], p["col"]) for p in other]
    assert [p["score"] for p in other] == pytest.approx([p["score"] for p in one], rel=1e-3)


def test_threads_per_image_are_for_the_runtime_cpu(folder: Path, graph: Path) -> None:
    words = ["serve", "--pool", folder / "images", "--graph", graph, "--runtime", "openvino",
             "--threads-per-image", 2]  # fmt: skip
    done = CliRunner().invoke(cli.main, [str(word) for word in words])
    assert done.exit_code == 5
    assert "the runtime openvino does not divide an image among threads" in done.stderr
    assert "choose --runtime cpu" in done.stderr


def metrics(server: Server) -> str:
    with urllib.request.urlopen(f"{server.address}/metrics") as answer:
        return str(answer.read().decode())


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_a_hangup_takes_the_new_graph(server: Server, graph: Path, tiny: Graph) -> None:
    before = ask(server, "/v1/state")["graph"]
    shutil.copy(tiny(top_k=8), graph)
    os.kill(server.process.pid, signal.SIGHUP)
    for _ in range(200):
        if ask(server, "/v1/state")["graph"] != before:
            return
        time.sleep(0.05)
    raise AssertionError("the old graph still answers")


def test_tritons_own_client_gets_what_the_graph_gives(server: Server, graph: Path) -> None:
    triton = pytest.importorskip("tritonclient.http", reason="pip install tritonclient[http]")
    client = triton.InferenceServerClient(server.address.removeprefix("http://"))
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("scorer")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    runtime = open_graph("cpu", graph, workers=1)
    told = client.get_model_metadata("scorer")
    assert [one["name"] for one in told["inputs"]] == list(runtime.contract.inputs)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (2, *runtime.contract.grid, 3), np.uint8)
    exclude = np.zeros((2, *runtime.contract.map), np.uint8)
    expected = runtime.run(image, exclude, want_map=True)
    for binary in (True, False):
        inputs = []
        for name, values in (("image", image), ("exclude", exclude)):
            tensor = triton.InferInput(name, list(values.shape), "UINT8")
            tensor.set_data_from_numpy(values, binary_data=binary)
            inputs.append(tensor)
        names = ("score", "pixel", "label", "map")
        outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
        found = client.infer("scorer", inputs, outputs=outputs)
        for name in names:
            np.testing.assert_array_equal(found.as_numpy(name), getattr(expected, name))
    small = triton.InferInput("image", [2, 2, 2, 3], "UINT8")
    small.set_data_from_numpy(image[:, :2, :2].copy())
    with pytest.raises(Exception, match="image is"):
        client.infer("scorer", [small, inputs[1]])
    client.close()


@pytest.mark.slow
def test_no_request_of_its_own_description_breaks_it(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="pip install schemathesis")
    command = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{server.address}/openapi.json",
        "--checks", "not_a_server_error", "--max-examples", "8", "--no-color", "--seed", "1",
        "--phases", "examples,coverage,fuzzing",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
    count = sum(map(len, ask(server, "/openapi.json")["paths"].values()))
    assert f"Tested: {count}\n" in done.stdout, "every operation was asked"


def run(main: click.Command, *words: object) -> None:
    done = CliRunner().invoke(main, [*map(str, words)])
    assert done.exit_code == 0, done.output


def test_the_whole_loop_from_a_model_to_answers_to_the_next_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fit, export, serve, label through what the page asks for, fit on the answers."""
    from export.cli import main as export
    from trainer.cli import main as trainer
    from trainer.model import load

    monkeypatch.chdir(tmp_path)
    streets = Path(__file__).parents[3] / "scripts" / "streets.py"
    drawn = (tmp_path, "--train", "3", "--val", "1", "--size", "64x96")
    subprocess.run([sys.executable, streets, *drawn], check=True, capture_output=True)
    run(trainer, "init", tmp_path)
    fit = ("fit", "--size", "64x96", "--weights", "none", "--batch", 2, "--epochs", 1)
    run(trainer, *fit)
    run(export, "onnx", "--mc", 2)
    with serving.serving(tmp_path, tmp_path / "scorer.onnx", "--n", 2) as server:
        while not ask(server, "/v1/state")["pool_ranked"]:
            time.sleep(0.05)
        for address in ("/", "/page.js", "/page.css"):
            urllib.request.urlopen(server.address + address).close()
        first = ask(server, "/v1/queue?annotator=ann&count=3")[0]
        for picture in ("photograph", "map", "segmentation"):
            query = urllib.parse.urlencode({"image": first["image"]})
            urllib.request.urlopen(f"{server.address}/v1/{picture}?{query}").close()
        assert (first["guess"], first["guesses"]) == ("", []), "of a network of one epoch"
        labelled = [label(server, "ann") for _ in range(5)]
        ask(server, "/v1/undo", {"annotator": "ann", "request": "taken back"})
    run(trainer, *fit, "--labels", "labels.db", "--out", "next.safetensors")
    _, card = load(tmp_path / "next.safetensors")
    assert None not in labelled
    assert card.training["labels"] == 4
