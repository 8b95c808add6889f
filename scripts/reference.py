"""Write docs/commands.md from the help of every command, and the tables of modules in
docs/architecture.md from the first paragraphs of their docstrings. A test checks both.

python scripts/reference.py
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import click

import export.cli
import scorer.cli
import trainer.cli

PROGRAMS = {
    "trainer": trainer.cli.main,
    "python -m export": export.cli.main,
    "scorer": scorer.cli.main,
}


ROOT = Path(__file__).resolve().parent.parent
COMMANDS, ARCHITECTURE = ROOT / "docs" / "commands.md", ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- modules: scripts/reference.py -->\n", "<!-- end of modules -->\n"


def architecture(text: str) -> str:
    """The text of docs/architecture.md with current tables of modules."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n".join(_rooms()) + END + after


def _rooms() -> Iterator[str]:
    for package in ("scorer", "trainer", "export"):
        for init in sorted((ROOT / package).rglob("__init__.py")):
            room = init.parent
            modules = [path for path in sorted(room.glob("*.py")) if not path.stem.startswith("__")]
            if modules:
                yield from (f"### {room.relative_to(ROOT).as_posix()}/", "", _said(init), "")
                yield from ("| module | |", "|---|---|")
                yield from (f"| `{path.name}` | {_said(path)} |" for path in modules)
                yield ""


def _said(path: Path) -> str:
    """The first paragraph of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return " ".join(text.split("\n\n", maxsplit=1)[0].split()).replace("|", "\\|")


def reference() -> str:
    """All help texts, 100 columns wide, as Markdown."""
    lines = ["# Commands", "", "What `--help` says, written by `scripts/reference.py`.", ""]
    for name, program in PROGRAMS.items():
        lines += _section(name, program, "##")
        for path, command in _commands(name, program):
            lines += _section(path, command, "###")
    return "\n".join(lines)


def _commands(name: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """Yield the commands of a group and of its subgroups, with the words of the command line."""
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
    COMMANDS.write_text(reference(), encoding="utf-8")
    ARCHITECTURE.write_text(architecture(ARCHITECTURE.read_text("utf-8")), encoding="utf-8")
