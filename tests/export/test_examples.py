"""The examples of README.md that run a plain network: equal classes in Python, C++ and a page."""

import functools
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export import plain
from export.graph import save
from export.plain import PlainOptions
from trainer import networks
from trainer.model import Card

README = Path(__file__).parents[2] / "README.md"
SIZE = (192, 256)
WEB = Path(__file__).with_name("web")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PAGE = """<!doctype html><img id="photograph" src="photograph.png"><script type="module">
const photograph = document.getElementById("photograph");
await photograph.decode();
{code}
globalThis.found = Array.from(class_map.data);
</script>"""

Classes = np.ndarray  # type: ignore[type-arg]

pytestmark = pytest.mark.usefixtures("one_thread")


def example(language: str) -> str:
    section = README.read_text("utf-8").split("## Put the network into your application")[1]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found, f"README.md has no example in {language}"
    return found[1]


def alike(found: Classes, expected: Classes) -> bool:
    """But for pixels where two classes are all but equal: runtimes round differently."""
    return found.shape == expected.shape and float((found == expected).mean()) > 0.999


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, a photograph of its size as PNG and as bytes, and its classes."""
    folder = tmp_path_factory.mktemp("examples")
    torch.manual_seed(0)
    card = Card(
        network=networks.NAMES[0], dropout=0.2, dropout_kind="channel", classes=("a", "b", "c"),
        colours=((0, 0, 0), (0, 0, 1), (0, 0, 2)), height=SIZE[0], width=SIZE[1], pretrained="none",
    )  # fmt: skip
    network = card.build().eval()
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    with torch.no_grad():  # so that all classes occur
        network.classifier.bias -= network(torch.from_numpy(image[None])).mean((0, 2, 3))
    contract = plain.contract_for(network, card, PlainOptions())
    save(plain.bake(network, contract), folder / "network.onnx")
    Image.fromarray(image).save(folder / "photograph.png")
    shutil.copy(folder / "photograph.png", folder / "photograph.jpg")
    image.tofile(folder / "image.rgb")
    return folder


@pytest.fixture(scope="module")
def expected(folder: Path) -> Classes:
    """What the lines of Python find."""
    names: dict[str, Classes] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(example("python"), names)
    assert names["class_map"].shape == (1, *SIZE)
    assert len(np.unique(names["class_map"])) > 1
    return names["class_map"].ravel()


def test_python(expected: Classes) -> None:
    assert expected.dtype == np.uint8


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++ on this machine")
def test_cpp(folder: Path, expected: Classes) -> None:
    spec = find_spec("openvino")
    if spec is None or spec.origin is None:
        pytest.skip("openvino is not installed")
    place = Path(spec.origin).parent
    library = next((place / "libs").glob("libopenvino.so.*"))
    (folder / "segment.cpp").write_text(example("cpp"))
    subprocess.run(
        [
            "g++", "-std=c++17", "segment.cpp", "-o", "segment", f"-I{place / 'include'}",
            f"-L{library.parent}", f"-l:{library.name}", f"-Wl,-rpath,{library.parent}",
        ],
        cwd=folder, check=True,
    )  # fmt: skip
    subprocess.run(["./segment"], cwd=folder, check=True)
    assert alike(np.fromfile(folder / "class_map.raw", np.uint8), expected)


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """Where the folder is served, with ONNX Runtime Web in it."""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(WEB / name, folder)
    quietly = ["--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(["npm", "ci", *quietly], cwd=folder, check=True)
    (folder / "index.html").write_text(PAGE.replace("{code}", example("js")))
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")
@pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm on this machine")
def test_javascript(address: str, expected: Classes) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        page.wait_for_function("globalThis.found", timeout=120_000)
        found = page.evaluate("globalThis.found")
        browser.close()
    assert alike(np.array(found, np.uint8), expected)
