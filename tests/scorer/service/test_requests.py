"""Other programs ask the service for scores: images and raw tensors, alone and all at once."""

import base64
import io
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import photographs
import pytest
from application import answering, ranked, started, until
from fastapi.testclient import TestClient
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from scorer.pools import list_pool
from scorer.runtimes import open_graph
from scorer.runtimes.base import Scores
from scorer.selection.result import Ranked
from scorer.selection.select import rank
from scorer.selection.spacing import AUTO
from scorer.service.guard import Limits
from scorer.service.scoring import Busy, Scoring, Tensors
from scorer.service.served import Served

Graph = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    photographs.photographs(tmp_path / "images", 4, height=50, width=70)
    return tmp_path


@pytest.fixture
def graph(folder: Path, tiny: Graph) -> Path:
    return Path(shutil.copy(tiny(), folder / "scorer.onnx"))


@pytest.fixture
def client(folder: Path, graph: Path) -> Iterator[TestClient]:
    limits = Limits(upload=400_000, seconds=5.0)
    with answering(started(folder, graph, n=2), limits=limits) as client:
        yield client


def sent(folder: Path) -> list[tuple[str, tuple[str, bytes]]]:
    pool = list_pool(folder / "images")
    return [("images", (name, (folder / "images" / name).read_bytes())) for name in pool.names]


def test_images_that_are_sent_get_the_pixels_of_a_ranking(
    client: TestClient, folder: Path, graph: Path
) -> None:
    answer = client.post("/v1/rank", files=sent(folder), params={"n": 3, "map": True})
    assert answer.status_code == 200
    runtime = open_graph("cpu", graph, workers=1)
    expected = rank(runtime, list_pool(folder / "images"), n=3, distance=AUTO)
    for one, found in zip(expected, answer.json()["images"], strict=True):
        assert isinstance(one, Ranked)
        assert found["image"] == one.image
        assert [(p["row"], p["col"], p["score"]) for p in found["pixels"]] == [
            (p.row, p.col, p.score) for p in one.pixels
        ]
        assert found["pixels"][0]["label"] in runtime.contract.classes
        assert found["graph"] == runtime.contract.sha256
        assert Image.open(io.BytesIO(base64.b64decode(found["map_png"]))).format == "PNG"
    assert answer.headers["balentacq-graph"] == runtime.contract.sha256


def test_a_bad_image_has_its_reason_and_the_others_are_answered(
    client: TestClient, folder: Path
) -> None:
    files = [*sent(folder)[:1], ("images", ("x.jpg", b"no image")), ("images", ("e.png", b""))]
    good, bad, empty = client.post("/v1/rank?n=2", files=files).json()["images"]
    assert len(good["pixels"]) == 2
    assert bad == {"image": "x.jpg", "error": "not an image"}
    assert empty["error"] == "empty file"


def bomb() -> bytes:
    buffer = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"params": {"n": 0}}, 422), ({"params": {"n": "many"}}, 422), ({"params": {"n": 9}}, 400),
        ({"params": {"min_distance": "nan"}}, 422), ({"params": {"seed": -1}}, 422),
        ({"files": None}, 422), ({"files": [("image", ("a.jpg", b"x"))]}, 422),
        ({"files": [("images", ("a.jpg", b"x"))] * 65}, 413),
        ({"files": [("images", ("a.jpg", b"x" * 500_000))]}, 413),
        ({"files": None, "content": b"x" * 100, "headers": {"content-type": "image/jpeg"}}, 422),
        (
            {
                "files": None, "content": b"--no boundary",
                "headers": {"content-type": "multipart/form-data"},
            },
            400,
        ),
        ({"headers": {"origin": "http://evil.example"}}, 403),
        ({"headers": {"content-length": "9" * 400}}, 413),
        ({"headers": {"content-length": "-1"}}, 411),
    ],
)  # fmt: skip
def test_requests_for_a_ranking_that_make_no_sense_are_refused(
    arguments: dict[str, Any], status: int, client: TestClient, folder: Path
) -> None:
    given = {"files": sent(folder)[:1]} | arguments
    assert client.post("/v1/rank", **given).status_code == status


def test_a_decompression_bomb_is_refused_unopened(client: TestClient) -> None:
    answer = client.post("/v1/rank?n=2", files=[("images", ("b.png", bomb()))]).json()
    assert "too large" in answer["images"][0]["error"]


