#!/usr/bin/env python
"""Prints the tables of docs/benchmarks.md from the results of scripts/bench --way.

.venv/bin/python scripts/way_tables.py way.json
"""

import json
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from scorer.bench.stages import GRAPH, ORDER

STAGES = tuple(stage for stage in ORDER if stage != GRAPH)
NETWORKS = {
    "pixelhead-efficientnet-lite0": "pixel head on EfficientNet-Lite0, the default",
    "deeplabv3plus-efficientnet-lite0": "DeepLabV3+ on EfficientNet-Lite0",
}
FILES = {
    "256x512": "2048x1024 JPEG, scored at 256x512",
    "480x640": "640x480 JPEG, scored at 480x640",
}
DEFAULT = "stride 4"
# Ratios whose names begin so, with their goals: at most, or at least.
GOALS = (
    ("pixel head, default stride", "at most", 0.35),
    ("20 passes", "at least", 60),
    ("passes to picks, x backbone and head, 320x320", "at most", 2),
    ("passes to picks", "at most", 0.5),
    ("images/s from files", "at least", 0.95),
    ("peak memory", "at most", 1.1),
    ("one image on all cores, x bare network, stride 4", "at most", 1.3),
    ("scorer rank on one image", "at most", 1.2),
    ("export onnx, new", "at most", 3),
    ("export onnx, known", "at most", 1.5),
    ("images/s of 2 workers", "at least", 0.95),
)  # fmt: skip

Row = dict[str, Any]


def main() -> None:
    """Read the results, print the tables."""
    found = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    for (size, network), rows in groupby(found["stages"], key=_kind):
        print(f"\n### {FILES[size]}: {NETWORKS[network]}\n")
        print("\n".join(_tables(list(rows))))
    print("\n## Ratios with a goal\n\n| ratio | goal | measured |\n|---|---|---|")
    for name, value in found["goals"].items():
        print(_goal(name, value))


def _kind(row: Row) -> tuple[str, str]:
    return row["setting"].partition(",")[0], row["name"].partition(",")[0]


def _tables(rows: list[Row]) -> Iterator[str]:
    """The lines of both tables of a network: stages, and what is beside them."""
    graphs = [row for row in rows if "stages" in row]
    others = [row for row in rows if "stages" not in row]
    yield f"| | {' | '.join(STAGES)} | together | x bare |"
    yield f"|{'---|' * (len(STAGES) + 3)}"
    for row in graphs:
        taken = row["stages"]
        cells = [f"{taken[stage]:.{1 if taken[stage] >= 1 else 2}f}" for stage in STAGES]
        whole, ratio = f"{sum(taken.values()):.1f}", f"{row['x bare']:.2f}"
        name = f"graph, {row['name'].partition(', ')[2]}"
        if DEFAULT in name:
            name, ratio = f"**{name} (default)**", f"**{ratio}**"
        yield f"| {' | '.join((name, *cells, whole, ratio))} |"
    yield "\n| beside it | CPU ms | x bare |\n|---|---|---|"
    for row in others:
        name = row["name"].partition(", ")[2]
        if name == "bare":
            yield f"| bare network, ONNX Runtime | {row['cpu_ms']:.0f} | 1.00 |"
        else:
            yield f"| {name} | {row['cpu_ms']:.0f} | {row['x bare']:.2f} |"


def _goal(name: str, value: float) -> str:
    """A row of the table of ratios; in bold where the goal is reached."""
    words = next(((way, goal) for start, way, goal in GOALS if name.startswith(start)), None)
    if words is None:
        return f"| {name} | | {value:.3g} |"
    way, goal = words
    is_reached = value <= goal if way == "at most" else value >= goal
    shown = f"**{value:.3g}**" if is_reached else f"{value:.3g}"
    return f"| {name} | {way} {goal:g} | {shown} |"


if __name__ == "__main__":
    main()
