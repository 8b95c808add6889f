"""Draws the plots of a campaign: accuracy, uncertainty, variety of the chosen pixels, and maps."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from scorer.contract import ACQUISITIONS
from scorer.errors import BadDataset, BadImage, BadModel
from scorer.files import replacing_path
from scorer.images.photograph import Photograph, load
from scorer.selection.noise import uniform
from trainer import model
from trainer.classes import Classes
from trainer.dataset import Dataset
from trainer.evaluation import evaluate
from trainer.pytorch import PyTorch, device
from trainer.simulation import summary
from trainer.simulation.plan import Plan
from trainer.simulation.result import Result, folder_of
from trainer.split import Split

# Okabe & Ito 2008: distinguishable for colour-blind readers; markers distinguish them in print.
_COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#CC79A7", "#009E73", "#E69F00", "#000000")
_MARKERS = "oPs^Dv*"
_STYLE = dict(zip(ACQUISITIONS, zip(_COLOURS, _MARKERS, strict=True), strict=True))
_LABELLED = "labelled pixels (% of the training set)"

Curve = tuple[list[float], list[float], list[float], list[float]]  # x, mean, least, most


@dataclass(frozen=True)
class Line:
    """Supervised training for comparison: mIoU, and IoU by class."""

    miou: float
    iou: tuple[float, ...]


def line_of(path: Path, dataset: Dataset, network: str) -> Line:
    """Measure a model of `trainer supervised` on the validation split; network: see model.load.

    Raises BadDataset without [val], BadModel for other classes or another size.
    """
    if dataset.val is None:
        raise BadDataset(
            "the dataset has no [val] to measure on", remedy="add [val] to dataset.toml"
        )
    built, card = model.load(path, network)
    if card.classes != dataset.classes.names or card.size != dataset.size:
        raise BadModel(
            f"{path} was trained on {len(card.classes)} classes at {card.height}x{card.width}",
            remedy="train it on this dataset, with the same --size",
        )
    built.to(device())
    found = evaluate(built, dataset.val, dataset.classes, card.size)
    return Line(found.miou, found.iou)


def draw(results: Sequence[Result], classes: Classes, out: Path, line: Line | None) -> list[Path]:
    """Draw all plots that the results of a campaign allow; returns their paths."""
    drawn = [
        _accuracy(results, out / "miou.png", line),
        _clicks(results, out / "clicks.png"),
        _uncertainty(results, out / "uncertainty.png"),
        _variety(results, out / "queries.png"),
    ]
    (out / "gain.png").unlink(missing_ok=True)
    if line is not None:
        drawn.append(_gain(results, classes, out / "gain.png", line))
    return drawn


def draw_maps(dataset: Dataset, out: Path, plan: Plan) -> list[Path]:
    """Draw the maps of all acquisitions for one validation photograph, with the last model of the
    plan's first seed and acquisition. Values are shown through the normal CDF, as in Didari et al.
    2024.
    """
    path = _last_model(out, plan)
    if path is None or dataset.val is None:
        return []
    network, card = model.load(path, plan.training.network)
    photograph = _first_readable(dataset.val, card.size)
    height, width = photograph.geometry.content
    target = out / "maps.png"
    with _figure(target, 2, 4, (13.6, 6.0)) as axes:
        axes[0].imshow(photograph.pixels[:height, :width])
        axes[0].set_title("photograph")
        for axis, name in zip(axes[1:], ACQUISITIONS, strict=True):
            runtime = PyTorch(network, card, acquisition=name, passes=plan.passes)
            value = _wanted(runtime, photograph.pixels[None])[:height, :width]
            shown = axis.imshow(_cdf(value), vmin=0, vmax=1)
            axis.set_title(name)
        for axis in axes:
            axis.axis("off")
        axes[0].figure.suptitle(f"in the model of {path.parent.relative_to(out).as_posix()}")
        axes[-1].figure.colorbar(shown, ax=list(axes), shrink=0.7, label="asked first: 1")
    return [target]


def _last_model(out: Path, plan: Plan) -> Path | None:
    rounds = range(plan.rounds, -1, -1)
    folders = (folder_of(out, plan.seeds[0], plan.acquisitions[0], number) for number in rounds)
    models = (folder / "model.safetensors" for folder in folders)
    return next((path for path in models if path.is_file()), None)


def _first_readable(split: Split, size: tuple[int, int]) -> Photograph:
    for name in split.images.names:
        with suppress(BadImage):
            return load(split.images.image(name), size)
    raise BadDataset(
        f"no image of {split.images.where} can be read", remedy="trainer init tells what is wrong"
    )


def _wanted(runtime: PyTorch, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The sorting score of TopK; for BalEntAcq without its pole: 2 - BalEnt from 0 on, else
    BalEnt.
    """
    contract = runtime.contract
    noise = uniform(0, "maps", (1, *contract.map)) if contract.stochastic else None
    value = runtime.run(image, np.zeros((1, *contract.map), np.uint8), noise, want_map=True).map
    assert value is not None
    if contract.traits.has_pole:
        bounded: npt.NDArray[np.float32] = np.where(value[0] >= 0, 2 - value[0], value[0])
        return bounded
    drawn = None if noise is None else torch.from_numpy(noise)
    score = runtime.network.tail.acquisition.score(torch.from_numpy(value), drawn)
    found: npt.NDArray[np.float32] = score[0].numpy()
    return found


