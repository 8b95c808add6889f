"""Compares a scoring graph in a runtime with the PyTorch model that it was exported from."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
import torch
from torch import Tensor

from export.graph import features_of, reference
from export.pass_weights import pass_weights
from export.position import elsewhere, looks
from export.regret import regret
from scorer.contract import NO_PIXEL, NO_SCORE, Contract
from scorer.errors import BadGraph, BadImage, BadPool
from scorer.images.photograph import load
from scorer.pools import Index
from scorer.runtimes.base import Runtime
from scorer.runtimes.base import Scores as Found
from scorer.runtimes.sidecar import SUFFIX
from scorer.selection.noise import uniform
from trainer.graph.scorable import Scorable
from trainer.graph.scoring import Scores, ScoringNetwork
from trainer.networks import HEAD

# Pixels below this BalEnt are confident and never selected; the clamping floor dominates them.
SELECTABLE = -8.0


class Tolerance(NamedTuple):
    """Largest errors of a runtime: of the map where pixels can be selected (map) and elsewhere
    (map_below), and of the regret. tie: classes whose mean probabilities differ by less are equal.
    """

    map: float
    map_below: float
    regret: float
    tie: float


# bfloat16 rounds every feature to 8 bits, which changes the network itself by as much; float16
# keeps 11 bits. Measurements on CamVid: docs/numerics.md.
TOLERANCES = {
    "float32": Tolerance(1e-3, 5e-3, 2e-3, tie=1e-3),
    "float16": Tolerance(5e-1, 5e-1, 2e-2, tie=5e-2),
    "bfloat16": Tolerance(math.inf, math.inf, 5e-1, tie=5e-1),
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Largest errors over all images; None for outputs that the graph does not have.

    map_difference: of the map where a pixel can be selected (BalEnt ≥ -8; other quantities:
    everywhere); map_difference_below: elsewhere. regret: see export/regret.py, with every second
    pixel excluded. labels: share of selected pixels with the reference's class. score_map: whether
    score map and segmentation, from which spaced pixels are chosen, are consistent with the
    selected pixels. positions: whether the map responds where the photograph changes
    (export/position.py). spread: mean range of the classifier's weights over the passes, zero where
    dropout was lost; None for an engine, which hides its weights.
    """

    images: int
    map_difference: float | None
    map_difference_below: float | None
    regret: float
    labels: float
    score_map: bool
    positions: bool
    spread: float | None
    tolerance: Tolerance
    runtime: str = ""

    @property
    def failures(self) -> list[str]:
        """What failed, as texts; empty if the graph agrees with the reference. NaN fails."""
        checks = (
            (self.map_difference, self.tolerance.map, "the map differs"),
            (
                self.map_difference_below,
                self.tolerance.map_below,
                "the map differs below BalEnt = -8",
            ),
            (
                self.regret,
                self.tolerance.regret,
                "pixels were selected that the reference does not want",
            ),
        )
        found = [text for value, most, text in checks if value is not None and not value <= most]
        if self.labels != 1:
            found.append("the predicted classes of the selected pixels differ")
        if not self.score_map:
            found.append("the score map does not hold the scores of the best pixels")
        if not self.positions:
            found.append("the map shows another place than the one that changes in a photograph")
        if self.spread is not None and not self.spread > 0:
            found.append("all passes are equal: dropout was lost")
        return found


def tolerance_of(precision: str, contract: Contract) -> Tolerance:
    """The tolerance for a runtime in `precision`: at least that of the network's own precision."""
    needed = max(TOLERANCES[precision], TOLERANCES[contract.precision], key=lambda one: one.regret)
    # A head is confident of more pixels than other networks; there, rounding of logits dominates.
    if contract.network.startswith(HEAD):
        return needed._replace(map_below=max(2 * TOLERANCES["float32"].map_below, needed.map_below))
    return needed


def verify(
    path: Path,
    runtime: Runtime,
    network: Scorable,
    pool: Index,
    *,
    images: int,
    tolerance: Tolerance = TOLERANCES["float32"],
    on_image: Callable[[int], None] = lambda _: None,
) -> Verdict:
    """Run `images` photographs of the pool through a runtime and the PyTorch reference.

    Unreadable images are skipped. Raises BadGraph where the graph is of another model, BadPool
    where no image can be read.
    """
    contract = runtime.contract
    if contract.weights_sha256 != network.sha256:
        raise BadGraph(
            f"{path} was exported from another model",
            remedy="give the model that it came from with --model, or export again",
        )
    module = reference(network, contract)
    found: list[_Comparison] = []
    positions = True
    spread = None if path.suffix == SUFFIX else _spread(path, contract)
    for photograph, name in photographs(pool, contract.grid, images, on_image):
        if not found:
            positions = _in_place(network, runtime, photograph[0])
        found.append(_compare(module, runtime, photograph, name, tolerance.tie))
    if not found:
        raise BadPool(
            f"none of the images tried in {pool.where} can be read",
            remedy="give --pool photographs, or try more of them with --images",
        )
    return Verdict(
        images=len(found),
        map_difference=_largest([one.map_difference for one in found]),
        map_difference_below=_largest([one.map_difference_below for one in found]),
        regret=float(np.max([one.regret for one in found])),
        labels=float(np.mean([one.labels for one in found])),
        score_map=all(one.score_map for one in found),
        positions=positions,
        spread=spread,
        tolerance=tolerance,
        runtime=runtime.name,
    )


