"""Every remedy in the code names commands that there are, and options that they have."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

from export.cli import main as export_main
from scorer.cli import main as scorer_main
from trainer.cli import main as trainer_main

ROOT = Path(__file__).parent.parent
PROGRAMS = {"trainer": trainer_main, "export": export_main, "scorer": scorer_main}
COMMAND = re.compile(
    r"\b(trainer|scorer|python -m export) ([a-z]+(?: (?:export|import|summary|retract|add))?)"
)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
OF_ALL = {"--verbose", "--help"}
# Of pip, ray and other programs that a remedy tells to call.
FOREIGN = {"--force-reinstall", "--head"}


def remedies() -> Iterator[tuple[str, str]]:
    """Where a remedy stands, and its words; what is filled in is {}."""
    for package in PROGRAMS:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.keyword) and node.arg == "remedy":
                    for text in _texts(node.value):
                        yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def _texts(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(one.value) if isinstance(one, ast.Constant) else "{}" for one in node.values
        )
    elif isinstance(node, ast.BinOp):
        yield "".join((*_texts(node.left), *_texts(node.right)))
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, set[str]]]:
    """Name and options of every command."""
    for name, command in group.commands.items():
        options = {one for entry in command.params for one in (*entry.opts, *entry.secondary_opts)}
        yield f"{before}{name}", options | OF_ALL
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")


OPTIONS = {program: dict(commands(group)) for program, group in PROGRAMS.items()}
# What only one side of the programs reaches; the rooms of scorer are used by all three.
REACHED = {
    "trainer": ("trainer", "export"),
    "export": ("export", "trainer"),
    "scorer": tuple(PROGRAMS),
}


def wrong(place: str, text: str) -> str | None:
    """What a remedy names and is not there."""
    rest = text
    for found in COMMAND.finditer(text):
        program = found[1].removeprefix("python -m ")
        own = {name for name in OPTIONS[program] if f"{found[2]} ".startswith(f"{name} ")}
        if not own:
            return f"{place}: {found[0]} is no command: {text}"
        behind = re.split("[;,] ", text[found.end() :])[0]
        if not set(OPTION.findall(behind)) <= OPTIONS[program][max(own, key=len)]:
            return f"{place}: {found[0]} lacks an option: {text}"
        rest = rest.replace(found[0] + behind, "")
    reached = (OPTIONS[program].values() for program in REACHED[place.split("/", maxsplit=1)[0]])
    every = set().union(*(options for program in reached for options in program))
    if not set(OPTION.findall(rest)) <= every | FOREIGN:
        return f"{place}: no command has that option: {text}"
    return None


def test_a_remedy_names_what_there_is() -> None:
    assert [said for one in remedies() if (said := wrong(*one))] == []


def test_a_wrong_remedy_is_found() -> None:
    assert wrong("trainer/a.py:1", "write one with: trainer start")
    assert wrong("scorer/a.py:1", "give scorer rank --flavour rtx")
    assert wrong("trainer/a.py:1", "leave --max-upload away")


def test_there_are_remedies_to_look_at() -> None:
    assert len(list(remedies())) > 300
