"""The sidecar of a TensorRT engine: an engine has no room for a contract, so a file says it.

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
# The Python package of each flavour of TensorRT.
FLAVOURS = {"tensorrt": "tensorrt", "rtx": "tensorrt_rtx"}


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """What was built, from what, for which GPU.

    gpu: its architecture, such as sm89; sm80+ for all of a later one, too. gpu_name: of the card
    that it was built on, if it was. batch: the least, the usual and the most images at a time.
    precisions: how many layers give tensors of each type; precisions_of: "engine", which was asked,
    or "network": what it was told, and a strongly typed build keeps. version_compatible: whether
    later versions of TensorRT open it.
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
        """JSON for people and programs."""
        values = asdict(self) | {"contract": json.loads(self.contract.to_json())}
        return json.dumps(values, indent=1, sort_keys=True) + "\n"


def path_of(engine: Path) -> Path:
    """Where the sidecar of an engine lies."""
    return engine.with_name(engine.name + ".json")


def sha256(data: bytes) -> str:
    """Of an engine."""
    return hashlib.sha256(data).hexdigest()


def read(engine: Path, data: bytes) -> Sidecar:
    """The sidecar of an engine whose bytes are `data`; BadGraph where they are not of one build."""
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
