"""Implements export onnx --plain."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from onnx import ModelProto

from export import quantise
from export.cost import MOST, Cost, measure
from export.graph import save
from export.plain import PlainOptions, bake, contract_for
from scorer.console import progress, say
from scorer.plain import CLASS_MAP, INT8
from scorer.pools import open_pool
from scorer.segmentation.network import open_network
from trainer.dataset import read
from trainer.graph.scorable import Scorable
from trainer.model import Card


@dataclass(frozen=True, kw_only=True)
class PlainWish(PlainOptions):
    """Options of export onnx --plain. calibrate: pool on which the ranges of int8 are calibrated;
    None for other precisions. data: dataset.toml on whose [val] the cost of int8 is measured, if it
    exists.
    """

    calibrate: str | None = None
    data: Path = Path("dataset.toml")


def write(network: Scorable, card: Card, out: Path, wanted: PlainWish) -> None:
    """Write the plain graph to `out` and print a summary. Raises BadInput, CannotWrite."""
    contract = contract_for(network, card, wanted)
    with progress("graphs") as bar:
        task = bar.add_task(f"tracing {card.network}", total=None)
        graph = whole = bake(network, contract)
        if wanted.calibrate is not None:
            bar.update(task, description=f"calibrating on {wanted.calibrate}", total=quantise.MOST)
            graph = quantise.quantised(
                whole,
                contract,
                open_pool(wanted.calibrate),
                on_image=lambda done: bar.update(task, completed=done),
            )
    save(graph, out)
    precision = contract.precision if wanted.calibrate is None else INT8
    then = "" if contract.output == CLASS_MAP else f"; next: scorer segment --network {out}"
    say(
        f"wrote {out}: {contract.network} at {contract.height}x{contract.width}, "
        f"{len(contract.classes)} classes, {precision}, "
        f"{out.stat().st_size / 1e6:.1f} MB{then}",
        style="green",
    )
    if wanted.calibrate is not None:
        say(f"int8: {_cost(whole, graph, wanted)}")


def _cost(whole: ModelProto, small: ModelProto, wanted: PlainWish) -> Cost:
    assert wanted.calibrate is not None
    dataset = read(wanted.data) if wanted.data.is_file() else None
    with tempfile.TemporaryDirectory() as place, progress("images") as bar:
        paths = [Path(place) / name for name in ("whole.onnx", "small.onnx")]
        for path, graph in zip(paths, (whole, small), strict=True):
            save(graph, path)
        before, after = (open_network("cpu", path, workers=1) for path in paths)
        task = bar.add_task("measuring what int8 costs", total=MOST)
        return measure(
            before,
            after,
            open_pool(wanted.calibrate),
            dataset,
            on_image=lambda done: bar.update(task, completed=done),
        )