@dataclass(frozen=True)
class _Comparison:
    map_difference: float | None
    map_difference_below: float | None
    regret: float
    labels: float
    score_map: bool


def photographs(
    pool: Index, grid: tuple[int, int], count: int, on_image: Callable[[int], None]
) -> Iterator[tuple[npt.NDArray[np.uint8], str]]:
    """Yield up to `count` evenly spaced photographs of a pool, [1, *grid, 3], with their names.

    Unreadable images are skipped. on_image: called with the number of images tried.
    """
    places = np.unique(np.linspace(0, len(pool) - 1, count).round().astype(int))
    for done, place in enumerate(places, start=1):
        with suppress(BadImage):
            name = pool.names[place]
            yield load(pool.image(name), grid).pixels[None], name
        on_image(done)


@torch.inference_mode()
def _compare(
    module: ScoringNetwork, runtime: Runtime, image: npt.NDArray[np.uint8], name: str, tie: float
) -> _Comparison:
    contract = runtime.contract
    exclude = (np.indices(contract.map).sum(0) % 2).astype(np.uint8)[None]  # a chequerboard
    noise = uniform(0, name, (1, *contract.map)) if contract.stochastic else None
    drawn = None if noise is None else torch.from_numpy(noise)
    expected: Scores = module(torch.from_numpy(image), torch.from_numpy(exclude), drawn)
    got = runtime.run(image, exclude, noise, want_map=contract.has_map)
    quantity = expected.map[0]
    score = module.tail.acquisition.score(quantity, drawn if drawn is None else drawn[0])
    falls_short = regret(
        contract.traits,
        quantity if contract.traits.has_pole else score,
        _chosen(got, contract.map),
        torch.from_numpy(exclude[0]) == 0,
    )
    labels = _agreement(module, image, got, tie)
    if got.map is None:
        return _Comparison(None, None, falls_short, labels, score_map=True)
    difference = (torch.from_numpy(got.map[0]) - quantity).abs()
    balanced = contract.traits.zero_level is not None
    selectable = quantity >= SELECTABLE if balanced else quantity > -np.inf
    above, below = _most(difference[selectable]), _most(difference[~selectable])
    return _Comparison(above, below, falls_short, labels, _holds(got, exclude))


def _in_place(network: Scorable, runtime: Runtime, photograph: npt.NDArray[np.uint8]) -> bool:
    """Whether the graph's map responds where the photograph [H, W, 3] changes; True without a
    map.
    """
    contract = runtime.contract
    if not contract.has_map:
        return True
    nothing = np.zeros((1, *contract.map), np.uint8)
    noise = uniform(0, "positions", (1, *contract.map)) if contract.stochastic else None

    def see(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        found = runtime.run(image[None], nothing, noise, want_map=True).map
        assert found is not None
        # Lower values are confident pixels, which the clamping floor dominates.
        return np.asarray(np.maximum(found[0], SELECTABLE), np.float32)

    features = features_of(network, contract.grid)[1:]
    return not elsewhere(looks(photograph, see, features), contract.map)


def _holds(got: Found, exclude: npt.NDArray[np.uint8]) -> bool:
    """Whether the maps are consistent with the selected pixels: NO_SCORE at exactly the excluded
    pixels, the selected scores and no better ones in the score map, their labels in the
    segmentation.
    """
    if got.score_map is None or got.segmentation is None:
        return False
    there = got.pixel[0, :, 0] != NO_PIXEL
    rows, cols = got.pixel[0, there].T
    score = got.score[0, there]
    return bool(
        np.array_equal(got.score_map <= NO_SCORE, exclude != 0)
        and np.array_equal(got.score_map[0, rows, cols], score)
        and got.score_map.max() == score.max()
        and np.array_equal(got.segmentation[0, rows, cols], got.label[0, there])
    )


def _chosen(got: Found, size: tuple[int, int]) -> Tensor:
    chosen = torch.zeros(size, dtype=torch.bool)
    rows, cols = got.pixel[0, got.pixel[0, :, 0] != NO_PIXEL].T
    chosen[rows, cols] = True
    return chosen


def _agreement(
    module: ScoringNetwork, image: npt.NDArray[np.uint8], got: Found, tie: float
) -> float:
    """Share of selected pixels whose label is the reference's, or tied with it."""
    chosen = got.pixel[0, :, 0] != NO_PIXEL
    rows, cols = got.pixel[0, chosen].T
    mean = module.mean(torch.from_numpy(image))[0][:, rows, cols]
    label = torch.from_numpy(got.label[0, chosen]).long()
    behind = mean.amax(dim=0) - mean.gather(0, label[None])[0]
    return float((behind <= tie).float().mean())


def _most(values: Tensor) -> float | None:
    return float(values.max()) if values.numel() else None


def _largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.max(known)) if known else None


def _spread(path: Path, contract: Contract) -> float:
    """Mean range of the classifier's weights over the passes, read from the graph file.

    The range, not the standard deviation, because it is exactly zero for equal numbers.
    """
    passes = pass_weights(onnx.load(path), contract)
    return float(np.ptp(passes, axis=0).mean())
