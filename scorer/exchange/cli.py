"""The commands scorer labels export, import, retract and summary."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from scorer import options
from scorer.console import say
from scorer.errors import SOME_SKIPPED, BadLabels
from scorer.exchange import convert, intake
from scorer.exchange.classes import classes_of
from scorer.exchange.convert import FORMATS
from scorer.exchange.drafts import cli as drafts
from scorer.exchange.drafts import formats
from scorer.exchange.intake import Imported, LabelFile
from scorer.exchange.point import Point
from scorer.exchange.retract_cli import retract_command
from scorer.labels import store
from scorer.labels.conflict import listed
from scorer.labels.summary import Summary, summarise
from scorer.pools import list_pool

_format = click.option(
    "--format",
    "kind",
    type=click.Choice(tuple(FORMATS | formats.FORMATS)),
    required=True,
    help="Format of the labels.",
)
_ranking = click.option(
    "--ranking",
    "ranking_path",
    type=options.FILE,
    help="Ranking that names the pixels that were asked, and the sizes of their images.",
)
_USUAL_POOL, _USUAL_LABELS = "images", Path("labels.db")
_pool = options.pool(
    "Pool of the images, where nothing else gives their names and sizes", default=None
)


@click.group("labels")
def labels_group() -> None:
    """Exchange pixels and labels with annotation tools, and summarise the answers."""


@labels_group.command("export")
@click.option(
    "--labels",
    "labels_path",
    type=options.FILE,
    help="Answers to write: labels.db, or a CSV with the columns image,row,col,label.",
)
@_ranking
@_format
@click.option(
    "--out",
    type=options.FILE,
    required=True,
    help="File to write; for labelme and masks, which have a file per image, a folder.",
)
@click.option(
    "--only",
    type=click.Choice(("unlabelled",)),
    help="Write only the pixels that are not answered yet.  [default: all pixels]",
)
@_pool
@options.graph
@drafts.drafting
def export_command(  # one parameter per option
    labels_path: Path | None,
    ranking_path: Path | None,
    kind: str,
    out: Path,
    only: str | None,
    where: str | None,
    graph: Path,
    drafting: drafts.Drafting | None,
) -> int:
    """Write the chosen pixels and their answers in the format of an annotation tool.

    With --draft, write predicted masks instead, as regions to correct. The classes are those of
    labels.db or, without one, of the graph.

    \b
    Examples:
      scorer labels export --ranking ranking.csv --format cvat --out queries.xml
      scorer labels export --labels labels.db --ranking ranking.csv --only unlabelled \\
        --format label-studio --out tasks.json
      scorer labels export --labels labels.db --format masks --out masks
      scorer labels export --draft segmented --format cvat --out drafts.xml
    """
    if drafting is not None:
        if ranking_path is not None or only is not None:
            raise click.UsageError("--draft writes masks, and takes neither --ranking nor --only")
        drafts.hand_out(drafting, out, kind, partial(classes_of, labels_path, graph), where)
        return 0
    _check_points(kind)
    if labels_path is None and ranking_path is None:
        raise click.UsageError("give --labels, --ranking or both")
    if out.exists() and any(out.samefile(given) for given in _there(labels_path, ranking_path)):
        raise BadLabels(
            f"--out {out} would overwrite a file that it is made from", remedy="choose another"
        )
    names = classes_of(labels_path, graph)
    gathered = convert.gather(
        names,
        labels=labels_path,
        queries=ranking_path,
        pool=list_pool(where) if where else None,
    )
    points = gathered.points
    if only is not None:
        points = [point for point in points if point.answer is None]
    if not points:
        raise BadLabels("there are no such pixels", remedy="choose another --labels or --ranking")
    convert.write(out, points, names, kind)
    _report(points, out, kind)
    if labels_path is None and _USUAL_LABELS.is_file():
        say(f"the answers in {_USUAL_LABELS} are not in it; with them: --labels {_USUAL_LABELS}")
    for name in sorted(gathered.left_out):
        say(
            f"left out: {name!a}, for no file of labels can hold a name with a backslash or a "
            "control character; rename it",
            style="yellow",
        )
    return SOME_SKIPPED if gathered.left_out else 0


def _report(points: Sequence[Point], out: Path, kind: str) -> None:
    """Say what was written."""
    answered = sum(point.answer is not None for point in points)
    images = len({point.image for point in points})
    say(f"{len(points)} pixels of {images} images in {out}, {answered} answered", style="green")
    unsaid = sum(point.answer in {"unsure", "skip"} for point in points)
    if kind == "masks" and unsaid:
        say(f"{unsaid} of them are unsure or skip, which a mask cannot express", style="yellow")


@labels_group.command("import")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@_format
@click.option(
    "--labels",
    "labels_path",
    type=options.FILE,
    default="labels.db",
    show_default=True,
    help="Label store that the labels are added to. It is created if it does not exist.",
)
@click.option(
    "--annotator", help="Name of the person who gave the answers.  [required, but with --dense]"
)
@click.option(
    "--round",
    "round_",
    type=click.IntRange(0, 10**6),
    default=1,
    show_default=True,
    help="Number of the round of asking that the answers belong to.",
)
@options.on_conflict("the files give")
@_ranking
@_pool
@options.graph
@options.classes("Names of the classes, for labels before there is a graph or a label store")
@drafts.painting
def import_command(  # noqa: PLR0913, PLR0917  # one parameter per option
    path: Path,
    kind: str,
    labels_path: Path,
    annotator: str | None,
    round_: int,
    on_conflict: str,
    ranking_path: Path | None,
    where: str | None,
    graph: Path,
    classes: tuple[str, ...] | None,
    painting: drafts.Painting | None,
) -> None:
    """Import labels of an annotation tool into labels.db: all of them or, on any error, none.

    Importing the same file again adds nothing. Names and sizes of the images are taken from
    --ranking or --pool, by default from images/. With --dense, regions are imported as masks, for
    trainer fit --dense-labels.

    \b
    Examples:
      scorer labels import annotations.xml --format cvat --annotator ann --ranking ranking.csv
      scorer labels import images --format labelme --annotator ann --round 2
      scorer labels import clicks.csv --format csv --annotator ann --pool images
      scorer labels import tasks.json --format label-studio --annotator ann --classes sky,road,car
      scorer labels import annotations.xml --format cvat --dense --out corrected --pool images
    """
    if painting is not None:
        names = partial(classes_of, labels_path, graph, classes or ())
        drafts.take_back(painting, path, kind, names, where)
        return
    _check_points(kind)
    if annotator is None:
        raise click.UsageError("Missing option '--annotator'.")
    if labels_path.suffix.lower() != store.SUFFIX:
        raise BadLabels(f"{labels_path} is no {store.SUFFIX}", remedy="give --labels labels.db")
    if where is None and ranking_path is None and Path(_USUAL_POOL).is_dir():
        where = _USUAL_POOL
    taken = intake.take(
        LabelFile(
            path=path, format=kind, annotator=annotator, round=round_, on_conflict=on_conflict
        ),
        labels_path,
        classes_of(labels_path, graph, classes or ()),
        queries=ranking_path,
        pool=list_pool(where) if where else None,
    )
    _tell(taken, labels_path)


def _tell(taken: Imported, labels_path: Path) -> None:
    say(f"{taken.new} new answers in {labels_path}", style="green")
    if taken.before:
        say(f"{taken.before} were in the store already")
    for whose, count in taken.overruled.items():
        say(f"{count} of the new answers replace answers of {whose}", style="yellow")
    if taken.unlabelled:
        say(f"{taken.unlabelled} pixels are not labelled yet", style="yellow")
    if taken.passed:
        say(f"passed over: {intake.counted(taken.passed)}", style="yellow")
    if taken.renamed:
        named = [f"{path} as {image}" for image, path in sorted(taken.renamed.items())]
        say(f"{len(named)} images were found under other names: {listed(named)}")
    if taken.disputed:
        many = f"{len(taken.disputed)} pixels had different answers"
        say(f"{many}: {listed(taken.disputed)}", style="yellow")


labels_group.add_command(retract_command)


@labels_group.command("summary")
@click.option(
    "--labels",
    "labels_path",
    type=options.FILE,
    default="labels.db",
    show_default=True,
    help="Label store to read.",
)
@click.option("--json", "as_json", is_flag=True, help="Write JSON for programs.")
def summary_command(labels_path: Path, *, as_json: bool) -> None:
    """Print who answered what, how fast, and whether annotators agree.

    \b
    Examples:
      scorer labels summary
      scorer labels summary --labels session/labels.db --json
    """
    with store.reading(labels_path, store.classes_of(labels_path)) as opened:
        found = summarise(opened.given())
    click.echo(json.dumps(asdict(found), indent=1) if as_json else _told(found))


def _told(found: Summary) -> str:
    lines = [f"{found.answers} answers about {found.images} images"]
    lines += [
        f"{name}: {one.answers} answers ({one.labels} classes, {one.unsure} unsure, {one.skip} "
        f"skipped), {one.seconds:g} s each (median)"
        for name, one in found.annotators.items()
    ]
    for title, counts in (("classes", found.by_class), ("sources", found.by_source)):
        ordered = sorted(counts.items(), key=lambda one: -one[1])
        lines.append(f"{title}: " + ", ".join(f"{name} {count}" for name, count in ordered))
    lines.append(f"looked at again: {found.looked_again} answers, of which {found.mended} changed")
    share = f" ({found.agreed / found.seen_by_several:.0%})" if found.seen_by_several else ""
    lines.append(
        f"seen by several annotators: {found.seen_by_several} pixels, the same class for "
        f"{found.agreed}{share}"
    )
    return "\n".join(lines)


def _check_points(kind: str) -> None:
    if kind not in FORMATS:
        raise click.UsageError(f"--format {kind} is for regions: give --draft, or --dense")


def _there(*paths: Path | None) -> list[Path]:
    return [path for path in paths if path is not None and path.exists()]
