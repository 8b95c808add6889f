"""The contract of a plain network: from an image to classes or their probabilities.

Without dropout passes and acquisition: what an application deploys, and what `scorer segment` runs.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from scorer.contract import IMAGE, PRECISIONS, Contract
from scorer.errors import BadGraph
from scorer.images.preprocessing import LAYOUTS, Preprocessing

VERSION = 3
METADATA_KEY = "balentacq.network"
INT8 = "int8"
MOST_CLASSES = 255  # a byte holds so many class indices and 255, no class
CLASS_MAP, PROBABILITIES = OUTPUTS = ("class_map", "probabilities")
_REMEDY = "the file was edited or is of another version: export it again"


@dataclass(frozen=True, kw_only=True)
class PlainContract:
    """What a plain graph computes: written by export, and read back from the file.

    The input `image` is uint8 [B, height, width, 3] or, with the layout "nchw", [B, 3, height,
    width], RGB. output: "class_map", uint8 [B, height, width], or "probabilities", float32 [B, C,
    height, width]. preprocessing: done by the graph itself. An image of another size must be scaled
    by one factor to fit, placed in the upper left corner, and padded with 0. quantised_sha256: hash
    of the 8-bit weights and ranges, "" without any. multiple: a graph for images of any size needs
    sides that are multiples of it, and height and width are those of training; None: the size is
    fixed.
    """

    network: str
    height: int
    width: int
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    output: str
    layout: str
    precision: str
    preprocessing: Preprocessing
    weights_sha256: str
    quantised_sha256: str = ""
    multiple: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    version: int = VERSION

    @property
    def inputs(self) -> tuple[str, ...]:
        return (IMAGE,)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.output,)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the input and the output, without the batch axis."""
        image = (*self.grid, 3) if self.layout == "nhwc" else (3, *self.grid)
        found = self.grid if self.output == CLASS_MAP else (len(self.classes), *self.grid)
        return {IMAGE: image, self.output: found}

    @property
    def kinds(self) -> dict[str, str]:
        """NumPy type names of the input and the output."""
        return {IMAGE: "uint8", self.output: "uint8" if self.output == CLASS_MAP else "float32"}

    @property
    def grid(self) -> tuple[int, int]:
        return self.height, self.width

    def to_json(self) -> str:
        """Canonical JSON, so that equal contracts are equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=True)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str, *, source: str) -> Self:
        """Parse a contract; source: name of the file. Raises BadGraph, also for other versions."""
        try:
            values: dict[str, Any] = json.loads(text)
            if set(values) != {entry.name for entry in fields(cls)} or values["version"] != VERSION:
                raise ValueError(f"version {values.get('version')}")
            values["classes"] = tuple(values["classes"])
            values["colours"] = tuple(tuple(colour) for colour in values["colours"])
            given = values["preprocessing"]
            triples = {name: tuple(given[name]) for name in ("mean", "std")}
            values["preprocessing"] = Preprocessing(**given | triples)
            contract = cls(**values)
            contract._check()
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadGraph(
                f"{source}: the description of its network cannot be read ({error})", remedy=_REMEDY
            ) from error
        return contract

    def _check(self) -> None:
        checks = {
            "size": self.height > 0 and self.width > 0,
            "classes": 1 < len(self.classes) <= MOST_CLASSES
            and all(isinstance(n, str) for n in self.classes),
            "colours": len(self.colours) == len(self.classes)
            and all(len(colour) == 3 for colour in self.colours),
            "multiple": self.multiple is None
            or (self.multiple > 0 and not any(side % self.multiple for side in self.grid)),
            "output": self.output in OUTPUTS,
            "layout": self.layout in LAYOUTS,
            "precision": self.precision in (*PRECISIONS, INT8),
        }
        if wrong := [name for name, right in checks.items() if not right]:
            raise ValueError(f"{wrong[0]} is out of range")


def described(contract: Contract | PlainContract) -> list[tuple[str, str]]:
    """Name and value of every field of a contract, as texts for display."""
    values = asdict(contract) | {
        "classes": ", ".join(contract.classes),
        "colours": " ".join("#{:02x}{:02x}{:02x}".format(*colour) for colour in contract.colours),
        "preprocessing": ", ".join(f"{k} {v}" for k, v in asdict(contract.preprocessing).items()),
        "versions": ", ".join(f"{name} {value}" for name, value in contract.versions.items()),
    }
    return [(name, str(value)) for name, value in (values | {"sha256": contract.sha256}).items()]
