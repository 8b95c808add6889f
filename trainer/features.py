"""Computes the input of a network's classifier for photographs, from cached maps where possible."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from scorer.images.encoded import Encoded
from scorer.images.geometry import Geometry
from scorer.images.photograph import load
from trainer.hypercolumns.album import Album, in_order
from trainer.network import BayesianNetwork
from trainer.networks.pixelhead import PixelHead, quarter

Item = TypeVar("Item")
Result = TypeVar("Result")


class Features:
    """The features of a network for photographs on a grid of `size` (height, width).

    album: cached maps of a frozen backbone; None: nothing is cached.
    """

    def __init__(
        self, network: BayesianNetwork, size: tuple[int, int], album: Album | None = None
    ) -> None:
        self._network, self._size = network, size
        self.device = network.image_mean.device
        frozen = isinstance(network.trunk, PixelHead)
        self._album = (album or Album(network, size)) if frozen else None

    @torch.inference_mode()
    def of(self, source: Encoded) -> tuple[Float[Tensor, "1 K h w"], Geometry]:
        """The features of a photograph, and its geometry on the grid. Raises BadImage."""
        if self._album is None:
            photograph = load(source, self._size)
            image = torch.from_numpy(photograph.pixels)[None].to(self.device)
            return self._network.features(image), photograph.geometry
        maps, trunk = self._album.maps(source), self._network.trunk
        assert isinstance(trunk, PixelHead)
        return trunk.head(maps.tensors(self.device), quarter(self._size)), maps.geometry

    def each(self, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield work(item) for all items in order: one at a time on all cores for a whole network,
        one per core for a head.
        """
        return map(work, items) if self._album is None else in_order(work, items)
