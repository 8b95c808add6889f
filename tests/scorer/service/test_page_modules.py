"""The modules of the annotation page: how they are served, and their unit tests in Node."""

import re
import shutil
import subprocess
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import photographs
import pytest
from application import answering, started

TESTS = Path(__file__).parents[2] / "page"
NODE = shutil.which("node")
OLDEST = (20, 19)  # the first that takes a file with import and export for a module, as browsers do
PAGE = files("scorer.service") / "page"
MODULES = sorted(file.name for file in PAGE.iterdir() if file.name.endswith(".js"))


def test_every_module_is_served_as_a_script_and_needs_the_token(
    tmp_path: Path, tiny: Callable[..., Path]
) -> None:
    (tmp_path / "images").mkdir()
    photographs.photographs(tmp_path / "images", 1)
    assert len(MODULES) > 10
    options = {"host": "http://far", "token": "secret"}
    with answering(started(tmp_path, tiny()), **options) as client:
        for name in MODULES:
            assert client.get(f"/{name}").status_code == 401
            foreign = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
            known = {"authorization": "Bearer secret"}
            assert client.get(f"/{name}", headers=known | foreign).status_code == 403
            response = client.get(f"/{name}", headers=known)
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/javascript")
            assert "script-src 'self';" in response.headers["content-security-policy"]
            assert response.content == (PAGE / name).read_bytes()


def _version() -> tuple[int, ...]:
    said = subprocess.run([str(NODE), "--version"], capture_output=True, text=True, check=True)
    return tuple(map(int, re.findall(r"\d+", said.stdout)[:2]))


def test_the_unit_tests_of_the_page_pass() -> None:
    if NODE is None:
        pytest.skip("there is no node on this machine")
    if _version() < OLDEST:
        pytest.skip("node is older than {}.{}".format(*OLDEST))
    tests = sorted(TESTS.glob("*.test.js"))
    assert tests
    done = subprocess.run(
        [NODE, "--test", *tests], capture_output=True, text=True, check=False, cwd=TESTS
    )
    assert done.returncode == 0, done.stdout + done.stderr
