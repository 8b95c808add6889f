"""The contestants of scripts/bench: this graph, the bare network, and usual methods in PyTorch.

Each is built inside the process that runs it, and gives a function of one image.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # a process imports only what its contestant needs
    import torch

    from trainer.model import Card
    from trainer.network import BayesianNetwork

Image = npt.NDArray[np.uint8]  # [1, H, W, 3]
Run = Callable[[Image], object]


@dataclass(frozen=True)
class Setting:
    """A network with `classes` classes on images of `size`, with m passes."""

    size: tuple[int, int]
    classes: int
    passes: int = 20
    network: str = "deeplabv3plus-mobilenetv2"
    rate: float = 0.2
    top_k: int = 64

    def __str__(self) -> str:
        return f"{self.size[0]}x{self.size[1]}, {self.classes} classes, m = {self.passes}"


def bake(
    setting: Setting,
    path: Path,
    *,
    target: str = "cpu",
    stride: int = 1,
    precision: str = "float32",
) -> None:
    """Export the scoring graph of a setting, with random weights, which cost the same as trained
    ones.
    """
    from export import graph

    options = graph.GraphOptions(
        passes=setting.passes, stride=stride, target=target, precision=precision
    )
    network = network_of(setting)
    contract = graph.contract_for(network, _card(setting), options)
    graph.save(graph.bake(network, contract), path)


def bake_deployed(setting: Setting, path: Path, output: str) -> None:
    """Export the network alone as python -m export onnx --plain does; output: class map or
    probabilities.
    """
    from export import graph, plain

    network = network_of(setting)
    contract = plain.contract_for(network, _card(setting), plain.PlainOptions(output=output))
    graph.save(plain.bake(network, contract), path)


def save_model(setting: Setting, path: Path) -> None:
    """Save the network of a setting as a model file."""
    from trainer import model

    model.save(path, network_of(setting), _card(setting))


def _card(setting: Setting) -> "Card":
    from trainer.model import Card

    return Card(
        network=setting.network,
        dropout=setting.rate,
        dropout_kind="channel",
        classes=tuple(str(index) for index in range(setting.classes)),
        colours=((0, 0, 0),) * setting.classes,
        height=setting.size[0],
        width=setting.size[1],
        pretrained="none",
    )


def bake_plain(setting: Setting, path: Path, *, batch: int = 1, precision: str = "float32") -> None:
    """Export the bare network: from images to their logits at the size of the features."""
    import torch

    class Plain(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            network = network_of(setting)
            self.network = network if precision == "float32" else network.halved(precision)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.network.classifier(self.network.features(image))
            return logits

    image = torch.zeros(batch, *setting.size, 3, dtype=torch.uint8)
    torch.onnx.export(
        Plain().eval(), (image,), path, dynamo=True, external_data=False, verbose=False,
        opset_version=18, input_names=["image"],
    )  # fmt: skip


def onnxruntime(path: Path, workers: int, threads: int) -> Run:
    """A graph in ONNX Runtime with the scorer's options; no pixel is excluded."""
    from scorer.runtimes.cpu import open_session

    free: SimpleQueue[Any] = SimpleQueue()
    sessions = [open_session(path, threads) for _ in range(workers)]
    for session in sessions:
        free.put(session)
    others = {
        entry.name: np.zeros((1, *entry.shape[1:]), np.uint8)
        for entry in sessions[0].get_inputs()[1:]
    }

    def run(image: Image) -> object:
        session = free.get()
        try:
            return session.run(None, {"image": image, **others})
        finally:
            free.put(session)

    return run


def openvino(path: Path, workers: int, precision: str) -> Run:
    """A scoring graph in OpenVINO with the scorer's options; a bare network with OpenVINO's
    defaults.
    """
    import openvino as ov

    from scorer.contract import METADATA_KEY
    from scorer.runtimes.openvino import OpenVino

    core = ov.Core()
    model = core.read_model(path)
    if model.has_rt_info(["framework", METADATA_KEY]):
        runtime = OpenVino(path, workers=workers, precision=precision)
        exclude = np.zeros((1, *runtime.contract.map), np.uint8)
        return lambda image: runtime.run(image, exclude)
    hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
    compiled = core.compile_model(
        model,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": hint,
            "NUM_STREAMS": workers,
            "INFERENCE_NUM_THREADS": workers,
        },
    )
    free: SimpleQueue[Any] = SimpleQueue()
    for _ in range(workers):
        free.put(compiled.create_infer_request())

    def run(image: Image) -> object:
        request = free.get()
        try:
            return request.infer([image])[0].copy()
        finally:
            free.put(request)

    return run


