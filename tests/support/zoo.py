"""Segmentation networks of other projects as ONNX files, in the forms that common exporters write:
small, with random weights that are always the same.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import oracle
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES = 5
SIZE = (64, 96)


def imagenet(image: np.ndarray) -> np.ndarray:
    mean, std = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))
    return ((image / 255 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)


def unit(image: np.ndarray) -> np.ndarray:
    return (image / 255).transpose(0, 3, 1, 2).astype(np.float32)


@dataclass(frozen=True)
class Exported:
    """A network in a file, and what the tests need to know about it.

    classifiers: its last layers, whose results are summed. name: of the output to follow. options:
    words of the command line. prepare: from uint8 [B, H, W, 3] to its input. classify: the oracle's
    function of features, weight and bias; None: a convolution.
    """

    path: Path
    classifiers: tuple[nn.Module, ...]
    options: tuple[str, ...] = ()
    align_corners: bool = False
    binary: bool = False
    tokens: tuple[int, int] | None = None
    prepare: Callable[[np.ndarray], np.ndarray] = imagenet
    classify: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray] | None = None


def block(channels: int, out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
    )


class Pyramid(nn.Module):
    """Features at strides 1, 2, 4 and 8: the encoder of the networks below."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        steps = [(3, width, 1), (width, width, 2), (width, width, 2), (width, width, 2)]
        self.stages = nn.ModuleList(block(*step) for step in steps)
        self.width = width

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found


