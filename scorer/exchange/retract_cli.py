"""The command scorer labels retract."""

from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from scorer import options
from scorer.console import say
from scorer.errors import BadInput, BadLabels
from scorer.labels import store
from scorer.labels.retraction import Retraction, moment
from scorer.labels.store import Store
from scorer.pools import list_pool


class _Moment(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    name = "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        try:
            return value if isinstance(value, datetime) else moment(value)
        except BadLabels as error:
            self.fail(f"{error}; {error.remedy}", param, ctx)


@click.command("retract")
@click.option(
    "--labels",
    "labels_path",
    type=options.FILE,
    default="labels.db",
    show_default=True,
    help="Label store to take answers back in.",
)
@click.option("--image", "images", multiple=True, help="Name of an image; may be given again.")
@click.option("--annotator", help="Name of the person who gave the answers.")
@click.option("--round", "round_", type=click.IntRange(0), help="Number of a round of asking.")
@click.option("--since", type=_Moment(), help="Answers of this time and later, UTC.")
@click.option("--until", type=_Moment(), help="Answers before this time, UTC.")
@click.option(
    "--not-in-pool",
    "where",
    metavar="PLACE",
    help="Answers about images that this pool does not have.",
)
@click.option("--dry-run", is_flag=True, help="Only say which answers would be taken back.")
def retract_command(  # one parameter per option
    labels_path: Path,
    images: tuple[str, ...],
    annotator: str | None,
    round_: int | None,
    since: datetime | None,
    until: datetime | None,
    where: str | None,
    *,
    dry_run: bool,
) -> None:
    """Take back the answers to which all options apply, including replaced ones.

    Nothing is deleted: a new row marks an answer as taken back, as undo in the page does. An
    earlier answer to the same pixel becomes valid again. Labels can be imported again.

    \b
    Examples:
      scorer labels retract --not-in-pool images --dry-run
      scorer labels retract --annotator ann --round 2
      scorer labels retract --image street/a.jpg --since 2026-11-30T14:00
    """
    wanted = Retraction(
        images=frozenset(images), annotator=annotator, round=round_, since=since, until=until,
        holds=list_pool(where).__contains__ if where else None,
    )  # fmt: skip
    with store.reading(labels_path, store.classes_of(labels_path)) as opened:
        found = wanted.of(opened.given())
    if not found:
        raise BadInput(
            f"no answer in {labels_path} is like that",
            remedy="see who answered what with: scorer labels summary",
        )
    taken = [answer for _, answer in found]
    if not dry_run:
        with closing(Store(labels_path, store.classes_of(labels_path))) as opened:
            time = datetime.now(UTC).isoformat(timespec="seconds")
            taken = opened.retract((number for number, _ in found), time=time)
    count = f"{len(taken)} answers about {len({one.image for one in taken})} images"
    say(f"{count} {'would be' if dry_run else 'are'} taken back in {labels_path}", style="green")
    for name, number in sorted(Counter(one.annotator for one in taken).items()):
        say(f"{number} of {name}")
