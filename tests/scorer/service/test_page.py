"""The annotation page in a real browser: by keyboard, by mouse, two annotators at once."""

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import byhand
import photographs
import pytest
import serving

from scorer.labels.answer import Answer
from scorer.labels.store import Store
from scorer.runtimes import open_graph

sync_api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
Graph = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    (folder / "images").mkdir()
    photographs.photographs(folder / "images", 90, height=120, width=160)
    return folder


@pytest.fixture(scope="module")
def address(folder: Path, tiny: Graph) -> Iterator[str]:
    with serving.serving(folder, tiny(), "--n", 1) as server:
        yield server.address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(browser: Any, address: str, name: str) -> Any:
    """The page, of an annotator who says who they are; its scripts must not fail."""
    page = browser.new_context(viewport={"width": 1100, "height": 700}).new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda said: said.type != "error" or page.errors.append(said.text))
    page.goto(address)
    page.keyboard.press("Escape")  # nobody answers without a name
    page.locator("#name").fill(name)
    page.keyboard.press("Enter")
    sync_api.expect(page.locator("#where")).to_contain_text("row")
    return page


def answers(folder: Path, graph: Path) -> list[Answer]:
    classes = open_graph("cpu", graph, workers=1).contract.classes
    store = Store(folder / "labels.db", classes)
    found = list(store.history())
    store.close()
    return found


def then(page: Any, act: Callable[[], object]) -> str:
    """Do something and wait until the page asks for another pixel; which it was."""
    before = page.locator("#where").text_content()
    act()
    sync_api.expect(page.locator("#where")).not_to_have_text(before)
    sync_api.expect(page.locator("#where")).to_contain_text("row")  # it may still be ranking
    return before


def test_an_annotator_labels_by_keyboard_and_mouse(
    browser: Any, address: str, folder: Path, tiny: Graph
) -> None:
    page = opened(browser, address, "ann")
    page.screenshot(path=folder / "page.png")
    keys = page.locator("#classes kbd").all_text_contents()
    names = [
        re.sub(f"^{key}", "", text)
        for key, text in zip(keys, page.locator("#classes button").all_text_contents(), strict=True)
    ]
    places, expected = [], []
    for number in range(10):  # by keyboard only
        key = keys[number % len(keys)]
        places.append(then(page, lambda key=key: page.keyboard.press(key)))
        expected.append(("label", names[number % len(keys)]))
    page.keyboard.press("Backspace")
    sync_api.expect(page.locator("#where")).to_have_text(places[-1])
    then(page, lambda: page.keyboard.press("Space"))
    expected += [("undo", None), ("skip", None)]
    stopped = page.locator("#where").text_content()
    page.reload()
    sync_api.expect(page.locator("#where")).to_have_text(stopped)
    then(page, lambda: page.keyboard.press("?"))
    expected.append(("unsure", None))
    for number in range(5):  # by mouse only
        button = page.locator("#classes button").nth(number % len(names))
        places.append(then(page, button.click))
        expected.append(("label", names[number % len(names)]))
    page.locator("#zoom-in").click()
    page.locator("#show-map").click()
    assert page.locator("#show-map").get_attribute("aria-pressed") == "true"
    with page.expect_response("**/v1/segmentation**") as found:
        page.keyboard.press("Shift+S")
    assert found.value.ok
    assert page.locator("#show-map").get_attribute("aria-pressed") == "false"
    assert page.locator("#show-segmentation").get_attribute("aria-pressed") == "true"
    sync_api.expect(page.locator("#receipt")).to_contain_text(names[4 % len(names)])
    found = answers(folder, tiny())
    assert [(one.answer, one.class_name) for one in found] == expected
    labelled = [f"{one.image}, row {one.row}, col {one.col}" for one in found if one.class_name]
    assert labelled == places
    assert {one.annotator for one in found} == {"ann"}
    assert page.errors == []


def test_two_browsers_never_get_the_same_pixel(browser: Any, address: str) -> None:
    pages = [opened(browser, address, name) for name in ("bob", "cat")]
    seen = [then(page, lambda page=page: page.keyboard.press("?")) for page in 4 * pages]
    seen += [page.locator("#where").text_content() for page in pages]
    assert len(set(seen)) == len(seen)


