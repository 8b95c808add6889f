"""What remedies name: commands with their options, and options of the command that failed."""

import re
from collections.abc import Iterator

import click

COMMAND = re.compile(
    r"\b(trainer|scorer|python -m export) ([a-z]+(?: (?:export|import|summary|retract|add))?)"
)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
OF_ALL = {"--verbose", "--help"}
# Of pip, ray and other programs that a remedy tells to call.
FOREIGN = {"--force-reinstall", "--head"}


def options_of(command: click.Command) -> set[str]:
    """All options of a command."""
    own = {one for entry in command.params for one in (*entry.opts, *entry.secondary_opts)}
    return own | OF_ALL


def named(text: str) -> Iterator[tuple[str, str, set[str]]]:
    """Yield the program, the words and the options of every command that a remedy names."""
    for found, behind in _commands(text):
        yield found[1].removeprefix("python -m "), found[2], set(OPTION.findall(behind))


def loose(text: str) -> set[str]:
    """The options of a remedy that belong to no command in it: those of the command that failed."""
    rest = text
    for found, behind in _commands(text):
        rest = rest.replace(found[0] + behind, "")
    return set(OPTION.findall(rest)) - FOREIGN


def _commands(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yield where a command stands, and the words behind it."""
    for found in COMMAND.finditer(text):
        yield found, re.split("[;,] ", text[found.end() :])[0]


def wrong(command: click.Command, name: str, remedy: str) -> list[str]:
    """What is wrong with the remedy of a command that failed: options that it lacks."""
    lacking = sorted(loose(remedy) - options_of(command))
    return [f"{name} has no {', '.join(lacking)}, but says: {remedy}"] if lacking else []
