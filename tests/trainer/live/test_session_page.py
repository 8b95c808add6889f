"""A live session in a real browser: from an empty folder to a model that is measured."""

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import trainer

sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[3]
PIXELS = 150
SIZE = "96x128"
LEAST_GAIN = 0.03  # of the pixel accuracy, from the first model to the last

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine"),
]


@pytest.fixture
def streets(tmp_path: Path) -> Path:
    command = [sys.executable, ROOT / "scripts/streets.py", tmp_path, "--train", "40"]
    subprocess.run(
        [*command, "--val", "4", "--size", SIZE, "--seed", "0"], check=True, capture_output=True
    )
    return tmp_path


@pytest.fixture
def session(streets: Path) -> Iterator[str]:
    """The address of one that is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "trainer", "live", "--pool", "images", "--classes", "classes.txt",
        "--out", "session", "--port", str(port), "--audit", "0.2",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=streets, stderr=subprocess.PIPE, text=True) as process:
        address = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/health/ready").close()
                break
            except OSError:
                assert process.poll() is None
                time.sleep(0.1)
        try:
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            assert process.stderr
            assert "Traceback" not in process.stderr.read()


def test_an_annotator_goes_from_nothing_to_a_model_in_one_page(streets: Path, session: str) -> None:
    classes = (streets / "classes.txt").read_text().split("\n")
    slow: list[tuple[str, float]] = []
    failed: list[str] = []
    first = streets / "first.safetensors"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on("response", lambda got: failed.append(got.url) if got.status >= 400 else None)
        page.on("requestfinished", lambda one: _note(one, slow))
        page.goto(session)
        page.fill("#name", "ann")
        page.press("#name", "Enter")
        for _ in range(PIXELS):
            where = _another(page, "")
            image, row, col = _place(where)
            with Image.open((streets / "masks" / image).with_suffix(".png")) as mask:
                value = int(np.asarray(mask)[row, col])
            label = classes[value] if value < len(classes) else None
            _answer(page, label)
            _another(page, where)
            page.wait_for_timeout(300)
            if not first.exists() and (streets / "session" / "model.safetensors").exists():
                shutil.copy(streets / "session" / "model.safetensors", first)
        page.wait_for_timeout(20_000)  # the last answers are learned from
        page.screenshot(path=str(streets / "page.png"))
        assert "right at" in page.inner_text("#quality")
        browser.close()
    assert failed == []
    assert [one for one in slow if one[1] > 1000] == [], "a request took over a second"
    lines = (streets / "session" / "live.jsonl").read_text().splitlines()
    assert len(lines) >= 5
    (streets / "masks.toml").write_text(_with_masks((streets / "session/dataset.toml").read_text()))
    before, after = (
        trainer.evaluate(path, streets / "masks.toml", split="train").accuracy
        for path in (first, streets / "session" / "model.safetensors")
    )
    assert after >= before + LEAST_GAIN, (before, after)
    audit = json.loads(lines[-1])["audit"]
    assert audit["pixels"] >= 15
    low, high = audit["accuracy_low"], audit["accuracy_high"]
    half = (high - low) / 2  # twice the interval: one session in twenty lies outside it by chance
    assert low - half <= after <= high + half, (audit, after)


def _note(request: "sync_api.Request", slow: list[tuple[str, float]]) -> None:
    slow.append((request.url, request.timing["responseEnd"]))


def _another(page: "sync_api.Page", before: str) -> str:
    """Where the pixel lies that is asked, once it is another than before."""
    for _ in range(600):
        where = page.inner_text("#where")
        if ", row " in where and where != before:
            return where
        page.wait_for_timeout(50)
    raise AssertionError(f"no other question after {before!r}: {page.inner_text('body')}")


def _place(where: str) -> tuple[str, int, int]:
    image, row, col = where.split(":", maxsplit=1)[0].split(", ")
    return image, int(row.removeprefix("row ")), int(col.removeprefix("col "))


def _answer(page: "sync_api.Page", label: str | None) -> None:
    if label is None:
        page.keyboard.press("?")
        return
    buttons = page.locator("#classes button")
    names = [text.split("\n")[-1] for text in buttons.all_inner_texts()]
    buttons.nth(next(i for i, name in enumerate(names) if name.endswith(label))).click()


def _with_masks(toml: str) -> str:
    return toml.replace('labels = "labels.db"', 'masks = "masks"')
