"""The sidecar file of a TensorRT engine, which holds its contract: an engine has no metadata.

scorer.engine → scorer.engine.json
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from scorer.contract import Contract
from scorer.errors import BadGraph
from scorer.plain import PlainContract

VERSION = 2
SUFFIX = ".engine"
# Python packages of TensorRT's flavours.
FLAVOURS = {"tensorrt": "tensorrt", "rtx": "tensorrt_rtx"}


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """What an engine was built from, and for which GPU.

    gpu: architecture, such as sm89; sm80+: also all later ones. gpu_name: the GPU that it was built
    on, or "". batch: smallest, usual and largest number of images at a time. precisions: number of
    layers per output type; precisions_of: source of this number, "engine", or "network" for the
    definition, whose types a strongly typed build keeps. version_compatible: whether later versions
    of TensorRT open it.
    """

    contract: Contract | PlainContract
    engine_sha256: str
    flavour: str
    tensorrt: str
    gpu: str
    gpu_name: str
    batch: tuple[int, int, int]
    precisions: Mapping[str, int]
    precisions_of: str
    refittable: bool
    version_compatible: bool
    version: int = VERSION

    def to_json(self) -> str:
        """The sidecar as readable JSON."""
        values = asdict(self) | {"contract": json.loads(self.contract.to_json())}
        return json.dumps(values, indent=1, sort_keys=True) + "\n"


def path_of(engine: Path) -> Path:
    """The path of an engine's sidecar."""
    return engine.with_name(engine.name + ".json")


def sha256(data: bytes) -> str:
    """The hash of an engine's bytes."""
    return hashlib.sha256(data).hexdigest()


def read(engine: Path, data: bytes) -> Sidecar:
    """The sidecar of an engine with the content `data`. Raises BadGraph if they do not belong
    together.
    """
    path = path_of(engine)
    remedy = "build the engine again with: python -m export tensorrt"
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadGraph(f"{engine} has no sidecar {path.name}", remedy=remedy) from error
    except (OSError, ValueError) as error:
        raise BadGraph(f"{path} cannot be read: {error}", remedy=remedy) from error
    names = {entry.name for entry in fields(Sidecar)}
    if not isinstance(values, dict) or set(values) != names or values["version"] != VERSION:
        raise BadGraph(f"{path} is no sidecar of version {VERSION}", remedy=remedy)
    if values["engine_sha256"] != sha256(data):
        raise BadGraph(f"{engine} is not the engine that {path.name} describes", remedy=remedy)
    if values["flavour"] not in FLAVOURS:
        raise BadGraph(f"{path}: unknown flavour {values['flavour']!r}", remedy=remedy)
    kind = PlainContract if "layout" in values["contract"] else Contract
    contract = kind.from_json(json.dumps(values["contract"]), source=str(path))
    least, usual, most = values["batch"]
    return Sidecar(**values | {"contract": contract, "batch": (least, usual, most)})
