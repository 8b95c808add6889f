"""docs/commands.md says what --help says, of every command."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def written() -> str:
    """What scripts/reference.py would write now."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.reference())


def test_the_reference_is_up_to_date(written: str) -> None:
    kept = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert kept == written, "run: python scripts/reference.py > docs/commands.md"


COMMANDS = (
    "trainer init",
    "trainer fit",
    "trainer supervised",
    "trainer simulate",
    "trainer evaluate",
    "python -m export tensorrt",
    "python -m export triton",
    "python -m export onnx",
    "python -m export verify",
    "scorer rank",
    "scorer serve",
    "scorer inspect",
    "scorer doctor",
    "scorer bench",
    "scorer labels export",
    "scorer labels import",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_examples_and_a_place_in_the_readme(command: str, written: str) -> None:
    section = written.split(f"### {command}\n")[1].split("\n###", maxsplit=1)[0]
    assert "Examples:" in section
    assert command in (ROOT / "README.md").read_text("utf-8")


def test_the_commands_of_this_test_are_all_there_are(written: str) -> None:
    assert tuple(line[4:] for line in written.splitlines() if line.startswith("### ")) == COMMANDS
