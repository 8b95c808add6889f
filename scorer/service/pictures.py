"""Pictures for the page: photographs, uncertainty maps, predicted classes."""

import hashlib
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from scorer.errors import BadImage, BadInput
from scorer.images.photograph import load_full
from scorer.labels import Labels
from scorer.pools import Index
from scorer.selection import overlay
from scorer.selection.exclusion import Exclusion
from scorer.selection.result import Ranked
from scorer.selection.select import check, chosen, prepare, run
from scorer.service.served import Served

_KEPT = 16  # encoded pictures in the cache
_LONGEST_JPEG = 65500


class Pictures:
    """Encoded pictures of the images of a pool, the latest ones cached; thread-safe.

    All methods raise BadInput for a name that is not in the pool, BadImage for an unusable image.
    """

    def __init__(self, pool: Index, served: Served, *, seed: int) -> None:
        self._pool, self._served, self._seed = pool, served, seed
        self._where = str(Path(pool.where).absolute())  # distinguishes the marks of two pools
        self._encoded = lru_cache(_KEPT)(self._encode)
        self._maps = lru_cache(_KEPT)(self._see)

    def mark(self, name: str) -> str:
        """A text that changes with the image."""
        if name not in self._pool:
            raise BadInput(f"{name!r} is not in the pool", remedy="choose an image of the pool")
        entry = self._pool.now(self._pool.by_name[name])
        return hashlib.sha256(repr((self._where, *entry)).encode()).hexdigest()

    def photograph(self, name: str) -> bytes:
        """A JPEG of an image, upright, at its own size."""
        return self._encoded(name, self.mark(name))

    def map(self, name: str) -> bytes:
        """A PNG of its uncertainty map, with the aspect ratio of the image."""
        seen = self._seen(name)
        assert seen.map is not None
        return overlay.encoded(overlay.colour_map(seen.geometry.whole(seen.map)), "PNG")

    def segmentation(self, name: str) -> bytes:
        """A PNG of the predicted classes in their colours, with the aspect ratio of the image."""
        seen = self._seen(name)
        assert seen.segmentation is not None
        colours = np.array(self._served.runtime.contract.colours, np.uint8)
        classes = seen.geometry.whole(seen.segmentation)
        return overlay.encoded(Image.fromarray(colours[classes]), "PNG")

    def _seen(self, name: str) -> Ranked:
        """The current graph's result for an image, with its maps."""
        return self._maps(name, self.mark(name), self._served.runtime.contract.sha256)

    def _encode(self, name: str, _: str) -> bytes:
        picture = load_full(self._pool.image(name))
        if max(picture.size) > _LONGEST_JPEG:
            raise BadImage("too large", f"a side of {max(picture.size)} pixels cannot be shown")
        return overlay.encoded(picture, "JPEG", quality=92, subsampling=0)

    def _see(self, name: str, *_: str) -> Ranked:
        runtime, source = self._served.runtime, self._pool.image(name)
        check(runtime.contract, n=1, want_map=True)
        nothing = Exclusion(Labels({}))
        item = prepare(runtime.contract, source, name, nothing, n=1, seed=self._seed)
        scores = run(runtime, [item], want_map=True)
        return chosen(runtime.contract, item, scores, 0, n=1, distance=0)
