"""A live session in a real browser: from an empty folder to a model that is measured."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

import trainer
from scorer.labels import store

sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
film = pytest.importorskip("film")
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


def test_an_annotator_goes_from_nothing_to_a_model_in_one_page(streets: Path) -> None:
    *classes, last = (streets / "classes.txt").read_text().splitlines()
    first = streets / "first.safetensors"
    with film.session(streets, "--classes", ",".join(classes), "--audit", "0.2") as address:
        slow, failed = label(streets, address, [*classes, last], first)
    assert failed == []
    assert [one for one in slow if one[1] > 1000] == [], "a request took over a second"
    lines = (streets / "session" / "live.jsonl").read_text().splitlines()
    assert len(lines) >= 5
    before = measured(first, streets, classes)
    after = measured(streets / "session" / "model.safetensors", streets, [*classes, last])
    assert len(after.iou) == len(before.iou) + 1, "the class that was added has its output"
    with store.reading(path := streets / "session" / "labels.db", store.classes_of(path)) as opened:
        rows = list(opened.standing())
    assert {one.source for one in rows} == {"asked", "audit", "free"}
    assert sum(one.annotator == "bob" for one in rows) == 5
    assert len({one.pixel for one in rows}) == len(rows)
    assert after.accuracy >= before.accuracy + LEAST_GAIN, (before, after)
    audit = json.loads(lines[-1])["audit"]
    assert audit["pixels"] >= 15
    low, high = audit["accuracy_low"], audit["accuracy_high"]
    half = (high - low) / 2  # twice the interval: one session in twenty lies outside it by chance
    assert low - half <= after.accuracy <= high + half, (audit, after)


def measured(model: Path, streets: Path, classes: list[str]) -> trainer.Evaluation:
    """A model on the masks of the photographs, as far as it knows their classes."""
    for path in (streets / "masks").iterdir():
        mask = np.asarray(Image.open(path))
        trees.save(
            streets / f"{len(classes)}" / path.name, np.where(mask < len(classes), mask, 255)
        )
    (streets / f"{len(classes)}.toml").write_text(
        f'version = 1\nsize = "{SIZE}"\n[train]\nimages = "images"\nmasks = "{len(classes)}"\n'
        f"[classes]\nnames = {json.dumps(classes)}\n"
    )
    return trainer.evaluate(model, streets / f"{len(classes)}.toml", split="train")


def label(
    streets: Path, address: str, classes: list[str], first: Path
) -> tuple[list[tuple[str, float]], list[str]]:
    """Answer in the page; the last class is added in the middle. The requests with their times, and
    those that failed.
    """
    slow: list[tuple[str, float]] = []
    failed: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.on("requestfailed", lambda request: failed.append(request.url))
        page.on("response", lambda got: failed.append(got.url) if got.status >= 400 else None)
        page.on("requestfinished", lambda one: _note(one, slow))
        annotator, where = film.Annotator(page, streets / "masks", classes[:-1]), ""
        annotator.begin(address)
        for number in range(PIXELS):
            if number == PIXELS // 2:
                annotator.classes = classes
                annotator.add_classes(classes[-1:])
            where = annotator.where(where)
            annotator.answer(annotator.truth(where))
            page.wait_for_timeout(300)
            if number == PIXELS // 3:
                where = _free(annotator, annotator.where(where))
            if not first.exists() and (streets / "session" / "model.safetensors").exists():
                shutil.copy(streets / "session" / "model.safetensors", first)
        page.wait_for_timeout(20_000)  # the last answers are learned from
        assert "right at" in page.inner_text("#quality")
        _second_annotator(browser, address, annotator)
        browser.close()
    return slow, failed


def _free(annotator: "film.Annotator", where: str) -> str:
    """A pixel of one's own, in the middle of the photograph, in place of the question."""
    page = annotator.page
    page.dblclick("#photograph")
    page.wait_for_function("document.querySelector('#where').innerText.includes('your own pixel')")
    own = page.inner_text("#where")
    annotator.answer(annotator.truth(own))
    assert annotator.where(own) == where, "the question comes back"
    return own


def _second_annotator(browser: "sync_api.Browser", address: str, first: "film.Annotator") -> None:
    """In another window, with another name: other pixels."""
    bob = film.Annotator(browser.new_page(), first.masks, first.classes)
    bob.begin(address, "bob")
    where = ""
    for _ in range(5):
        where = bob.where(where)
        assert where != first.page.inner_text("#where")
        bob.answer(bob.truth(where))
    bob.page.wait_for_timeout(1000)


def _note(request: "sync_api.Request", slow: list[tuple[str, float]]) -> None:
    slow.append((request.url, request.timing["responseEnd"]))
