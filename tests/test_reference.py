"""docs/ says what the code says of itself: every command, every module."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def written(reference: ModuleType) -> str:
    """What scripts/reference.py would write now."""
    return str(reference.reference())


def test_the_modules_are_up_to_date(reference: ModuleType) -> None:
    kept = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert kept == reference.architecture(kept), "run: python scripts/reference.py"
    modules = {
        path for name in ("scorer", "trainer", "export") for path in (ROOT / name).rglob("*.py")
    }
    assert len(re.findall(r"^\| `\w+\.py` \| \S", kept, re.MULTILINE)) == len(
        [path for path in modules if not path.stem.startswith("__")]
    )


def test_what_the_architecture_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = re.findall(r"`((?:scorer|trainer|export|tests|scripts|docs)/[\w./-]*)`", text)
    assert len(named) > 30
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_reference_is_up_to_date(written: str) -> None:
    kept = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert kept == written, "run: python scripts/reference.py"


COMMANDS = (
    "trainer init",
    "trainer fit",
    "trainer supervised",
    "trainer simulate",
    "trainer live",
    "trainer evaluate",
    "trainer calibrate",
    "python -m export onnx",
    "python -m export verify",
    "python -m export tensorrt",
    "python -m export triton",
    "scorer rank",
    "scorer serve",
    "scorer segment",
    "scorer inspect",
    "scorer doctor",
    "scorer bench",
    "scorer labels export",
    "scorer labels import",
    "scorer labels retract",
    "scorer labels summary",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_and_a_place_in_the_readme(command: str, written: str) -> None:
    section = written.split(f"### {command}\n")[1].split("\n###", maxsplit=1)[0]
    assert "Examples:" in section
    assert command in (ROOT / "README.md").read_text("utf-8")


def test_the_commands_of_this_test_are_all_there_are(written: str) -> None:
    assert tuple(line[4:] for line in written.splitlines() if line.startswith("### ")) == COMMANDS