class UNet(nn.Module):
    """A U-Net: skip connections at every stride, and a 3x3 classifier at full size."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.encoder = Pyramid()
        width = self.encoder.width
        self.ups = nn.ModuleList(block(2 * width, width) for _ in range(3))
        self.head = nn.Conv2d(width, classes, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        *skips, x = self.encoder(x)
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            x = up(torch.cat((F.interpolate(x, scale_factor=2.0, mode="nearest"), skip), dim=1))
        return self.head(x)


class Deconvolved(nn.Module):
    """A U-Net that ends in a transposed convolution, which is upsampling and classifier in one."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Pyramid()
        width = self.encoder.width
        self.ups = nn.ModuleList(nn.ConvTranspose2d(width, width, 2, 2) for _ in range(2))
        self.mix = nn.ModuleList(block(2 * width, width) for _ in range(2))
        self.head = nn.ConvTranspose2d(width, CLASSES, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, *skips, x = self.encoder(x)
        for up, mix, skip in zip(self.ups, self.mix, reversed(skips), strict=True):
            x = mix(torch.cat((up(x), skip), dim=1))
        return self.head(x).softmax(1)


class ESPCN(nn.Module):
    """Scores 4x4 pixels per feature position, as Shi et al. (2016) upsample photographs."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Pyramid()
        self.head = nn.Conv2d(self.encoder.width, CLASSES * 16, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.head(self.encoder(x)[2]), 4)


class MLP(nn.Module):
    """A linear layer on channels last, after which the classes are moved to the front."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Pyramid()
        self.mix = nn.Linear(self.encoder.width, 16)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.head(self.mix(self.encoder(x)[2].permute(0, 2, 3, 1)).relu())
        full = F.interpolate(
            scores.permute(0, 3, 1, 2), scale_factor=4.0, mode="bilinear", align_corners=False
        )
        return full.permute(0, 2, 3, 1).softmax(-1)


class FPN(nn.Module):
    """A 1x1 classifier at stride 4, upsampled four times with aligned corners."""

    def __init__(self, kernel: int = 1, level: int = 2, scale: float = 4.0) -> None:
        super().__init__()
        self.encoder, self.level, self.scale = Pyramid(), level, scale
        self.mix = block(self.encoder.width, 16)
        self.head = nn.Conv2d(16, CLASSES, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.head(self.mix(self.encoder(x)[self.level]))
        return F.interpolate(logits, scale_factor=self.scale, mode="bilinear", align_corners=True)


class LRASPP(nn.Module):
    """The sum of two classifiers of different channels, upsampled to the size of the image."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Pyramid()
        width = self.encoder.width
        self.cbr = block(width, 16)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, 16, 1), nn.Sigmoid())
        self.low_classifier = nn.Conv2d(width, CLASSES, 1)
        self.high_classifier = nn.Conv2d(16, CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        _, _, low, high = self.encoder(x)
        mixed = self.cbr(high) * self.gate(high)
        mixed = F.interpolate(mixed, low.shape[2:], mode="bilinear", align_corners=False)
        logits = self.low_classifier(low) + self.high_classifier(mixed)
        return F.interpolate(logits, x.shape[2:], mode="bilinear", align_corners=False)


class FCN(nn.Module):
    """A main and an auxiliary head on one backbone, with Dropout before the classifier."""

    def __init__(self, ending: str = "") -> None:
        super().__init__()
        self.encoder = Pyramid()
        width = self.encoder.width
        self.mix = nn.Sequential(block(width, 16), nn.Dropout(0.1))
        self.classifier = nn.Conv2d(16, CLASSES, 1)
        self.aux_classifier = nn.Conv2d(width, CLASSES, 1)
        self.ending = ending

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        _, _, low, high = self.encoder(x)
        out, aux = (
            F.interpolate(logits, x.shape[2:], mode="bilinear", align_corners=False)
            for logits in (self.classifier(self.mix(high)), self.aux_classifier(low))
        )
        if self.ending == "argmax":
            return out.softmax(1).argmax(1)
        if self.ending == "scaled":
            return (out / 2.0 + torch.arange(CLASSES)[None, :, None, None] * 0.1).log_softmax(1)
        return out, aux


class NHWC(nn.Module):
    """Channels last in input and output, as converters from TensorFlow write it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = FPN()

    def forward(self, x: Tensor) -> Tensor:
        logits = self.inner.head(self.inner.mix(self.inner.encoder(x.permute(0, 3, 1, 2))[2]))
        full = F.interpolate(logits, scale_factor=4.0, mode="bilinear", align_corners=False)
        return full.permute(0, 2, 3, 1).softmax(-1)


class OwnNormalisation(NHWC):
    """Takes uint8 images, and normalises them itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float() / 255 - 0.5)


class Segmenter(nn.Module):
    """Patches of 8x8 as tokens, a linear classifier of tokens, then arranged as a grid."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 24, 8, 8)
        self.layers = nn.TransformerEncoderLayer(24, 2, 32, batch_first=True, dropout=0.0)
        self.head = nn.Linear(24, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        grid = self.patch(x)
        tokens = self.layers(grid.flatten(2).transpose(1, 2))
        logits = self.head(tokens).transpose(1, 2).unflatten(2, grid.shape[2:])
        return F.interpolate(logits, scale_factor=8.0, mode="bilinear", align_corners=False)


class Flat(nn.Module):
    """A Gemm over all pixels in one row."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Pyramid()
        self.head = nn.Linear(self.encoder.width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(x)[2]
        height, width = features.shape[2:]
        flat = features.permute(0, 2, 3, 1).flatten(0, 2)
        logits = torch.addmm(self.head.bias, flat, self.head.weight.T)
        grid = logits.view(1, height, width, CLASSES).permute(0, 3, 1, 2)
        return F.interpolate(grid, scale_factor=4.0, mode="bilinear", align_corners=False)


class Binary(nn.Module):
    """One score: foreground or not."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = UNet(classes=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).sigmoid()


def calibrated(
    network: nn.Module,
    *,
    nhwc: bool = False,
    spread: float = 1.0,
    size: tuple[int, int] = SIZE,
) -> nn.Module:
    """Set BatchNorm's statistics from one batch: untrained ones make features constant."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    noise = F.interpolate(torch.rand(4, 3, 8, 12), size, mode="bicubic").clamp(0, 1)
    noise = (noise - 0.45) / 0.225 * spread
    with torch.no_grad():
        network.train()(noise.permute(0, 2, 3, 1) if nhwc else noise)
    return network.eval()


def export(
    network: nn.Module,
    path: Path,
    *,
    opset: int = 17,
    dynamic: bool = False,
    dynamo: bool = False,
    outputs: tuple[str, ...] = ("out",),
    image: Tensor | None = None,
) -> Path:
    """Export as a user would, with PyTorch's newer exporter (dynamo) or its older one."""
    given = torch.rand(1, 3, *SIZE) if image is None else image
    axes = {0: "batch", 2: "height", 3: "width"}
    extra: dict[str, Any] = {"dynamo": dynamo, "external_data": False}
    if dynamic and dynamo:
        extra["dynamic_shapes"] = (dict.fromkeys((2, 3), torch.export.Dim.DYNAMIC),)
    elif dynamic:
        extra["dynamic_axes"] = {"input": axes}
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (given,),
            path,
            opset_version=opset,
            input_names=["input"],
            output_names=list(outputs),
            verbose=False,
            **extra,
        )
    return path


def unet(folder: Path) -> Exported:
    network = calibrated(UNet())
    path = export(network, folder / "unet.onnx", dynamic=True, opset=16)
    options = ("--size", "64x96", "--preset", "unit")
    return Exported(path, (network.head,), options, prepare=unit)


def fpn(folder: Path) -> Exported:
    network = calibrated(FPN())
    path = export(network, folder / "fpn.onnx", dynamo=True, opset=18)
    return Exported(path, (network.head,), align_corners=True)


def pspnet(folder: Path) -> Exported:
    network = calibrated(FPN(kernel=3, level=3, scale=8.0))
    path = export(network, folder / "pspnet.onnx", opset=12)
    return Exported(path, (network.head,), align_corners=True)


def lraspp(folder: Path) -> Exported:
    network = calibrated(LRASPP())
    path = export(network, folder / "lraspp.onnx", opset=11)
    return Exported(path, (network.low_classifier, network.high_classifier))


def fcn(folder: Path) -> Exported:
    network = calibrated(FCN())
    path = export(network, folder / "fcn.onnx", outputs=("out", "aux"), opset=13)
    return Exported(path, (network.classifier,))


def auxiliary(folder: Path) -> Exported:
    network = calibrated(FCN())
    path = export(network, folder / "aux.onnx", outputs=("out", "aux"), dynamo=True, opset=20)
    return Exported(path, (network.aux_classifier,), ("--output", "aux"))


def deeplab(folder: Path) -> Exported:
    network = calibrated(FCN("argmax"))
    path = export(network, folder / "deeplab.onnx", opset=14)
    return Exported(path, (network.classifier,))


def nhwc(folder: Path) -> Exported:
    network = calibrated(NHWC(), nhwc=True)
    path = export(network, folder / "nhwc.onnx", image=torch.rand(1, *SIZE, 3), opset=13)
    return Exported(
        path, (network.inner.head,), ("--preset", "half"),
        prepare=lambda image: (image / 127.5 - 1).astype(np.float32),
    )  # fmt: skip


def uint8(folder: Path) -> Exported:
    network = calibrated(OwnNormalisation(), nhwc=True)
    image = torch.zeros(1, *SIZE, 3, dtype=torch.uint8)
    path = export(network, folder / "uint8.onnx", image=image, opset=17)
    return Exported(path, (network.inner.head,), prepare=lambda image: image)


def bgr(folder: Path) -> Exported:
    network = calibrated(FCN(), spread=57.0)
    path = export(network, folder / "bgr.onnx", outputs=("out", "aux"))
    mean = np.array((103.939, 116.779, 123.68))
    return Exported(
        path, (network.classifier,), ("--preset", "caffe"),
        prepare=lambda i: (i[..., ::-1] - mean).transpose(0, 3, 1, 2).astype(np.float32),
    )  # fmt: skip


def half(folder: Path) -> Exported:
    network = calibrated(FPN(level=2)).half()
    path = export(network, folder / "half.onnx", image=torch.rand(1, 3, *SIZE).half(), opset=17)
    return Exported(
        path, (network.head,), align_corners=True,
        prepare=lambda image: imagenet(image).astype(np.float16),
    )  # fmt: skip


def external(folder: Path) -> Exported:
    network = calibrated(UNet())
    path = export(network, folder / "external.onnx", opset=17)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    return Exported(path, (network.head,))


def segmenter(folder: Path) -> Exported:
    torch.manual_seed(1)
    network = Segmenter().eval()
    path = export(network, folder / "segmenter.onnx", opset=17)
    return Exported(path, (network.head,), tokens=(SIZE[0] // 8, SIZE[1] // 8))


def flat(folder: Path) -> Exported:
    network = calibrated_flat()
    path = export(network, folder / "flat.onnx", opset=17)
    return Exported(path, (network.head,), tokens=(SIZE[0] // 4, SIZE[1] // 4))


def calibrated_flat() -> Flat:
    """Calibrate the encoder alone, as the network takes a batch of one."""
    network = Flat()
    calibrated(network.encoder)
    return network.eval()


def binary(folder: Path) -> Exported:
    network = calibrated(Binary())
    path = export(network, folder / "binary.onnx", opset=17)
    return Exported(path, (network.inner.head,), binary=True)


def newest(folder: Path) -> Exported:
    network = calibrated(FCN("argmax"))
    path = export(network, folder / "newest.onnx", dynamo=True, opset=23, dynamic=True)
    return Exported(path, (network.classifier,), ("--size", "64x96"))


def deconvolved(folder: Path) -> Exported:
    network = calibrated(Deconvolved())
    path = export(network, folder / "deconvolved.onnx", opset=12)
    classify = partial(oracle.transposed, stride=2, pad=1)
    return Exported(path, (network.head,), classify=classify)


def espcn(folder: Path) -> Exported:
    network = calibrated(ESPCN())
    path = export(network, folder / "espcn.onnx", dynamo=True, opset=18)

    def classify(features: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        return oracle.spread(oracle._classify(features, weight, bias), 4)

    return Exported(path, (network.head,), classify=classify)


def mlp(folder: Path) -> Exported:
    network = calibrated(MLP())
    path = export(network, folder / "mlp.onnx", dynamo=True, opset=20)
    return Exported(path, (network.head,), tokens=(SIZE[0] // 4, SIZE[1] // 4))


HAND_MADE: dict[str, Callable[[Path], Exported]] = {
    maker.__name__: maker
    for maker in (
        unet, fpn, pspnet, lraspp, fcn, auxiliary, deeplab, nhwc, uint8, bgr, half, external,
        segmenter, flat, binary, newest, deconvolved, espcn, mlp,
    )
}  # fmt: skip


class Logits(nn.Module):
    """A network of transformers, exported as its documentation shows: from pixels to logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(pixel_values=x).logits


def segformer(folder: Path) -> Exported:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        num_labels=CLASSES, depths=[1, 1, 1, 1], hidden_sizes=[16, 24, 32, 48],
        num_attention_heads=[1, 1, 2, 3], decoder_hidden_size=32,
    )  # fmt: skip
    network = SegformerForSemanticSegmentation(config)
    return _transformer(network, network.decode_head.classifier, folder)


def upernet(folder: Path) -> Exported:
    from transformers import ConvNextConfig, UperNetConfig, UperNetForSemanticSegmentation

    backbone = ConvNextConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[12, 16, 24, 32],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = UperNetConfig(
        backbone_config=backbone, num_labels=CLASSES, hidden_size=24, pool_scales=[1, 2],
        auxiliary_in_channels=24, auxiliary_channels=16,
    )  # fmt: skip
    network = UperNetForSemanticSegmentation(config)
    return _transformer(network, network.decode_head.classifier, folder)


def dpt(folder: Path) -> Exported:
    from transformers import DPTConfig, DPTForSemanticSegmentation

    config = DPTConfig(
        num_labels=CLASSES, hidden_size=32, num_hidden_layers=4, num_attention_heads=2,
        intermediate_size=48, image_size=64, patch_size=16, backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[12, 16, 24, 32], fusion_hidden_size=24, use_auxiliary_head=False,
        semantic_classifier_dropout=0.1,
    )  # fmt: skip
    network = DPTForSemanticSegmentation(config)
    return _transformer(network, network.head.head[-2], folder, size=(64, 64), corners=True)


def mobilevit(folder: Path) -> Exported:
    from transformers import MobileViTConfig, MobileViTForSemanticSegmentation

    config = MobileViTConfig(
        num_labels=CLASSES, hidden_sizes=[24, 32, 40],
        neck_hidden_sizes=[8, 12, 16, 24, 32, 40, 64],
        num_attention_heads=2, aspp_out_channels=24, atrous_rates=[2, 3, 4], output_stride=16,
    )  # fmt: skip
    network = MobileViTForSemanticSegmentation(config)
    return _transformer(network, network.segmentation_head.classifier.convolution, folder)


def mobilenetv2(folder: Path) -> Exported:
    from transformers import MobileNetV2Config, MobileNetV2ForSemanticSegmentation

    config = MobileNetV2Config(num_labels=CLASSES, depth_multiplier=0.35, output_stride=16)
    network = MobileNetV2ForSemanticSegmentation(config)
    return _transformer(network, network.segmentation_head.classifier.convolution, folder)


def beit(folder: Path) -> Exported:
    from transformers import BeitConfig, BeitForSemanticSegmentation

    config = BeitConfig(
        num_labels=CLASSES, hidden_size=32, num_hidden_layers=4, num_attention_heads=2,
        intermediate_size=48, image_size=64, patch_size=16, out_indices=[1, 2, 3, 4],
        use_auxiliary_head=False, pool_scales=[1, 2], use_relative_position_bias=True,
    )  # fmt: skip
    network = BeitForSemanticSegmentation(config)
    return _transformer(network, network.decode_head.classifier, folder, size=(64, 64), opset=17)


def _transformer(
    network: nn.Module,
    head: nn.Module,
    folder: Path,
    *,
    size: tuple[int, int] = SIZE,
    corners: bool = False,
    opset: int = 18,
) -> Exported:
    """Export with normalisation statistics from noise, and scores spread by about two nats."""
    calibrated(Logits(network), size=size)
    seen: list[Tensor] = []
    hook = head.register_forward_hook(lambda _, given, found: seen.append(given[0]))
    image = torch.rand(1, 3, *size)
    with torch.no_grad():
        network(pixel_values=image * 4 - 2)
    hook.remove()
    size_of_features = seen[0].square().mean().sqrt()
    nn.init.normal_(head.weight, std=float(2 / size_of_features) / head.in_channels**0.5)
    path = folder / f"{type(network).__name__}.onnx"
    export(Logits(network), path, image=image, dynamo=opset >= 18, opset=opset, outputs=("logits",))
    return Exported(path, (head,), align_corners=corners)


TRANSFORMERS: dict[str, Callable[[Path], Exported]] = {
    maker.__name__: maker for maker in (segformer, upernet, dpt, mobilevit, mobilenetv2, beit)
}
ALL = HAND_MADE | TRANSFORMERS
_HEAVY = {
    "auxiliary", "beit", "dpt", "espcn", "flat", "fpn", "mlp", "mobilevit", "segmenter", "upernet",
}  # fmt: skip
CASES = [pytest.param(name, marks=[pytest.mark.slow] * (name in _HEAVY)) for name in ALL]
