"""The Python API of export: write a scoring graph from a model or an ONNX network, and verify
it.
"""

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
    """Export a trained model, its dropout passes and an acquisition function as one ONNX graph.

    options: those of GraphOptions, passes=20, acquisition="balentacq", size=(360, 480), stride=None
    (that of the features), target="gpu", top_k=64. network: "package.module:factory", Python code
    that a model with a network of yours may run. Returns the contract of the graph. Raises
    BadModel, BadInput, CannotWrite.
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
    """Attach the scoring head to any segmentation network in an ONNX file.

    size: height and width of the network's input, needed where the file leaves them open. source:
    facts that the file does not hold (export.Source); then its path replaces `network`. options:
    those of GraphOptions. Returns the contract of the graph. Raises CannotGraft, BadInput,
    CannotWrite.
    """
    wanted = GraphOptions(**{"stride": None, "size": size, **options})
    built, card, _ = open_foreign(source or Source(path=Path(network)), size)
    return write(built, card, wanted, Path(out))


def write(built: Scorable, card: Card, options: GraphOptions, out: Path) -> Contract:
    """Write the scoring graph of a network into the file `out`; returns the graph's contract."""
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
    """Compare a graph in a runtime with its PyTorch reference on photographs of a pool.

    graph: a scoring graph, a plain network, or an engine of one of them. source: the network that a
    grafted graph was made from, in place of `model`. The `failures` of the verdict are empty where
    the graph agrees with the reference. Raises BadGraph, BadPool.
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
    """The network that a graph was exported from."""
    if source is not None:
        return reopen(Path(source), contract)
    if isinstance(contract, Contract) and contract.origin == ORIGINS[1]:
        raise BadInput(
            f"the graph was grafted onto {contract.network}",
            remedy=f"compare it with that network: --from {contract.network}",
        )
    return models.load(model, network)[0]