def _accuracy(results: Sequence[Result], path: Path, line: Line | None) -> Path:
    with _figure(path, 1, 1, (6.4, 4.4)) as (axis,):
        for name, runs in _by_acquisition(results).items():
            _plot(axis, name, _curve(runs, lambda r: 100 * r.share, lambda r: r.miou))
        if line is not None:
            axis.axhline(line.miou, color="0.4", linestyle="--", label="supervised, all pixels")
        axis.set_xlabel(_LABELLED)
        axis.set_ylabel("mIoU on the validation split")
        axis.legend()
    return path


def _clicks(results: Sequence[Result], path: Path) -> Path:
    """Plot how many labels every acquisition needs for a mIoU."""
    rows = summary.rows(results)
    mious = np.linspace(min(row.miou for row in rows), max(row.miou for row in rows), 200)
    with _figure(path, 1, 1, (6.4, 4.4)) as (axis,):
        for name in dict.fromkeys(row.acquisition for row in rows):
            line = [(row.labels, row.miou) for row in rows if row.acquisition == name]
            colour, _ = _STYLE[name]
            axis.plot(mious, [summary.needed(line, m) for m in mious], color=colour, label=name)
        axis.set_xlabel("mIoU on the validation split, mean over the seeds")
        axis.set_ylabel("labelled pixels needed")
        axis.set_yscale("log")
        axis.legend()
    return path


def _uncertainty(results: Sequence[Result], path: Path) -> Path:
    """Plot the uncertainty of the chosen pixels over the mIoU of the model that chose them."""
    with _figure(path, 1, 3, (12.0, 4.0)) as axes:
        for axis, kind in zip(axes, ("epistemic", "aleatoric", "posterior"), strict=True):
            for name, runs in _by_acquisition(results).items():
                for index, run in enumerate(runs):
                    mious, values = _normalised(run, kind)
                    colour, marker = _STYLE[name]
                    axis.plot(
                        mious, values, color=colour, marker=marker, label=None if index else name
                    )
            axis.set_xlabel("mIoU of the model that asked")
            axis.set_title(f"{kind} uncertainty of the pixels asked")
        axes[0].set_ylabel("relative to the first round that a model asked")
        axes[2].set_ylabel("the same; entropy is negative: larger is more certain")
        axes[0].legend()
    return path


