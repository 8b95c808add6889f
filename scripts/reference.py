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
        for command in program.commands.values():
            lines += _section(f"{name} {command.name}", command, "###")
    return "\n".join(lines)


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
