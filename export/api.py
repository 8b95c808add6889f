"""The Python door: a model, or somebody's network, into a scoring graph; and the proof of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from scorer.console import wait_quietly

wait_quietly()  # before PyTorch is loaded

from export.graph import GraphOptions, bake, contract_for, earlier, save  # noqa: E402
from export.plain_verification import PlainVerdict  # noqa: E402
from export.plain_verification import verify as compare_plain  # noqa: E402
from export.source import Source, reopen  # noqa: E402
from export.source import open_network as open_foreign  # noqa: E402
from export.verification import Verdict, tolerance_of  # noqa: E402
from export.verification import verify as compare  # noqa: E402
from scorer.contract import ORIGINS, Contract  # noqa: E402
from scorer.errors import BadInput  # noqa: E402
from scorer.files import check_writable  # noqa: E402
from scorer.plain import PlainContract  # noqa: E402
from scorer.pools import Index, Pool, list_pool  # noqa: E402
from scorer.runtimes import choose, contract_of, open_graph  # noqa: E402
from scorer.segmentation.network import open_network  # noqa: E402
from trainer import model as models  # noqa: E402
from trainer.graph.scorable import Scorable  # noqa: E402
from trainer.model import Card  # noqa: E402

Location = str | Path


def export(
    model: Location = "model.safetensors",
    out: Location = "scorer.onnx",
    *,
    network: str | None = None,
    **options: Any,
) -> Contract:
    """Bake a trained model, its dropout passes and an acquisition into one ONNX graph.

    options: those of GraphOptions, passes=20, acquisition="balentacq", size=(360, 480), stride=None
    (as coarse as the features), target="gpu", top_k=64. network: the code of yours that the model
    may run. Returns the contract of the graph. Raises BadModel, BadInput, CannotWrite.
    """
    built, card = models.load(Path(model), network)
    return write(built, card, GraphOptions(**{"stride": None, **options}), Path(out))


def graft(
    network: Location,
    out: Location = "scorer.onnx",
    *,
    size: tuple[int, int] | None = None,
    source: Source | None = None,
    **options: Any,
) -> Contract:
    """Put the scoring head onto any segmentation network in an ONNX file.

    size: of its input, where it takes any. source: what the file does not say (export.Source); its
    path is `network`. options: those of GraphOptions. Raises CannotGraft, BadInput, CannotWrite.
    """
    wanted = GraphOptions(**{"stride": None, "size": size, **options})
    built, card, _ = open_foreign(source or Source(path=Path(network)), size)
    return write(built, card, wanted, Path(out))


def write(built: Scorable, card: Card, options: GraphOptions, out: Path) -> Contract:
    """A network as a scoring graph in a file; its contract."""
    check_writable(out)
    contract = contract_for(built, card, options)
    save(bake(built, contract, earlier(out)), out)
    return contract


def verify(  # noqa: PLR0913  # as many as python -m export verify has options
    graph: Location = "scorer.onnx",
    pool: Pool | Location = "images",
    *,
    model: Location = "model.safetensors",
    network: str | None = None,
    source: Location | None = None,
    images: int = 16,
    runtime: str = "auto",
    precision: str = "float32",
    on_image: Callable[[int], None] = lambda _: None,
) -> Verdict | PlainVerdict:
    """Run photographs through a graph in a runtime, and through PyTorch; how far they differ.

    graph: a scoring graph, a plain network or an engine of one of them. source: the network that a
    grafted graph was made from, in place of a model. The verdict's
    `failures` are empty where the graph does what it was made from does. Raises BadGraph, BadPool.
    """
    path = Path(graph)
    photographs = list_pool(pool) if isinstance(pool, str | Path) else Index.of(pool)
    if isinstance(contract := contract_of(path), PlainContract):
        plain = open_network(runtime, path, workers=1)
        made_from = _reopened(Path(model), network, source, contract)
        return compare_plain(path, plain, made_from, photographs, images=images, on_image=on_image)
    name = choose(runtime, precision, path)
    opened = open_graph(name, path, workers=1, precision=precision)
    built = _reopened(Path(model), network, source, opened.contract)
    return compare(
        path,
        opened,
        built,
        photographs,
        images=images,
        tolerance=tolerance_of(precision, opened.contract),
        on_image=on_image,
    )


def _reopened(
    model: Path, network: str | None, source: Location | None, contract: Contract | PlainContract
) -> Scorable:
    """What a graph was made from."""
    if source is not None:
        return reopen(Path(source), contract)
    if isinstance(contract, Contract) and contract.origin == ORIGINS[1]:
        raise BadInput(
            f"the graph was grafted onto {contract.network}",
            remedy=f"compare it with that network: --from {contract.network}",
        )
    return models.load(model, network)[0]