class Stuck:
    """A runtime that scores when it is let."""

    workers = 1

    def __init__(self, runtime: Any) -> None:
        self.contract, self.name, self._runtime = runtime.contract, runtime.name, runtime
        self.go = threading.Event()
        self.batches: list[int] = []

    def run(self, image: Any, *others: Any, **options: Any) -> Scores:
        assert self.go.wait(30)
        self.batches.append(len(image))
        return self._runtime.run(image, *others, **options)


class Blank:
    images = 1

    def needs_maps(self, runtime: object) -> bool:
        return False

    def load(self, runtime: Any) -> Tensors:
        exclude = np.zeros((1, *runtime.contract.map), np.uint8)
        return Tensors(np.zeros((1, *runtime.contract.grid, 3), np.uint8), exclude, None)

    def finish(self, runtime: Any, scores: Scores) -> int:
        return len(scores.score)


def test_what_is_too_much_is_refused_and_what_was_taken_is_finished(tiny: Graph) -> None:
    stuck = Stuck(open_graph("cpu", tiny(), workers=1))
    scoring = Scoring(Served(lambda: stuck), waiting=3, batch=2, linger=0.2)
    futures = scoring.submit([Blank(), Blank(), Blank()])
    with pytest.raises(Busy) as refused:
        scoring.submit([Blank()])
    assert refused.value.seconds >= 1
    assert scoring.depth == 3
    ended = threading.Thread(target=scoring.stop)
    ended.start()
    stuck.go.set()
    ended.join(30)
    assert [future.result(0).answer for future in futures] == [1, 1, 1]
    assert (scoring.depth, scoring.images) == (0, 3)
    assert stuck.batches == [2, 1], "those that wait are scored together"


class Many(Blank):
    images = 5

    def load(self, runtime: Any) -> Tensors:
        one = super().load(runtime)
        return Tensors(np.repeat(one.image, 5, 0), np.repeat(one.exclude, 5, 0), None)


def test_a_request_of_many_images_is_scored_a_batch_at_a_time(tiny: Graph) -> None:
    stuck = Stuck(open_graph("cpu", tiny(), workers=1))
    stuck.go.set()
    scoring = Scoring(Served(lambda: stuck), batch=2)
    (future,) = scoring.submit([Many()])
    assert future.result(30).answer == 5
    assert stuck.batches == [2, 2, 1]
    scoring.stop()


class Breaks(Blank):
    def finish(self, runtime: Any, scores: Scores) -> int:
        raise RuntimeError("no answer")


def test_what_breaks_one_answer_breaks_no_other(tiny: Graph) -> None:
    scoring = Scoring(Served(lambda: open_graph("cpu", tiny(), workers=1)))
    broken, whole = scoring.submit([Breaks(), Blank()])
    assert isinstance(broken.exception(30), RuntimeError)
    assert whole.result(30).answer == 1
    scoring.stop()


def test_too_many_get_429_and_are_told_when_to_come_again(folder: Path, graph: Path) -> None:
    stuck = Stuck(open_graph("cpu", graph, workers=1))
    stuck.go.set()
    annotation = ranked(started(folder, graph, reopen=lambda: stuck))
    scoring = Scoring(annotation.served, waiting=1)
    with answering(annotation, scoring, limits=Limits(seconds=1.0)) as client:
        stuck.go.clear()
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(client.post, "/v1/rank?n=2", files=sent(folder)[:1])
            while not scoring.depth:
                time.sleep(0.01)
            second = client.post("/v1/rank?n=2", files=sent(folder)[:1])
            assert second.status_code == 429
            assert int(second.headers["retry-after"]) >= 1
            image, exclude = tensors(stuck.contract, images=1)
            body = {"inputs": [as_json("image", image), as_json("exclude", exclude)]}
            assert client.post(INFER, json=body).json() == {"error": "too many requests wait"}
            assert first.result().status_code == 503, "later than the limit"
        stuck.go.set()
        while scoring.depth:
            time.sleep(0.01)
        assert client.post("/v1/rank?n=2", files=sent(folder)[:1]).status_code == 200


def test_health_and_metrics_tell_what_goes_on(client: TestClient, folder: Path) -> None:
    until(lambda: client.get("/health/ready").status_code == 200)
    client.post("/v1/rank?n=2", files=sent(folder))
    client.get("/v1/none")
    client.request("STRANGE", "/v1/state")
    families = text_string_to_metric_families(client.get("/metrics").text)
    values = {(s.name, s.labels.get("route")): s.value for f in families for s in f.samples}
    assert values["balentacq_scored_images_total", None] == 4
    assert values["balentacq_requests_total", "/v1/rank"] == 1
    assert values["balentacq_requests_total", "none"] == 1
    assert values["balentacq_request_seconds_count", "/v1/rank"] == 1
    assert "STRANGE" not in client.get("/metrics").text


