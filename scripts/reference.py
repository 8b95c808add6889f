"""Write docs/commands.md: what --help says of every command. A test keeps the two equal.

python scripts/reference.py > docs/commands.md
"""

from collections.abc import Iterator

import click

import export.cli
import scorer.cli
import trainer.cli

PROGRAMS = {
    "trainer": trainer.cli.main,
    "python -m export": export.cli.main,
    "scorer": scorer.cli.main,
}


def reference() -> str:
    """All help texts, 100 columns wide, as Markdown."""
    lines = ["# Commands", "", "What `--help` says, written by `scripts/reference.py`.", ""]
    for name, program in PROGRAMS.items():
        lines += _section(name, program, "##")
        for path, command in _commands(name, program):
            lines += _section(path, command, "###")
    return "\n".join(lines)


def _commands(name: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """The commands of a group and of the groups in it, with what is typed to reach them."""
    for command in group.commands.values():
        path = f"{name} {command.name}"
        if isinstance(command, click.Group):
            yield from _commands(path, command)
        else:
            yield path, command


def _section(name: str, command: click.Command, heading: str) -> Iterator[str]:
    context = click.Context(
        command,
        info_name=name,
        terminal_width=100,
        max_content_width=100,
        help_option_names=["-h", "--help"],
    )
    yield from (f"{heading} {name}", "", "```", command.get_help(context), "```", "")


if __name__ == "__main__":
    print(reference(), end="")
