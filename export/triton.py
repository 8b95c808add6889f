"""Writes a model repository of NVIDIA's Triton Inference Server for a graph or an engine.

https://docs.nvidia.com/deeplearning/triton-inference-server (model repository, model configuration)
"""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from export.engine import contract_in
from scorer.contract import IMAGE, Contract
from scorer.errors import BadInput
from scorer.files import replacing_path
from scorer.plain import PlainContract
from scorer.runtimes import sidecar
from scorer.runtimes.base import check_file

_KINDS = {"uint8": "TYPE_UINT8", "int32": "TYPE_INT32", "float32": "TYPE_FP32"}
_SET_BY_US = "# Written by balentacq: python -m export triton\n"


_NAME = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]")


@dataclass(frozen=True, kw_only=True)
class RepositoryOptions:
    """Settings of a Triton model. name: None: "scorer" or "network". most: largest batch, in
    images. delay_us: microseconds that a request waits for others to join its batch.

    instances: copies of the model, on each GPU or on the CPU (device "gpu" or "cpu").
    """

    name: str | None = None
    most: int = 32
    delay_us: int = 2000
    instances: int = 1
    device: str = "gpu"

    def __post_init__(self) -> None:
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise BadInput(
                f"--name {self.name!r}: a model is a folder and a word in addresses",
                remedy="letters, digits, _, - and . only",
            )


def write(source: Path, repository: Path, options: RepositoryOptions) -> Path:
    """Add a graph or an engine as the next version of a model; returns the folder of that version.

    Raises BadInput where the repository holds another model of this name, or the graph does not fit
    the device.
    """
    check_file(source)
    is_engine = source.suffix == sidecar.SUFFIX
    contract, options = _contract(source, options, is_engine=is_engine)
    name = options.name or ("scorer" if isinstance(contract, Contract) else "network")
    model = repository / name
    version = model / str(1 + max(_versions(model), default=0))
    config = model / "config.pbtxt"
    if config.exists() and not config.read_text(encoding="utf-8").startswith(_SET_BY_US):
        raise BadInput(f"{config} was not written by this program", remedy="choose another --name")
    # Triton loads a version as soon as its folder exists, so the folder must appear complete.
    waiting = model / f".{version.name}.partial"
    shutil.rmtree(waiting, ignore_errors=True)
    waiting.mkdir(parents=True)
    shutil.copyfile(source, waiting / ("model.plan" if is_engine else "model.onnx"))
    waiting.rename(version)
    with replacing_path(model / "labels.txt") as temporary:
        temporary.write_text("\n".join(contract.classes) + "\n", encoding="utf-8")
    with replacing_path(config) as temporary:
        temporary.write_text(configuration(contract, name, options, is_engine=is_engine))
    return version


def configuration(
    contract: Contract | PlainContract, name: str, options: RepositoryOptions, *, is_engine: bool
) -> str:
    """The text of config.pbtxt."""
    platform = 'backend: "tensorrt"' if is_engine else 'backend: "onnxruntime"'
    where = {"gpu": "KIND_GPU", "cpu": "KIND_CPU"}[options.device]
    lines = [
        f'name: "{name}"',
        platform,
        f"max_batch_size: {options.most}",
        *(_tensor("input", contract, name) for name in contract.inputs),
        *(_tensor("output", contract, name) for name in contract.outputs),
        f"dynamic_batching {{ max_queue_delay_microseconds: {options.delay_us} }}",
        f"instance_group [{{ count: {options.instances} kind: {where} }}]",
        _warmup(contract),
        f'parameters {{ key: "contract_sha256" value {{ string_value: "{contract.sha256}" }} }}',
    ]
    return _SET_BY_US + "\n".join(lines) + "\n"


def _tensor(kind: str, contract: Contract | PlainContract, name: str) -> str:
    shape = contract.shapes[name]
    if isinstance(contract, PlainContract) and contract.multiple is not None:
        first = 0 if name == IMAGE and contract.layout == "nhwc" else len(shape) - 2
        shape = (*shape[:first], -1, -1, *shape[first + 2 :])
    dims = ", ".join(map(str, shape))
    return f'{kind} [{{ name: "{name}" data_type: {_type(contract, name)} dims: [ {dims} ] }}]'


def _type(contract: Contract | PlainContract, name: str) -> str:
    return _KINDS[contract.kinds[name]]


def _warmup(contract: Contract | PlainContract) -> str:
    """A warm-up request of zeros: the server is ready only after it has run the graph."""
    inputs = " ".join(
        f'inputs {{ key: "{name}" value {{ data_type: {_type(contract, name)} '
        f"dims: [ {', '.join(map(str, contract.shapes[name]))} ] zero_data: true }} }}"
        for name in contract.inputs
    )
    return f'model_warmup [{{ name: "zeros" batch_size: 1 {inputs} }}]'


def _contract(
    source: Path, options: RepositoryOptions, *, is_engine: bool
) -> tuple[Contract | PlainContract, RepositoryOptions]:
    if not is_engine:
        contract = contract_in(source)
        if contract.precision == "bfloat16" and options.device == "cpu":
            raise BadInput(
                f"{source} is in bfloat16, which ONNX Runtime does not compute on a CPU",
                remedy="export it anew: python -m export onnx --precision fp32; or leave --device "
                "at gpu",
            )
        return contract, options
    built = sidecar.read(source, source.read_bytes())
    if built.flavour != "tensorrt":
        raise BadInput(
            f"{source} is of TensorRT-RTX, which Triton does not run",
            remedy="build it with --flavour tensorrt, or give the ONNX graph",
        )
    if options.most > built.batch[2]:
        raise BadInput(
            f"--batch {options.most}: {source} was built for up to {built.batch[2]}",
            remedy=f"choose --batch {built.batch[2]}",
        )
    return built.contract, options


def _versions(model: Path) -> list[int]:
    if not model.is_dir():
        return []
    return [int(path.name) for path in model.iterdir() if path.name.isdecimal()]
