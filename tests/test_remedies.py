"""Every remedy in the code names commands that there are, and options that they have."""

import ast
from collections.abc import Iterator
from pathlib import Path

import click
import remedies
from remedies import loose, named, options_of

from export.cli import main as export_main
from scorer.cli import main as scorer_main
from trainer.cli import main as trainer_main

ROOT = Path(__file__).parent.parent
PROGRAMS = {"trainer": trainer_main, "export": export_main, "scorer": scorer_main}


def written() -> Iterator[tuple[str, str]]:
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
        yield f"{before}{name}", options_of(command)
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
    for program, words, options in named(text):
        own = {name for name in OPTIONS[program] if f"{words} ".startswith(f"{name} ")}
        if not own:
            return f"{place}: {program} {words} is no command: {text}"
        if not options <= OPTIONS[program][max(own, key=len)]:
            return f"{place}: {program} {words} lacks an option: {text}"
    reached = (OPTIONS[program].values() for program in REACHED[place.split("/", maxsplit=1)[0]])
    every = set().union(*(options for program in reached for options in program))
    if not loose(text) <= every:
        return f"{place}: no command has that option: {text}"
    return None


def test_a_remedy_names_what_there_is() -> None:
    assert [said for one in written() if (said := wrong(*one))] == []


def test_a_wrong_remedy_is_found() -> None:
    assert wrong("trainer/a.py:1", "write one with: trainer start")
    assert wrong("scorer/a.py:1", "give scorer rank --flavour rtx")
    assert wrong("trainer/a.py:1", "leave --max-upload away")


def test_there_are_remedies_to_look_at() -> None:
    assert len(list(written())) > 300


def test_a_remedy_of_another_command_is_found() -> None:
    """Every failure of a command in the tests is checked so: see conftest.py."""
    rank = scorer_main.commands["rank"]
    text = "choose another --out, or remove it with: trainer fit --no-resume"
    assert remedies.wrong(rank, "rank", text) == []
    (said,) = remedies.wrong(rank, "rank", "choose another --flavour, or another --out")
    assert said.startswith("rank has no --flavour")