def _normalised(run: Sequence[Result], kind: str) -> tuple[list[float], list[float]]:
    """mIoU of the choosing models, and uncertainty relative to the first; empty if that is 0."""
    asked = [one for one in run if not math.isnan(getattr(one, kind))]
    first = getattr(asked[0], kind) if asked else 0.0
    if first == 0:
        return [], []
    return [run[one.round - 1].miou for one in asked], [getattr(one, kind) / first for one in asked]


def _variety(results: Sequence[Result], path: Path) -> Path:
    with _figure(path, 1, 2, (10.0, 4.0)) as axes:
        for name, runs in _by_acquisition(results).items():
            _plot(axes[0], name, _curve(runs, lambda r: float(r.round), lambda r: r.distance))
            _plot(axes[1], name, _curve(runs, lambda r: float(r.round), lambda r: r.unique))
        axes[0].set_ylabel("mean distance of two pixels asked (pixels)")
        axes[1].set_ylabel("different classes asked per image")
        for axis in axes:
            axis.set_xlabel("round (0: random)")
            axis.xaxis.get_major_locator().set_params(integer=True)
        axes[0].legend()
    return path


def _gain(results: Sequence[Result], classes: Classes, path: Path, line: Line) -> Path:
    runs = _by_acquisition(results)
    places = np.arange(len(classes))
    with _figure(path, 1, 1, (max(6.4, 0.8 * len(classes)), 4.4)) as (axis,):
        for index, (name, of_seeds) in enumerate(runs.items()):
            last = np.nanmean([run[-1].iou for run in of_seeds], axis=0)
            offset = (index - (len(runs) - 1) / 2) * 0.8 / len(runs)
            axis.bar(
                places + offset, last - line.iou, 0.8 / len(runs), color=_STYLE[name][0], label=name
            )
        axis.axhline(0, color="0.4", linewidth=1)
        axis.set_xticks(places, classes.names, rotation=60, ha="right")
        axis.set_ylabel("IoU after the last round, less supervised")
        axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return path


def _by_acquisition(results: Sequence[Result]) -> dict[str, list[list[Result]]]:
    """The results of each seed in order of rounds, by acquisition."""
    found: dict[str, dict[int, list[Result]]] = {}
    for one in results:
        found.setdefault(one.acquisition, {}).setdefault(one.seed, []).append(one)
    return {name: list(runs.values()) for name, runs in found.items()}


def _curve(
    runs: Sequence[Sequence[Result]],
    x: Callable[[Result], float],
    y: Callable[[Result], float],
) -> Curve:
    """Mean and range over the seeds that reached each round."""
    curve: Curve = ([], [], [], [])
    for number in range(max(len(run) for run in runs)):
        rounds = [run[number] for run in runs if number < len(run)]
        values = [y(one) for one in rounds]
        point = (float(np.mean([x(one) for one in rounds])), float(np.mean(values)))
        for part, value in zip(curve, (*point, min(values), max(values)), strict=True):
            part.append(value)
    return curve


def _plot(axis: Any, name: str, curve: Curve) -> None:
    colour, marker = _STYLE[name]
    x, mean, least, most = curve
    axis.plot(x, mean, color=colour, marker=marker, label=name)
    if least != most:
        axis.fill_between(x, least, most, color=colour, alpha=0.15, linewidth=0)


def _cdf(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    scaled = torch.from_numpy((values - values.mean()) / max(float(values.std()), 1e-9))
    shown: npt.NDArray[np.float32] = torch.special.ndtr(scaled).numpy()
    return shown


@contextmanager
def _figure(path: Path, rows: int, cols: int, size: tuple[float, float]) -> Iterator[Any]:
    """Axes of a figure, which is written when the block ends."""
    # takes a second to import, and only this function needs it
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=size, layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, cols)).ravel()
    for axis in axes:
        axis.grid(alpha=0.3)
        axis.locator_params(axis="x", nbins=5)
    yield axes
    with replacing_path(path, shared=True) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
