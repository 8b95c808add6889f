"""export onnx --plain: the network alone, from the command line."""

from dataclasses import dataclass, replace
from pathlib import Path

from export.graph import save
from export.plain import PlainOptions, bake, contract_for
from export.quantise import quantised
from scorer.console import progress, say
from scorer.plain import CLASS_MAP, INT8
from scorer.pools import open_pool
from trainer.model import Card
from trainer.network import Scorable


@dataclass(frozen=True, kw_only=True)
class PlainWish(PlainOptions):
    """calibrate: the pool that gives the ranges of int8, or None for another precision."""

    calibrate: str | None = None


def write(network: Scorable, card: Card, out: Path, wanted: PlainWish) -> None:
    """The graph into `out`, and what it is. Raises BadInput, CannotWrite."""
    contract = contract_for(network, card, wanted)
    with progress("graphs") as bar:
        task = bar.add_task(f"tracing {card.network}", total=None)
        graph = bake(network, contract)
        if wanted.calibrate is not None:
            bar.update(task, description=f"calibrating on {wanted.calibrate}")
            contract = replace(contract, precision=INT8)
            graph = quantised(graph, contract, open_pool(wanted.calibrate))
    save(graph, out)
    then = "" if contract.output == CLASS_MAP else f"; next: scorer segment --network {out}"
    say(
        f"wrote {out}: {contract.network} at {contract.height}x{contract.width}, "
        f"{len(contract.classes)} classes, {contract.precision}, "
        f"{out.stat().st_size / 1e6:.1f} MB{then}",
        style="green",
    )
    if contract.precision == INT8:
        say("int8 costs accuracy: compare its masks with those of fp32 (trainer evaluate --masks)")