def test_every_press_is_an_answer_and_a_key_that_is_held_is_one(
    browser: Any, address: str, folder: Path, tiny: Graph
) -> None:
    """Also while the service is slow: what is on the screen is what is answered."""
    page = opened(browser, address, "flo")
    page.route("**/v1/queue**", lambda route: (page.wait_for_timeout(300), route.continue_()))
    seen = []
    for _ in range(3):
        seen.append(page.locator("#where").text_content())
        page.keyboard.down("?")
        page.keyboard.down("?")  # as a keyboard repeats it
        page.keyboard.up("?")
    sync_api.expect(page.locator("#where")).not_to_have_text(seen[-1])
    sync_api.expect(page.locator("#receipt")).to_contain_text("unsure")
    page.wait_for_timeout(500)
    given = [one for one in answers(folder, tiny()) if one.annotator == "flo"]
    assert [f"{one.image}, row {one.row}, col {one.col}" for one in given] == seen
    assert page.errors == []


def test_keys_work_whatever_was_clicked_before(browser: Any, address: str) -> None:
    page = opened(browser, address, "dan")
    page.locator("#show-map").click()
    sync_api.expect(page.locator("#legend")).to_be_visible()
    page.locator("#opacity").focus()
    then(page, lambda: page.keyboard.press("?"))
    page.locator("#fit").click()
    then(page, lambda: page.keyboard.press("Space"))
    page.locator("#zoom-in").focus()  # by keyboard: there Space presses the button
    before = page.locator("#where").text_content()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+M")
    sync_api.expect(page.locator("#legend")).to_be_hidden()
    assert page.locator("#where").text_content() == before
    assert page.errors == []


def test_a_photograph_that_is_gone_is_said_and_passed_over(
    browser: Any, address: str, folder: Path
) -> None:
    page = opened(browser, address, "eve")
    for _ in range(2):  # those that are there already
        then(page, lambda: page.keyboard.press("?"))
    asked = page.evaluate("fetch('/v1/queue?annotator=eve&count=6').then((got) => got.json())")
    gone = asked[-1]["image"]
    (folder / "images" / gone).rename(folder / "away")
    for _ in asked:
        if gone in (page.locator("#message").text_content() or ""):
            break
        then(page, lambda: page.keyboard.press("?"))
    sync_api.expect(page.locator("#message")).to_contain_text(f"{gone} cannot be shown")
    assert gone not in page.locator("#where").text_content()
    then(page, lambda: page.keyboard.press("?"))
    (folder / "away").rename(folder / "images" / gone)


def test_the_description_of_the_interface_is_read_offline(browser: Any, address: str) -> None:
    page = browser.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: said.type != "error" or errors.append(said.text))
    page.goto(f"{address}/docs")
    sync_api.expect(page.get_by_text("/v1/rank")).to_be_visible()
    assert not errors
    assert all(url.startswith((address, "data:")) for url in asked), "nothing from elsewhere"


def test_eleven_classes_fit_into_a_small_window(browser: Any, folder: Path, tmp_path: Path) -> None:
    """No text overflows its button, and the last class is above the fold."""
    graph = tmp_path / "eleven.onnx"
    names = ("Sky", "Building", "Column_Pole", "Road", "Sidewalk", "Tree", "SignSymbol", "Fence",
             "Car", "Pedestrian", "Bicyclist")  # fmt: skip
    byhand.save(graph, "balentacq", classes={name: (20 * i, 0, 0) for i, name in enumerate(names)})
    shutil.copytree(folder / "images", tmp_path / "images")
    with serving.serving(tmp_path, graph, "--n", 1) as server:
        page = opened(browser, server.address, "eve")
        page.set_viewport_size({"width": 1280, "height": 800})
        buttons = page.locator("button:visible")
        assert page.locator("#classes button").count() == len(names)
        wide = "one => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight"
        assert [one.text_content() for one in buttons.all() if one.evaluate(wide)] == []
        sync_api.expect(page.locator("#classes button").last).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollHeight") <= 800
        assert page.errors == []
