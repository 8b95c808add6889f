"""Computes feature maps of photographs with a frozen backbone, or takes them from a cache."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from scorer.console import cores
from scorer.errors import BadImage
from scorer.images.encoded import AS_STORED, Encoded, declared, parts
from scorer.images.geometry import Geometry
from scorer.images.photograph import size
from scorer.labels import Click
from scorer.provenance import decoding
from scorer.selection.prefetch import prefetch
from trainer.clicks import Indices, Points, on_grid
from trainer.hypercolumns.cache import Cache, Kept, Vectors
from trainer.hypercolumns.maps import Maps, Sums, see
from trainer.hypercolumns.view import PLAIN, VIEWS, View
from trainer.network import BayesianNetwork, hash_tensors
from trainer.networks.pixelhead import PixelHead
from trainer.threads import threads

Item = TypeVar("Item")
Result = TypeVar("Result")


class Album:
    """The backbone's maps of photographs on a grid of `size` (height, width); thread-safe."""

    def __init__(
        self, network: BayesianNetwork, size: tuple[int, int], cache: Cache | None = None
    ) -> None:
        self.network, self.size, self.cache = network, size, cache
        # digests of the photographs whose maps were computed, not cached
        self.looked: set[bytes] = set()
        self._backbone = _identity(network)

    def maps(self, source: Encoded) -> Maps:
        """The maps of a photograph. Raises BadImage."""
        content = _read(source)
        return self._maps(content, self._key(_digest(content), PLAIN), PLAIN)

    def labelled(
        self, source: Encoded, name: str, clicks: Sequence[Click]
    ) -> tuple[list[Vectors], Indices, Sums]:
        """The feature vectors at the labelled pixels of a photograph.

        Returns them for every view, float16 [N, channels], with their classes, and the sums of the
        plain view. Raises BadImage.
        """
        content = _read(source)
        image, digest = size(content), _digest(content)
        found = []
        for view in VIEWS:
            geometry = Geometry(image, view.grid(self.size))
            points, classes = on_grid(name, clicks, geometry)
            moved = view.moved(points, geometry.content[1])
            found.append(self._vectors(content, self._key(digest, view), view, moved))
        vectors, sums = zip(*found, strict=True)
        return list(vectors), classes, sums[VIEWS.index(PLAIN)]

    def _vectors(
        self, content: Encoded, key: bytes, view: View, points: Points
    ) -> tuple[Vectors, Sums]:
        """The vectors at points of the view's grid, float32 [N, 2]."""
        kept = None if self.cache is None else self.cache.kept(key)
        found = None if kept is None else kept.at(points)
        if kept is None or found is None:
            maps = self._maps(content, key, view)
            found = maps.at(torch.from_numpy(points))
            more = Kept(points, found, maps.sums() if kept is None else kept.sums)
            kept = more if kept is None else kept.with_more(more)
            if self.cache is not None:
                self.cache.keep(key, kept)
        return found, kept.sums

    def _maps(self, content: Encoded, key: bytes, view: View) -> Maps:
        kept = None if self.cache is None else self.cache.maps(key)
        if kept is not None:
            return kept
        maps = see(self.network, view.load(content, self.size))
        self.looked.add(_digest(content))
        if self.cache is not None:
            self.cache.keep_maps(key, maps)
        return maps

    def _key(self, image: bytes, view: View) -> bytes:
        """The cache key of an image's view; image: digest of the file."""
        whole = json.dumps([self._backbone, self.size, view.scale, view.flip, image.hex()])
        return hashlib.sha256(whole.encode()).digest()


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield work(item) in order, computed in one thread per core, with one PyTorch thread each."""
    with threads(1), ThreadPoolExecutor(cores()) as pool:
        try:
            yield from prefetch(pool, work, items, 2 * cores())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _digest(image: Encoded) -> bytes:
    """Digest of an image in memory, and of how its samples are read."""
    content, reading = parts(image)
    assert isinstance(content, bytes)
    digest = hashlib.sha256(content)
    if reading != AS_STORED:
        digest.update(repr(reading).encode())
    return digest.digest()


def _read(source: Encoded) -> Encoded:
    """Read the image into memory. Raises BadImage."""
    content, reading = parts(source)
    try:
        held = content if isinstance(content, bytes) else content.read_bytes()
    except FileNotFoundError as error:
        raise BadImage("vanished") from error
    except OSError as error:
        raise BadImage("unreadable", error.strerror or str(error)) from error
    return declared(held, reading)


def _identity(network: BayesianNetwork) -> str:
    """Hash of all that the maps depend on besides the photograph and the size."""
    trunk = network.trunk
    assert isinstance(trunk, PixelHead)
    # The printed module shows strides and dilations, which the tensors do not.
    device = network.image_mean.device.type
    structure = (decoding(), device, repr(trunk.backbone), trunk.stages)
    digest = hashlib.sha256(repr(structure).encode())
    tensors = {**trunk.backbone.state_dict(), "mean": network.image_mean, "std": network.image_std}
    hash_tensors(digest, tensors)
    return digest.hexdigest()
