"""Builds TensorRT or TensorRT-RTX engines from ONNX graphs."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx

from export import operators
from scorer.errors import BadGraph, BadInput, Failure, NoGpu
from scorer.files import check_writable, replacing_path
from scorer.runtimes import gpu, tensorrt

_SINCE_AMPERE = "sm80+"
# Arguments: name of the phase, steps done, steps in all.
OnStep = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """How to build an engine. batch: smallest, usual and largest number of images at a time.

    gpu: "current", or for RTX an architecture such as sm89. workspace_mb: scratch memory on the GPU
    in megabytes; None: no limit. timing_cache: file of kernel timings that speeds up later builds.
    """

    flavour: str = "tensorrt"
    gpu: str = "current"
    batch: tuple[int, int, int] = (1, 8, 32)
    workspace_mb: int | None = None
    timing_cache: Path | None = None
    tf32: bool = False
    refittable: bool = False
    version_compatible: bool = False
    hardware_compatible: bool = False

    def __post_init__(self) -> None:
        least, usual, most = self.batch
        if not 1 <= least <= usual <= most:
            raise BadInput(
                f"--batch {least}:{usual}:{most}: expected least ≤ usual ≤ most",
                remedy="such as --batch 1:8:32",
            )
        if self.flavour == "tensorrt" and self.gpu != "current":
            raise BadInput(
                f"--gpu {self.gpu}: TensorRT builds for the GPU of this machine only",
                remedy="choose --flavour rtx, or build on that machine",
            )
        if self.flavour == "rtx" and (self.version_compatible or self.hardware_compatible):
            raise BadInput(
                "TensorRT-RTX has no engines for other versions or for several kinds of GPU",
                remedy="build one for each with --gpu, or choose --flavour tensorrt",
            )
        if self.timing_cache is not None and self.timing_cache.suffix != ".cache":
            raise BadInput(
                f"--timing-cache {self.timing_cache}: its name must end in .cache",
                remedy="choose such a name, so that no other file is overwritten",
            )
        if self.refittable and self.gpu != "current":
            raise BadInput(
                f"--refittable --gpu {self.gpu}: one that can be refitted is built on its GPU",
                remedy="build it on that machine with --gpu current, or without --refittable",
            )


@dataclass(frozen=True)
class BuildPlan:
    """A serialized engine with the facts of its build; the fields are described in Sidecar."""

    data: bytes
    tensorrt: str
    gpu: str
    gpu_name: str
    batch: tuple[int, int, int]
    precisions: dict[str, int]
    precisions_of: str


def compiled(graph: Path, options: EngineOptions, on_step: OnStep = lambda *_: None) -> BuildPlan:
    """Build an engine from an ONNX graph.

    Raises MissingDependency or NoGpu where this machine cannot build it, BadGraph where TensorRT
    rejects the graph.
    """
    _check_sizes(graph, options.batch[2])
    if options.timing_cache is not None:
        check_writable(options.timing_cache)
    card = _card(options)
    trt = tensorrt.package(options.flavour)
    log = error_log(trt)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    _parse(trt, network, log, graph)
    options = replace(options, batch=_batch(network, options))
    config = _config(trt, builder, network, options)
    config.progress_monitor = monitor = _monitor(trt, on_step)
    plan = _interruptible(lambda: builder.build_serialized_network(network, config), monitor)
    if plan is None:
        raise Failure(
            f"TensorRT could not build {graph}: {log.last()}",
            remedy="export the graph with --target gpu; with less at a time (--batch) it may fit",
        )
    _keep_timing_cache(config, options.timing_cache)
    data = bytes(plan)
    inside = _inside(trt, log, data) if card else None
    architecture = card.architecture if card else options.gpu
    return BuildPlan(
        data=data,
        tensorrt=trt.__version__,
        gpu=_SINCE_AMPERE if options.hardware_compatible else architecture,
        gpu_name=card.name if card else "",
        batch=options.batch,
        precisions=inside or _precisions(network),
        precisions_of="engine" if inside else "network",
    )


def loaded(graph: Path) -> onnx.ModelProto:
    """Load an ONNX graph without its external data. Raises BadGraph."""
    try:
        return onnx.load(graph, format="protobuf", load_external_data=False)
    except Exception as error:  # protobuf's DecodeError and others, without a common base
        raise BadGraph(f"{graph} is not an ONNX graph", remedy="give a scorer.onnx") from error


def _check_sizes(graph: Path, most: int) -> None:
    """Raise BadInput for batches with tensors too large for TensorRT, before the GPU is needed."""
    if beyond := operators.too_large(loaded(graph), most):
        raise BadInput(
            f"--batch: {most} images at a time are too many for this graph: {min(beyond)}",
            remedy="choose fewer, such as --batch 1:4:8",
        )


def _card(options: EngineOptions) -> gpu.Gpu | None:
    """The GPU of this machine where `options` builds for it, else None. Raises NoGpu."""
    if options.gpu != "current":
        return None
    try:
        return gpu.find()
    except NoGpu as error:
        remedy = (
            "say for which GPU with --gpu, such as sm89: RTX builds without one"
            if options.flavour == "rtx"
            else "build on a machine with one, or without one with --flavour rtx --gpu sm89"
        )
        raise NoGpu(f"an engine is built on the GPU, and {error}", remedy=remedy) from error


def error_log(trt: Any) -> Any:
    class Log(trt.ILogger):  # type: ignore[misc]
        """Collects error messages, which TensorRT would print across the progress bar."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
                self.errors.append(message)

        def last(self) -> str:
            return self.errors[-1].splitlines()[0] if self.errors else "it does not say why"

    return Log()


