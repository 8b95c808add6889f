"""The contract of a scoring graph: its description, stored in the graph's own metadata.

Axis letters used throughout the project:

    B batch · C classes · H, W grid · h, w feature grid · K feature channels · m passes · N points
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from scorer.errors import BadGraph
from scorer.images.preprocessing import AS_IT_IS, Preprocessing

VERSION = 7
METADATA_KEY = "balentacq.contract"
_REMEDY = "the file was edited or is of another version: export it again"

# Lower bounds where float32 cannot resolve the result; see docs/numerics.md.
RELATIVE_SD_FLOOR = 6e-5  # of a class probability over the passes, relative to its mean
BALENT_FLOOR = -16.0

# Names of the graph's tensors.
IMAGE, EXCLUDE, NOISE = "image", "exclude", "noise"
SCORE, PIXEL, LABEL = "score", "pixel", "label"
MAP, SEGMENTATION, SCORE_MAP = "map", "segmentation", "score_map"
# Outputs: of every graph, and of graphs with a map.
BEST, MAPS = (SCORE, PIXEL, LABEL), (MAP, SEGMENTATION, SCORE_MAP)
FEATURES = "features"  # the inner tensor that dropout and classifier read

STRIDES = (1, 2, 4)
RASTERS = ("strips", "bands", "whole", "coarse")
PRECISIONS = ("float32", "float16", "bfloat16")
# Origins of a network: trained here, or an ONNX file that the scoring head was grafted onto.
ORIGINS = ("trainer", "onnx")

# Values that fill the K places if fewer pixels are eligible.
NO_PIXEL = -1
NO_SCORE = -3.0e38

CONVERGED = 0.01  # a share of pixels with BalEnt ≥ 0 that only converged networks reach


@dataclass(frozen=True, kw_only=True)
class Traits:
    """Properties of an acquisition that matter to users of its scores.

    zero_level: value of its map from which an answer is more informative than the class alone.
    has_pole: its score is 1 / map from the zero level on, and so discontinuous. stochastic: it uses
    random numbers. random_pool: it searches among this many times n random pixels; None: among all.
    """

    zero_level: float | None = None
    has_pole: bool = False
    stochastic: bool = False
    random_pool: int | None = None


RANDOM = "random"
TRAITS = {
    "balentacq": Traits(zero_level=0.0, has_pole=True),
    "balent": Traits(zero_level=0.0),
    "bald": Traits(),
    "powerbald": Traits(stochastic=True),
    "entropy": Traits(),
    "margin": Traits(random_pool=10),  # Shin et al. (PixelPick, 2021)
    RANDOM: Traits(stochastic=True),
}
ACQUISITIONS = tuple(TRAITS)


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a graph computes: written by export, and read back from the file.

    network, output: the trainer's name of the network, or an ONNX file and the output that was
    replaced. align_corners: PyTorch's option, for upsampling the class scores. precision: of the
    network in the graph; all that follows its features is float32.
    """

    acquisition: str
    passes: int
    dropout: float
    mask_seed: int
    height: int
    width: int
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    top_k: int
    has_map: bool
    network: str
    weights_sha256: str
    stride: int = 1
    raster: str = "whole"
    origin: str = ORIGINS[0]
    output: str = ""
    align_corners: bool = False
    precision: str = PRECISIONS[0]
    preprocessing: Preprocessing = AS_IT_IS
    resize: str = "fit"
    relative_sd_floor: float = RELATIVE_SD_FLOOR
    balent_floor: float = BALENT_FLOOR
    versions: dict[str, str] = field(default_factory=dict)
    version: int = VERSION

    @property
    def stochastic(self) -> bool:
        """Whether the graph takes the input `noise`."""
        return self.traits.stochastic

    @property
    def traits(self) -> Traits:
        """The traits of its acquisition."""
        return TRAITS[self.acquisition]

    @property
    def scattered(self) -> bool:
        """Whether randomness spreads the chosen pixels over the image."""
        return self.traits.stochastic or self.traits.random_pool is not None

    @property
    def inputs(self) -> tuple[str, ...]:
        return (IMAGE, EXCLUDE, NOISE) if self.stochastic else (IMAGE, EXCLUDE)

    @property
    def outputs(self) -> tuple[str, ...]:
        return BEST + MAPS if self.has_map else BEST

    @property
    def grid(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def map(self) -> tuple[int, int]:
        """Height and width of the map: a pixel for every stride × stride pixels of the grid."""
        return self.height // self.stride, self.width // self.stride

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all inputs and outputs, without the batch axis."""
        shapes: dict[str, tuple[int, ...]] = {
            IMAGE: (*self.grid, 3),
            SCORE: (self.top_k,),
            PIXEL: (self.top_k, 2),
            LABEL: (self.top_k,),
        }
        return {name: shapes.get(name, self.map) for name in self.inputs + self.outputs}

    @property
    def kinds(self) -> dict[str, str]:
        """NumPy type names of all inputs and outputs."""
        types = dict.fromkeys((IMAGE, EXCLUDE), "uint8")
        types |= dict.fromkeys((PIXEL, LABEL, SEGMENTATION), "int32")
        return {name: types.get(name, "float32") for name in self.inputs + self.outputs}

    def random_pool(self, n: int) -> int | None:
        """Number of random pixels of an image that compete for n places; None: all pixels."""
        factor = self.traits.random_pool
        return None if factor is None else factor * n

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, so that equal contracts are equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str, *, source: str) -> Self:
        """Parse a contract; source: name of the file. Raises BadGraph, also for other versions."""
        try:
            values: dict[str, Any] = json.loads(text)
            version = values["version"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadGraph(
                f"{source}: its contract cannot be read ({error!r})", remedy=_REMEDY
            ) from error
        if version != VERSION:
            raise BadGraph(
                f"{source}: contract version {version}, this scorer reads version {VERSION}",
                remedy=_REMEDY,
            )
        if set(values) != {entry.name for entry in fields(cls)}:
            raise BadGraph(f"{source}: its contract lacks or adds fields", remedy=_REMEDY)
        try:
            values["classes"] = tuple(values["classes"])
            values["colours"] = tuple(tuple(colour) for colour in values["colours"])
            values["preprocessing"] = _preprocessing(values["preprocessing"])
            contract = cls(**values)
            contract._check()
        except (TypeError, ValueError) as error:
            raise BadGraph(
                f"{source}: its contract makes no sense: {error}", remedy=_REMEDY
            ) from error
        return contract

    def _check(self) -> None:
        checks = {
            "acquisition": self.acquisition in ACQUISITIONS,
            "resize": self.resize == "fit",
            "size": self.height > 0 and self.width > 0,
            "dropout": 0 < self.dropout < 1,
            "stride": self.stride in STRIDES,
            "raster": self.raster in RASTERS,
            "origin": self.origin in ORIGINS,
            "precision": self.precision in PRECISIONS,
            "top_k": 0 < self.top_k <= math.prod(self.map),
            "passes": self.passes > 0,
            "classes": len(self.classes) > 1 and all(isinstance(n, str) for n in self.classes),
            "colours": len(self.colours) == len(self.classes)
            and all(len(colour) == 3 for colour in self.colours),
        }
        if wrong := [name for name, right in checks.items() if not right]:
            raise ValueError(f"{wrong[0]} is out of range")


def _preprocessing(values: dict[str, Any]) -> Preprocessing:
    mean, std = (tuple(values[name]) for name in ("mean", "std"))
    return Preprocessing(**values | {"mean": mean, "std": std})