def test_a_new_graph_takes_over_and_the_pool_is_ranked_again(
    client: TestClient, graph: Path, tiny: Graph
) -> None:
    before = client.get("/v1/state").json()["graph"]
    (held,) = client.get("/v1/queue", params={"annotator": "ann", "count": 1}).json()
    assert client.post("/v1/reload").json() == {"changed": False, "graph": before}
    shutil.copy(tiny(top_k=8), graph)
    answer = client.post("/v1/reload").json()
    assert answer["changed"]
    assert answer["graph"] != before
    said = {
        "image": held["image"], "row": held["row"], "col": held["col"], "answer": "label",
        "class_name": held["guess"], "annotator": "ann", "seconds": 1.0, "request": "r",
    }  # fmt: skip
    assert client.post("/v1/labels", json=said).status_code == 201, "asked by the old graph"
    while not client.get("/v1/state").json()["pool_ranked"]:
        time.sleep(0.01)
    found = client.get("/v1/queue", params={"annotator": "ann", "count": 20}).json()
    assert {one["graph"] for one in found} == {answer["graph"]}
    graph.write_bytes(b"no graph")
    assert client.post("/v1/reload").status_code == 400
    assert client.get("/v1/state").json()["graph"] == answer["graph"], "the old one stays"


def tensors(contract: Any, images: int = 2) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (images, *contract.grid, 3), np.uint8)
    return image, np.zeros((images, *contract.map), np.uint8)


def as_json(name: str, values: Any) -> dict[str, Any]:
    return {
        "name": name, "shape": list(values.shape), "datatype": "UINT8", "data": values.tolist()
    }  # fmt: skip


INFER = "/v2/models/scorer/infer"


def test_raw_tensors_as_json_give_what_the_graph_gives(client: TestClient, graph: Path) -> None:
    runtime = open_graph("cpu", graph, workers=1)
    image, exclude = tensors(runtime.contract)
    body = {
        "id": "7", "inputs": [as_json("image", image), as_json("exclude", exclude)],
        "outputs": [{"name": "pixel"}, {"name": "map"}],
    }  # fmt: skip
    answer = client.post(INFER, json=body).json()
    expected = runtime.run(image, exclude, want_map=True)
    pixel, a_map = answer["outputs"]
    assert answer["id"] == "7"
    np.testing.assert_array_equal(np.reshape(pixel["data"], pixel["shape"]), expected.pixel)
    assert expected.map is not None
    np.testing.assert_array_equal(
        np.reshape(a_map["data"], a_map["shape"]).astype(np.float32), expected.map
    )


GOOD = {"name": "image", "shape": [1, 8, 12, 3], "datatype": "UINT8", "data": [0] * 288}
OTHER = {"name": "exclude", "shape": [1, 8, 12], "datatype": "UINT8", "data": [0] * 96}


@pytest.mark.parametrize(
    "body",
    [
        {}, {"inputs": []}, {"inputs": [GOOD]}, {"inputs": [OTHER]},
        {"inputs": [GOOD | {"shape": [1, 8, 12, 4]}, OTHER]},
        {"inputs": [GOOD | {"shape": [10**6] * 4}, OTHER]},
        {"inputs": [GOOD | {"data": [256] * 288}, OTHER]},
        {"inputs": [GOOD | {"data": [0.5] * 288}, OTHER]},
        {"inputs": [GOOD | {"data": ["a"] * 288}, OTHER]},
        {"inputs": [GOOD | {"data": [[0], [0, 1]]}, OTHER]},
        {"inputs": [GOOD | {"data": [1e400] * 288}, OTHER]},
        {"inputs": [GOOD | {"datatype": "BYTES"}, OTHER]},
        {"inputs": [GOOD | {"parameters": {"binary_data_size": 288}}, OTHER]},
        {"inputs": [GOOD | {"shape": [2, 8, 12, 3], "data": [0] * 576}, OTHER]},
        {"inputs": [GOOD, OTHER], "outputs": [{"name": "secret"}]}, [], None, "x",
    ],
)  # fmt: skip
def test_tensors_that_fit_no_graph_are_refused_in_the_protocols_words(
    body: Any, client: TestClient
) -> None:
    text = json.dumps(body)
    answer = client.post(INFER, content=text, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("length", ["-1", "x", "99999999", "0", "9" * 5000])
def test_a_length_that_fits_no_body_is_refused(length: str, client: TestClient) -> None:
    answer = client.post(INFER, content=b"{}", headers={"inference-header-content-length": length})
    assert answer.status_code == 400
