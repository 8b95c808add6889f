"""The Python API of scorer: open a graph, rank a pool, read and write labels."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from scorer import labels as label_files
from scorer import runtimes
from scorer.console import cores
from scorer.contract import Contract
from scorer.errors import BadInput, MissingDependency
from scorer.images.photograph import load_full
from scorer.labels import Labels
from scorer.labels.conflict import REFUSE
from scorer.pools import Index, Pool, list_pool, open_pool
from scorer.ranking import table
from scorer.runtimes.base import Runtime
from scorer.selection import overlay, select
from scorer.selection.result import Ranked, Skipped
from scorer.selection.spacing import AUTO

if TYPE_CHECKING:
    import pandas as pd

    from scorer.ranking.work import Work

Location = str | Path


def open_graph(
    path: Location = "scorer.onnx",
    *,
    runtime: str = "auto",
    precision: str = "float32",
    threads: int | None = None,
) -> Runtime:
    """Open a scoring graph, or a TensorRT engine, in a runtime of this machine.

    runtime: "auto" takes the fastest installed one. threads: number of images scored at a time;
    None: one per core. Raises BadGraph, MissingDependency.
    """
    graph = Path(path)
    name = runtimes.choose(runtime, precision, graph)
    return runtimes.open_graph(name, graph, workers=threads or cores(), precision=precision)


def rank(  # noqa: PLR0913  # as many as scorer rank has options
    graph: Runtime | Location = "scorer.onnx",
    pool: Pool | Location = "images",
    *,
    n: int = 5,
    labels: Labels | Location | None = None,
    min_distance: float | None = AUTO,
    exclude: Location | None = None,
    seed: int = 0,
    batch: int = 1,
    maps: bool = False,
) -> "Results":
    """Choose the n most informative pixels of every image of a pool, as scorer rank does.

    labels: pixels that were already asked for, or a file of them; they are not chosen again.
    min_distance: between chosen pixels, in pixels of the image; AUTO (None): derived from the image
    and n; 0: no distance, the paper's rule. exclude: folder of masks of pixels never to choose.
    maps: whether results keep the uncertainty map and the predicted classes.

    Images are scored while the iterator is read. An image that cannot be used gives a Skipped.
    Raises BadGraph, BadPool, BadLabels, BadInput.
    """
    runtime = graph if not isinstance(graph, str | Path) else open_graph(graph)
    index = list_pool(pool) if isinstance(pool, str | Path) else Index.of(pool)
    if isinstance(labels, str | Path):
        labels = read_labels(labels, runtime.contract.classes)
    found = select.rank(
        runtime,
        index,
        n=n,
        labels=labels,
        seed=seed,
        batch=batch,
        want_map=maps,
        distance=min_distance,
        exclude=None if exclude is None else Path(exclude),
    )
    return Results(found, runtime.contract, index)


def divide(  # noqa: PLR0913  # as many as scorer rank has options
    graph: Location,
    pool: Location,
    out: Location,
    *,
    n: int = 5,
    labels: Labels | Location | None = None,
    min_distance: float | None = AUTO,
    exclude: Location | None = None,
    seed: int = 0,
    batch: int = 1,
    why: bool = False,
    shard: int = 64,
    listed: bool = False,
    runtime: str = "auto",
    precision: str = "float32",
    threads: int = 1,
) -> "Work":
    """List a pool into the folder of a ranking, so that any scheduler can distribute its shards.

    A process that sees the same files calls score(numbers) of the returned Work, which is small
    when pickled; scorer rank with the same options then joins the parts in `out`. listed: the pool
    was listed by another process, and its list is used. why: as scorer rank --why, for the ranking
    of whole images. Other arguments and errors: see `rank`.
    """
    from scorer.ranking.job import RankOptions, Run, list_only, listed_before  # noqa: PLC0415
    from scorer.ranking.shard import Criteria  # noqa: PLC0415  # pyarrow
    from scorer.ranking.work import Work  # noqa: PLC0415

    path = Path(graph).absolute()
    opened = open_graph(path, runtime=runtime, precision=precision, threads=threads)
    if isinstance(labels, str | Path):
        labels = read_labels(labels, opened.contract.classes)
    criteria = Criteria(
        n=n,
        distance=min_distance,
        seed=seed,
        labels=labels,
        exclude=None if exclude is None else Path(exclude).absolute(),
        batch=batch,
        uncertain=opened.contract.traits.zero_level if why else None,
        why=why,
    )
    found = open_pool(str(pool)).absolute()
    run = Run(opened, found, Path(out).absolute(), RankOptions(criteria=criteria, shard=shard))
    if listed:
        listed_before(run)
    else:
        list_only(run)
    return Work(
        graph=path,
        runtime=runtimes.choose(runtime, precision, path),
        precision=precision,
        workers=threads,
        sha256=opened.contract.sha256,
        pool=found,
        folder=run.folder,
        criteria=criteria,
    )


def read_labels(path: Location, classes: Sequence[str], *, on_conflict: str = REFUSE) -> Labels:
    """Read labels from a .csv or .db file, as indices of `classes`. Raises BadLabels.

    on_conflict: which answer counts if a .csv has different answers for a pixel: "newest",
    "majority", or by default none, which is an error.
    """
    return label_files.read(Path(path), classes, on_conflict=on_conflict)


def write_labels(path: Location, labels: Labels, classes: Sequence[str]) -> None:
    """Write labels with class names into a .csv. Raises CannotWrite."""
    label_files.write(Path(path), labels, classes)


class Results(Iterator[Ranked | Skipped]):
    """The results of `rank`, image by image, in the order of the pool; can be read once.

    skipped: the unusable images among those read so far.
    """

    def __init__(self, found: Iterator[Ranked | Skipped], contract: Contract, pool: Index) -> None:
        self._found, self.contract, self.pool = found, contract, pool
        self.skipped: list[Skipped] = []

    def __next__(self) -> Ranked | Skipped:
        result = next(self._found)
        if isinstance(result, Skipped):
            self.skipped.append(result)
        return result

    def __len__(self) -> int:
        """Number of images in the pool."""
        return len(self.pool)

    def rows(self) -> Iterator[table.Row]:
        """The ranking as scorer rank writes it: a dictionary per chosen pixel (table.COLUMNS)."""
        ranked = (result for result in self if isinstance(result, Ranked))
        return table.rows(ranked, self.contract.classes)

    def to_pandas(self) -> "pd.DataFrame":
        """The rows as a pandas table. Raises MissingDependency."""
        try:
            import pandas as pd  # noqa: PLC0415
        except ImportError as error:
            raise MissingDependency(
                "to_pandas needs pandas", remedy="pip install pandas, or read .rows()"
            ) from error
        return pd.DataFrame.from_records(list(self.rows()), columns=list(table.COLUMNS))

    def write(self, path: Location) -> None:
        """Write the rows into a .csv, .jsonl or .parquet file. Raises CannotWrite, BadInput."""
        table.write(Path(path), self.rows())

    def picture(self, result: Ranked | Skipped) -> Image.Image:
        """The photograph with its chosen pixels, beside its uncertainty map; needs maps=True.

        Raises BadInput for a skipped image, or without a map.
        """
        if isinstance(result, Skipped):
            raise BadInput(f"{result.image} was skipped: {result.reason}", remedy="take the next")
        if result.map is None:
            raise BadInput("this result has no map", remedy="give rank maps=True")
        photograph = load_full(self.pool.image(result.image))
        return overlay.draw(result, photograph, self.contract.colours)
