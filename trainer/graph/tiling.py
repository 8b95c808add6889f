"""Chooses the cheapest raster that sizes, classifier and target allow."""

from collections.abc import Callable
from functools import partial

from torch import nn

from scorer.contract import STRIDES
from trainer.graph.bands import Bands
from trainer.graph.raster import Coarse, Whole
from trainer.graph.strips import Strips

Size = tuple[int, int]


def coarsest(features: Size, size: Size, *, align_corners: bool, top_k: int) -> int:
    """The largest stride at which the map on a grid of `size` has at least one pixel per feature
    and `top_k` pixels: between features there is only interpolation (docs/results.md). 1 with
    aligned corners.
    """
    for stride in sorted(STRIDES, reverse=True):
        height, width = size[0] // stride, size[1] // stride
        whole = (height * stride, width * stride) == size
        if whole and height >= features[0] and width >= features[1] and height * width >= top_k:
            return 1 if align_corners else stride
    return 1


def choose(
    classifier: nn.Conv2d, features: Size, size: Size, *, align_corners: bool, target: str
) -> str:
    """The name of the raster, one of scorer.contract.RASTERS, from features to a map of `size`.

    target: "cpu" or "gpu".
    """
    if Coarse.fits(classifier, features, size) and not align_corners:
        return "coarse"
    if target == "gpu":
        return "whole"
    if Strips.fits(classifier, features, size) and (features == size or not align_corners):
        return "strips"
    return "bands" if Bands.fits(classifier, features, size) else "whole"


def raster(kind: str, features: Size, size: Size) -> Callable[..., nn.Module]:
    """The constructor of a raster by its name (trainer/graph/raster.py)."""
    makers: dict[str, Callable[..., nn.Module]] = {
        "strips": Strips,
        "bands": partial(Bands, features=features),
        "whole": Whole,
        "coarse": partial(Coarse, factor=features[0] // size[0]),
    }
    return makers[kind]