def _parse(trt: Any, network: Any, log: Any, graph: Path) -> None:
    parser = trt.OnnxParser(network, log)
    if parser.parse_from_file(str(graph)):
        return
    errors = [parser.get_error(index) for index in range(parser.num_errors)]
    if not errors:
        raise BadGraph(f"TensorRT cannot read {graph}: {log.last()}", remedy="export it again")
    first = errors[0]
    raise BadGraph(
        f"TensorRT does not take {first.node_operator()} {first.node_name()!r} of {graph}: "
        f"{first.desc().splitlines()[0]}",
        remedy="export with --target gpu; a grafted network may have operators that it lacks",
    )


def _config(trt: Any, builder: Any, network: Any, options: EngineOptions) -> Any:
    config = builder.create_builder_config()
    # the inspector then reports all layers
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if options.flavour == "rtx":
        config.num_compute_capabilities = 1
        config.set_compute_capability(_capability(trt, options.gpu), 0)
    if options.workspace_mb is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    flags = {
        trt.BuilderFlag.REFIT: options.refittable,
        trt.BuilderFlag.VERSION_COMPATIBLE: options.version_compatible,
        trt.BuilderFlag.TF32: options.tf32,
    }
    for flag, wanted in flags.items():
        (config.set_flag if wanted else config.clear_flag)(flag)
    if options.hardware_compatible:
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    if options.timing_cache is not None:
        known = options.timing_cache.read_bytes() if options.timing_cache.is_file() else b""
        config.set_timing_cache(config.create_timing_cache(known), ignore_mismatch=False)
    profile = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        entry = network.get_input(index)
        sides = tuple(entry.shape)[1:]
        profile.set_shape(entry.name, *((batch, *sides) for batch in options.batch))
    config.add_optimization_profile(profile)
    return config


def _batch(network: Any, options: EngineOptions) -> tuple[int, int, int]:
    """The batch sizes of `options`, or the network's own where its batch size is fixed."""
    own = network.get_input(0).shape[0]
    return options.batch if own < 0 else (own, own, own)


def _capability(trt: Any, name: str) -> Any:
    known = {entry for entry in dir(trt.ComputeCapability) if entry.startswith("SM")}
    if name == "current":
        return trt.ComputeCapability.CURRENT
    if name.upper() not in known:
        raise BadInput(
            f"--gpu {name}: this TensorRT-RTX does not support that GPU architecture",
            remedy=f"choose one of {', '.join(sorted(known)).lower()}, or current",
        )
    return getattr(trt.ComputeCapability, name.upper())


def _monitor(trt: Any, on_step: OnStep) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        """Reports progress of the outermost phases; the build is aborted once `stop` is set."""

        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)
            self.stop = threading.Event()
            self.outer: dict[str, int] = {}

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            if parent is None:
                self.outer[phase] = steps

        def step_complete(self, phase: str, step: int) -> bool:
            if phase in self.outer:
                on_step(phase, step + 1, self.outer[phase])
            return not self.stop.is_set()

        def phase_finish(self, phase: str) -> None:
            self.outer.pop(phase, None)

    return Monitor()


def _interruptible(work: Callable[[], Any], monitor: Any) -> Any:
    """Run `work` in a second thread, so that Ctrl-C reaches this one, which then aborts the
    build.
    """
    with ThreadPoolExecutor(1) as thread:
        try:
            return thread.submit(work).result()
        except KeyboardInterrupt:
            monitor.stop.set()
            raise


def _keep_timing_cache(config: Any, path: Path | None) -> None:
    if path is not None and (cache := config.get_timing_cache()) is not None:
        with replacing_path(path) as temporary:
            temporary.write_bytes(bytes(cache.serialize()))


def _inside(trt: Any, log: Any, data: bytes) -> dict[str, int] | None:
    """Number of layers per output type, from the engine's inspector; None if it reports none."""
    engine = trt.Runtime(log).deserialize_cuda_engine(data)
    if engine is None:
        return None
    report = engine.create_engine_inspector().get_engine_information(
        trt.LayerInformationFormat.JSON
    )
    layers = (layer for layer in json.loads(report).get("Layers", ()) if isinstance(layer, dict))
    firsts: Iterator[Any] = (next(iter(layer.get("Outputs") or ()), {}) for layer in layers)
    kinds = Counter(one["Format/Datatype"] for one in firsts if one.get("Format/Datatype"))
    return dict(sorted(kinds.items())) or None


def _precisions(network: Any) -> dict[str, int]:
    """Number of layers per output type in the network definition, which strong typing preserves."""
    layers = (network.get_layer(index) for index in range(network.num_layers))
    firsts = (layer.get_output(0) for layer in layers if layer.num_outputs)
    # The end of a loop has an output without a tensor.
    kinds = Counter(first.dtype.name.lower() for first in firsts if first is not None)
    return dict(sorted(kinds.items()))
