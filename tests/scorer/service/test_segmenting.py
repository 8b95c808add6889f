"""Other programs ask the service for masks."""

import base64
import io
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import byhand
import numpy as np
import photographs
import pytest
from application import answering, started
from fastapi.testclient import TestClient
from PIL import Image

from scorer.errors import BadImage
from scorer.pools import list_pool
from scorer.segmentation.network import open_segmenter
from scorer.segmentation.segmenter import Manner, Segmented, segment
from scorer.service.scoring import Busy
from scorer.service.segmenting import Segmenter

Graph = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, tiny: Graph) -> Path:
    (tmp_path / "images").mkdir()
    photographs.photographs(tmp_path / "images", 3, height=50, width=70)
    shutil.copy(tiny(), tmp_path / "scorer.onnx")
    byhand.save_network(tmp_path / "network.onnx")
    return tmp_path


@pytest.fixture
def client(folder: Path) -> Iterator[TestClient]:
    network = open_segmenter("cpu", folder / "network.onnx", workers=1)
    segmenter = Segmenter(network, waiting=4)
    annotation = started(folder, folder / "scorer.onnx")
    with answering(annotation, segmenter=segmenter) as client:
        yield client
    segmenter.stop()


def sent(folder: Path) -> list[tuple[str, tuple[str, bytes]]]:
    pool = list_pool(folder / "images")
    return [("images", (name, (folder / "images" / name).read_bytes())) for name in pool.names]


def expected(folder: Path, name: str, least: float = 0.0) -> Segmented:
    network = open_segmenter("cpu", folder / "network.onnx", workers=1)
    return segment(
        network, (folder / "images" / name).read_bytes(), Manner(least=least, tiled=False)
    )


def test_images_that_are_sent_get_the_masks_of_scorer_segment(
    client: TestClient, folder: Path
) -> None:
    files = [*sent(folder), ("images", ("bad.jpg", b"none"))]
    found = client.post("/v1/segment?least_confidence=0.6", files=files)
    assert found.status_code == 200, found.text
    *good, bad = found.json()["images"]
    assert bad["image"] == "bad.jpg"
    assert "not an image" in bad["error"]
    for one in good:
        truth = expected(folder, one["image"], 0.6).label
        picture = Image.open(io.BytesIO(base64.b64decode(one["mask_png"])))
        assert (picture.mode, one["height"], one["width"]) == ("P", 50, 70)
        np.testing.assert_array_equal(np.asarray(picture), truth)
        assert one["unknown"] == pytest.approx((truth == 255).mean())
        shares = {"dark": (truth == 0).mean(), "bright": (truth == 1).mean()}
        assert one["classes"] == pytest.approx(shares)


def test_one_image_gets_its_mask_as_the_answer(client: TestClient, folder: Path) -> None:
    first, *_ = files = sent(folder)
    as_png = {"accept": "image/png"}
    found = client.post("/v1/segment", files=[first], headers=as_png)
    assert found.headers["content-type"] == "image/png"
    picture = np.asarray(Image.open(io.BytesIO(found.content)))
    np.testing.assert_array_equal(picture, expected(folder, first[1][0]).label)
    assert client.post("/v1/segment", files=files, headers=as_png).status_code == 413
    bad = client.post("/v1/segment", files=[("images", ("x", b"none"))], headers=as_png)
    assert bad.status_code == 415


def test_without_a_network_it_says_so(folder: Path) -> None:
    with answering(started(folder, folder / "scorer.onnx")) as client:
        refused = client.post("/v1/segment", files=sent(folder))
    assert refused.status_code == 404
    assert "--network" in refused.text


def test_more_than_may_wait_is_refused(folder: Path) -> None:
    network = open_segmenter("cpu", folder / "network.onnx", workers=1)
    segmenter = Segmenter(network, waiting=4)
    first = segmenter.submit([b"none"] * 40, 0.0)  # all of an empty queue is taken
    with pytest.raises(Busy):
        segmenter.submit([b"none"] * 400, 0.0)
    for one in first:
        with pytest.raises(BadImage):
            one.result()
    segmenter.submit([b"none"], 0.0)
    segmenter.stop()


def test_what_nobody_waits_for_any_more_leaves_room(folder: Path) -> None:
    network = open_segmenter("cpu", folder / "network.onnx", workers=1)
    segmenter = Segmenter(network, waiting=4)
    for one in segmenter.submit([b"none"] * 200, 0.0):
        one.cancel()
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with suppress(Busy):
            segmenter.submit([b"none"] * 3, 0.0)
            segmenter.submit([b"none"], 0.0)
            break
    else:
        pytest.fail("the room of cancelled requests is not given back")
    segmenter.stop()
