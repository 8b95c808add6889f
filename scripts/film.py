"""Film a live session: from an empty folder to a model, with an annotator in a real browser.

python scripts/film.py docs/live.gif --answers 150

The photographs are drawn streets, the answers come from their masks, and the classes are typed into
the page. Only the annotator is simulated; the page is the real one.
"""

import argparse
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ROOT = Path(__file__).parents[1]
STREETS = ["--train", "60", "--val", "4", "--size", "192x256", "--seed", "0"]
READY_S, QUESTION_MS = 60, 30_000


class Annotator:
    """Answers from masks through the page, with the clicks and keys of a user."""

    def __init__(self, page: Page, masks: Path, classes: list[str]) -> None:
        self.page, self.masks, self.classes = page, masks, classes

    def begin(self, address: str, name: str = "ann") -> None:
        """Open the page, and enter the annotator's name."""
        self.page.goto(address)
        self.page.fill("#name", name)
        self.page.press("#name", "Enter")

    def add_classes(self, names: list[str]) -> None:
        """Type classes into the page."""
        self.page.fill("#class-name", ", ".join(names))
        self.page.press("#class-name", "Enter")
        self.page.wait_for_selector(f"#classes button:has-text('{names[-1]}')")

    def where(self, before: str = "") -> str:
        """The position of the current question, once it differs from `before`."""
        self.page.wait_for_function(
            "before => { const text = document.querySelector('#where').innerText;"
            " return text.includes(', row ') && text !== before }",
            arg=before,
            timeout=QUESTION_MS,
        )
        return self.page.inner_text("#where")

    def truth(self, where: str) -> str | None:
        """The class of that pixel; None if the mask has none."""
        image, row, col = where.split(":", maxsplit=1)[0].split(", ")
        with Image.open((self.masks / image).with_suffix(".png")) as mask:
            place = int(row.removeprefix("row ")), int(col.removeprefix("col "))
            value = int(np.asarray(mask)[place])
        return self.classes[value] if value < len(self.classes) else None

    def answer(self, label: str | None) -> None:
        """Click the button of a class, or unsure."""
        if label is None:
            self.page.keyboard.press("?")
            return
        buttons = self.page.locator("#classes button")
        names = buttons.evaluate_all("all => all.map((one) => one.lastChild.textContent)")
        buttons.nth(names.index(label)).click()


@contextmanager
def session(folder: Path, *options: str) -> Iterator[str]:
    """The URL of trainer live on folder/images, once it is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "trainer", "live", "--pool", "images", "--out", "session",
        "--port", str(port), *options,
    ]  # fmt: skip
    address, end = f"http://127.0.0.1:{port}", time.monotonic() + READY_S
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not _is_ready(address):
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit("the session did not begin")
                time.sleep(0.1)
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            assert process.stderr
            sys.stderr.write(process.stderr.read())


def _is_ready(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/health/ready").close()
    except OSError:
        return False
    return True


def film(folder: Path, answers: int, shots: Path, pause: float) -> list[Path]:
    """Take a screenshot of the page after every few answers; returns them, oldest first."""
    classes = (folder / "classes.txt").read_text().split("\n")
    taken: list[Path] = []
    with session(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        annotator = Annotator(page, folder / "masks", [name for name in classes if name])
        annotator.begin(address)
        annotator.add_classes(annotator.classes)
        where = ""
        for number in range(answers + 1):
            where = annotator.where(where)
            if number % max(1, answers // 10) == 0:
                page.wait_for_timeout(2500)  # until the overlay is updated
                taken.append(_shot(page, shots / f"{number:04}.png"))
            if page.is_visible("#show-segmentation[aria-pressed='false']"):
                page.keyboard.press("Shift+S")
            annotator.answer(annotator.truth(where))
            page.wait_for_timeout(1000 * pause)
        page.wait_for_selector("#models:not([hidden])", timeout=120_000)
        page.click("#models summary")
        page.wait_for_selector("#curve svg")
        page.locator("#by-class").scroll_into_view_if_needed()
        taken.append(_shot(page, shots / "end.png"))
        for width in (1280, 1600, 420):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_timeout(500)
            _shot(page, shots / f"wide-{width}.png")
        browser.close()
    return taken


def _shot(page: Page, path: Path) -> Path:
    page.screenshot(path=str(path))
    return path


def write(shots: list[Path], out: Path, width: int, colours: int) -> None:
    """Write the screenshots as a looping GIF."""
    frames = []
    for shot in shots:
        with Image.open(shot) as image:
            height = round(width * image.height / image.width)
            small = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        frames.append(small.quantize(colours, dither=Image.Dither.NONE))
    frames[0].save(
        out, save_all=True, append_images=frames[1:], loop=0, optimize=True,
        duration=[900] * (len(frames) - 1) + [3000],
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--answers", type=int, default=150)
    parser.add_argument("--pause", type=float, default=0.3, help="seconds between two answers")
    parser.add_argument("--width", type=int, default=720)
    parser.add_argument("--colours", type=int, default=64)
    parser.add_argument("--shots", type=Path, help="keep the single pictures in this folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        streets = [sys.executable, str(ROOT / "scripts/streets.py"), place, *STREETS]
        subprocess.run(streets, check=True, capture_output=True)
        shots = given.shots or folder / "shots"
        shots.mkdir(parents=True, exist_ok=True)
        taken = film(folder, given.answers, shots, given.pause)
        write(taken, given.out, given.width, given.colours)
    print(f"{given.out}: {len(taken)} pictures, {given.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