def pytorch(setting: Setting, kind: str, device: str = "cpu") -> Run:
    """MC dropout as in published code, with the same Beta formulas by torch.lgamma.

    kind: "network" runs the whole network m times; "layer" runs it once, and dropout and classifier
    m times; "compiled" is "layer" with torch.compile, "graphs" the same as CUDA graphs; "bare" is
    the network alone. The result is copied from `device`.
    """
    import torch
    import torch.nn.functional as F

    network = network_of(setting).to(device)

    def bare(image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = network.classifier(network.features(image))
        return logits

    def probabilities(features: torch.Tensor) -> torch.Tensor:
        dropped = F.dropout2d(features, setting.rate, training=True)
        logits = network.classifier(dropped)
        full = F.interpolate(logits, setting.size, mode="bilinear", align_corners=False)
        return full.softmax(dim=1)

    def whole(image: torch.Tensor) -> torch.Tensor:
        passes = [probabilities(network.features(image)) for _ in range(setting.passes)]
        return _balentacq(torch.stack(passes), setting.top_k)

    def layer(image: torch.Tensor) -> torch.Tensor:
        features = network.features(image)
        passes = [probabilities(features) for _ in range(setting.passes)]
        return _balentacq(torch.stack(passes), setting.top_k)

    once: Callable[[torch.Tensor], torch.Tensor] = {
        "bare": bare, "network": whole, "layer": layer, "compiled": torch.compile(layer),
        "graphs": torch.compile(layer, mode="reduce-overhead"),
    }[kind]  # fmt: skip

    def run(image: Image) -> object:
        with torch.inference_mode():
            return once(torch.from_numpy(image).to(device)).cpu()

    return run


def baal(setting: Setting) -> Run:
    """The baal package: its MC dropout, all passes in one batch, and its BALD."""
    import torch
    from baal.active.heuristics import BALD
    from baal.bayesian.dropout import MCDropoutModule
    from baal.modelwrapper import ModelWrapper, TrainingArgs

    network = network_of(setting)

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network, self.dropout = network, torch.nn.Dropout2d(setting.rate)

        def forward(self, image: torch.Tensor) -> torch.Tensor:
            logits = network.classifier(self.dropout(network.features(image)))
            return torch.nn.functional.interpolate(logits, setting.size, mode="bilinear")

    wrapper = ModelWrapper(MCDropoutModule(Logits().eval()), TrainingArgs(use_cuda=False))

    def run(image: Image) -> object:
        with torch.inference_mode():
            predicted = wrapper.predict_on_batch(torch.from_numpy(image), setting.passes)
        return BALD().compute_score(predicted.numpy())

    return run


def _balentacq(p: "torch.Tensor", top_k: int) -> "torch.Tensor":
    """Best values of 1 / BalEnt for probabilities p [m, 1, C, H, W], as the paper's equations are
    written.
    """
    import torch

    mean, var = p.mean(0), p.var(0, unbiased=False).clamp(min=1e-12)
    entropy = -(mean * mean.clamp(min=1e-12).log()).sum(1)
    nu = (mean * (1 - mean) / var - 1).clamp(min=1e-6)
    a, b = mean * nu + 1, ((1 - mean) * nu).clamp(min=1e-12)
    log_beta = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
    h = (
        log_beta
        - (a - 1) * torch.digamma(a)
        - (b - 1) * torch.digamma(b)
        + (a + b - 2) * torch.digamma(a + b)
    )
    balent = ((mean * h).sum(1) + entropy) / (entropy + 0.6931472)
    score = torch.where(balent >= 0, 1 / balent.clamp(min=1e-30), balent)
    return score.flatten(1).topk(top_k).values


def network_of(setting: Setting) -> "BayesianNetwork":
    """The network of a setting, the same weights in every call."""
    import torch

    from trainer import networks

    torch.manual_seed(0)
    network = networks.build(setting.network, setting.classes, rate=setting.rate, kind="channel")
    return network.eval()
