"""An uploaded image to be ranked: its best pixels, and its uncertainty map."""

import base64
from dataclasses import asdict, dataclass
from typing import Any

from scorer.labels import Labels
from scorer.runtimes.base import Runtime, Scores
from scorer.selection import overlay, select
from scorer.selection.exclusion import Exclusion
from scorer.service.scoring import Tensors

MOST_PIXELS = 50_000_000  # limit for an uploaded image: 150 MB decoded


@dataclass
class Upload:
    """An encoded image, and the request's options; random numbers depend on `name`."""

    name: str
    data: bytes
    n: int
    distance: float | None
    seed: int
    want_map: bool
    images: int = 1

    def load(self, runtime: Runtime) -> Tensors:
        select.check(runtime.contract, n=self.n, distance=self.distance, want_map=self.want_map)
        item = self._prepared = select.prepare(
            runtime.contract, self.data, self.name, Exclusion(Labels({})),
            n=self.n, seed=self.seed, max_pixels=MOST_PIXELS,
        )  # fmt: skip
        noise = None if item.noise is None else item.noise[None]
        return Tensors(item.photograph.pixels[None], item.exclude[None], noise)

    def needs_maps(self, runtime: Runtime) -> bool:
        return self.want_map or select.needs_maps(runtime.contract, self.distance)

    def finish(self, runtime: Runtime, scores: Scores) -> dict[str, Any]:
        """The answer about this image."""
        contract = runtime.contract
        found = select.chosen(contract, self._prepared, scores, 0, n=self.n, distance=self.distance)
        height, width = found.geometry.image
        pixels = [asdict(one) | {"label": contract.classes[one.label]} for one in found.pixels]
        answer = {
            "image": self.name, "height": height, "width": width, "graph": contract.sha256,
            "nonnegative": found.nonnegative, "pixels": pixels,
        }  # fmt: skip
        if self.want_map and found.map is not None:
            picture = overlay.encoded(overlay.colour_map(found.map), "PNG")
            answer["map_png"] = base64.b64encode(picture).decode()
        return answer
