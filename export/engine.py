"""Writes engines of TensorRT or TensorRT-RTX, each with a sidecar file that describes it."""

from dataclasses import fields, replace
from pathlib import Path

from export.builder import EngineOptions, OnStep, compiled, error_log, loaded
from scorer.contract import Contract
from scorer.errors import BadGraph, BadInput
from scorer.files import replacing_path
from scorer.plain import PlainContract
from scorer.runtimes import gpu, sidecar, tensorrt
from scorer.runtimes.base import any_contract, check_file
from scorer.runtimes.sidecar import Sidecar


def build(
    graph: Path, out: Path, options: EngineOptions, on_step: OnStep = lambda *_: None
) -> Sidecar:
    """Build the engine of a graph and write it with its sidecar.

    Raises BadInput for a graph of any size, and all errors of `compiled`. KeyboardInterrupt aborts
    the build, and nothing is written.
    """
    contract = contract_in(graph)
    if isinstance(contract, PlainContract) and contract.multiple is not None:
        raise BadInput(
            f"{graph} takes images of any size, and an engine is built for one",
            remedy="export it for one: python -m export onnx --plain --size HEIGHTxWIDTH",
        )
    plan = compiled(graph, options, on_step)
    built = Sidecar(
        contract=contract,
        engine_sha256=sidecar.sha256(plan.data),
        flavour=options.flavour,
        tensorrt=plan.tensorrt,
        gpu=plan.gpu,
        gpu_name=plan.gpu_name,
        batch=plan.batch,
        precisions=plan.precisions,
        precisions_of=plan.precisions_of,
        refittable=options.refittable,
        version_compatible=options.version_compatible,
    )
    write(out, plan.data, built)
    return built


def refit(graph: Path, old: Path, out: Path) -> Sidecar:
    """Write the engine `old` with the weights of another graph of the same structure, which takes
    seconds where a build takes minutes.

    Raises BadInput where `old` is not refittable or is of another structure, BadGraph where
    TensorRT rejects the weights.
    """
    contract = contract_in(graph)
    check_file(old)
    data = old.read_bytes()
    before = sidecar.read(old, data)
    _check_refits(contract, before, old)
    gpu.find()
    trt = tensorrt.package(before.flavour)
    log = error_log(trt)
    engine = trt.Runtime(log).deserialize_cuda_engine(data)
    if engine is None:
        raise BadGraph(f"{old} cannot be opened here: {log.last()}", remedy="build it again")
    refitter = trt.Refitter(engine, log)
    parser = trt.OnnxParserRefitter(refitter, log)
    if not parser.refit_from_file(str(graph)) or not refitter.refit_cuda_engine():
        raise BadGraph(
            f"{old} does not take the weights of {graph}: {log.last()}",
            remedy="build it again, without --refit",
        )
    plan = bytes(engine.serialize())
    built = replace(before, contract=contract, engine_sha256=sidecar.sha256(plan))
    write(out, plan, built)
    return built


def contract_in(graph: Path) -> Contract | PlainContract:
    """The contract of an ONNX file: of a scoring graph or a plain network. Raises BadGraph."""
    check_file(graph)
    return any_contract({one.key: one.value for one in loaded(graph).metadata_props}, graph)


def write(out: Path, data: bytes, built: Sidecar) -> None:
    """Write the engine, then its sidecar, each atomically; the sidecar holds the engine's hash."""
    for path, content in ((out, data), (sidecar.path_of(out), built.to_json().encode())):
        with replacing_path(path) as temporary:
            temporary.write_bytes(content)


def _check_refits(contract: Contract | PlainContract, before: Sidecar, old: Path) -> None:
    if not before.refittable:
        raise BadInput(
            f"{old} was built to keep its weights", remedy="build it with --refittable once"
        )
    ignored = {"weights_sha256", "versions", "classes", "colours", "network", "mask_seed"}
    names = {entry.name for entry in fields(contract)} - ignored
    differing = [
        name
        for name in sorted(names)
        if getattr(contract, name) != getattr(before.contract, name, None)
    ]
    if differing:
        raise BadInput(
            f"{old} was built from a graph of another {', '.join(differing)}",
            remedy="build another engine, without --refit",
        )
