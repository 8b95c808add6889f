"""Draws the reliability plot: accuracy over confidence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scorer.files import replacing_path
from trainer.reliability import BINS, Reliability

_RIGHT, _PROMISED = "#0072B2", "#D55E00"  # Okabe & Ito 2008


def draw(found: Mapping[str, Reliability], path: Path) -> None:
    """Write a PNG with one column of plots per entry of `found`, under its title.

    Above: accuracy and mean confidence of every bin. Below: the share of the pixels in every bin.
    """
    # takes a second to import, and only this function needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(0.6 + 4.2 * len(found), 5.2), layout="constrained")
    axes = figure.subplots(
        2, len(found), sharex=True, sharey="row", squeeze=False, height_ratios=(4, 1)
    )
    for (title, one), (upper, lower) in zip(found.items(), axes.T, strict=True):
        _bins(upper, one)
        upper.set_title(f"{title}: ECE {one.ece:.4f}")
        _shares(lower, one)
        lower.set_xlabel("confidence: probability of the predicted class")
    axes[0][0].set_ylabel("share of pixels that are right")
    axes[1][0].set_ylabel("of all pixels")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    with replacing_path(path, shared=True) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _bins(axis: Any, one: Reliability) -> None:
    """Draw accuracy and mean confidence per bin; bars below the diagonal mean overconfidence."""
    known = one.pixels > 0
    count = np.maximum(one.pixels, 1)
    share, confidence = one.right / count, one.confidence / count
    middles = (np.arange(BINS) + 0.5) / BINS
    axis.plot((0, 1), (0, 1), color="0.4", linestyle="--", linewidth=1)
    axis.bar(middles[known], share[known], 0.9 / BINS, color=_RIGHT, alpha=0.75, label="right")
    axis.plot(
        middles[known], confidence[known], "o", color=_PROMISED, markersize=4,
        label="mean confidence",
    )  # fmt: skip
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1.02)
    axis.grid(alpha=0.3)


def _shares(axis: Any, one: Reliability) -> None:
    middles = (np.arange(BINS) + 0.5) / BINS
    axis.bar(middles, one.pixels / max(1, one.pixels.sum()), 0.9 / BINS, color="0.6")
    axis.set_ylim(0, 1)
    axis.grid(alpha=0.3)
