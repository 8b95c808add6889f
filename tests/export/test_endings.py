"""What may stand at the end of somebody's network: each against the oracle, which knows from the
case alone what the last linear layer is.

The features come from the file itself in ONNX Runtime. What the graph is traced from is compared
with the oracle, pixel by pixel; that a graph is its trace is proved in test_graft.py.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
import oracle
import PIL.Image
import pytest
import torch
from click.testing import CliRunner
from onnx import numpy_helper

from export.cli import main
from export.graph import GraphOptions, contract_for, features_of, reference
from export.source import Source, open_network
from scorer.contract import BALENT_FLOOR, RELATIVE_SD_FLOOR
from trainer.graph import tiling
from trainer.graph.dropout import masks
from trainer.graph.raster import Whole

GRID, PASSES, RATE = (32, 48), 6, 0.3
FLOOR = oracle.Floor(relative_sd=RELATIVE_SD_FLOOR, balent_min=BALENT_FLOOR)
Array = np.ndarray
Classify = Callable[[Array, Array, Array], Array]
RNG = np.random.default_rng(7)


def normal(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


WEIGHTS = {
    "w0": normal(8, 3, 3, 3), "b0": normal(8) / 4, "grey0": 2 * normal(8, 1, 3, 3),
    "w": normal(3, 8, 1, 1), "b": normal(3) / 4,
    "two": normal(2, 8, 1, 1), "b2": normal(2) / 4, "one": normal(1, 8, 1, 1), "b1": normal(1) / 4,
    "wt2": normal(8, 3, 2, 2) / 2, "wt3": normal(8, 3, 3, 3) / 2, "wt4": normal(8, 3, 4, 4) / 3,
    "d": normal(12, 8, 1, 1) / 2, "d3": normal(12, 8, 3, 3) / 3, "bd": normal(12) / 4,
    "bilinear": np.float32(np.tile(np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 16, (3, 1, 1, 1))),
    "half": np.float32(0.5), "third": np.float32(0.3), "zero": np.float32(0),
    "full": np.float32(255), "unit": np.float32(1), "roi": np.zeros(0, np.float32),
    "scales": np.array([1, 1, 2, 2], np.float32), "i0": np.array([0]), "i1": np.array([1]),
    "i2": np.array([2]), "index0": np.array(0), "index1": np.array(1),
    "six": np.array([1, 3, 2, 2, 16, 24]), "whole": np.array([1, 3, 32, 48]),
    "four": normal(4, 8, 1, 1), "b4": normal(4) / 4, "i3": np.array([3]), "i4": np.array([4]),
    "pick": np.array([3, 1]), "back": np.array([-1]),
}  # fmt: skip
TRUNK = "c0 = Conv<pads = [1, 1, 1, 1], strides = [2, 2]>(image, w0, b0) f = Relu(c0) "
SCORES = TRUNK + "s = Conv(f, w, b) "
ENLARGED = SCORES + 'l = Resize<mode = "linear">(s, roi, scales) '
ONE = TRUNK + "s = Conv(f, one, b1) " + 'l = Resize<mode = "linear">(s, roi, scales) '
TWO = TRUNK + "s = Conv(f, two, b2) " + 'l = Resize<mode = "linear">(s, roi, scales) '
FOUR = TRUNK + "s = Conv(f, four, b4) " + 'l = Resize<mode = "linear">(s, roi, scales) '
FOUR_SOFT = FOUR + "p = Softmax<axis = 1>(l) "
BY_HAND = "m = ReduceMax<axes = [1]>(l) a = Sub(l, m) e = Exp(a) t = ReduceSum(e, i1) "
SQUEEZED = """sh = Shape(s) n = Gather(sh, index1) same = Equal(n, index1)
    out = If(same) <then_branch = g1 () => (float[B, H, W] q1) { q1 = Squeeze(s, i1) },
                    else_branch = g2 () => (float[B, C, H, W] q2) { q2 = Identity(s) }>"""


def shuffled(features: Array, weight: Array, bias: Array, *, class_first: bool) -> Array:
    return oracle.spread(oracle._classify(features, weight, bias), 2, class_first=class_first)


CRD, DCR = (partial(shuffled, class_first=one) for one in (True, False))
TRANSPOSED = partial(oracle.transposed, stride=2)
PADDED = partial(oracle.transposed, stride=2, pad=1)


class Case(NamedTuple):
    """body, output: of the network. weight, bias: its last layer; sign, shift: what one score is
    multiplied by and what is added. classify: what the oracle makes of them.
    """

    body: str
    output: str
    weight: str = "w"
    bias: str = "b"
    opset: int = 17
    classify: Classify = oracle._classify
    sign: float = 1
    shift: float = 0
    kept: tuple[int, ...] | None = None  # of the classes of the last layer; None: all


FULL, SMALL = "float[1,3,32,48] out", "float[1,3,16,24] out"
SINGLE = "float[1,1,32,48] out"
one = partial(Case, weight="one", bias="b1")
two = partial(Case, weight="two", bias="b2")
four = partial(Case, weight="four", bias="b4")
CASES = {
    "a transposed convolution": Case(
        TRUNK + "out = ConvTranspose<strides = [2, 2]>(f, wt2, b)", FULL, "wt2",
        classify=TRANSPOSED,
    ),
    "one whose kernels overlap": Case(
        TRUNK + "out = ConvTranspose<strides = [2, 2], pads = [1, 1, 1, 1]>(f, wt4, b)",
        FULL, "wt4", classify=PADDED,
    ),
    "one with output padding": Case(
        TRUNK + "out = ConvTranspose<strides = [2, 2], pads = [1, 1, 1, 1], "
        "output_padding = [1, 1]>(f, wt3, b)", FULL, "wt3", classify=PADDED,
    ),
    "one that is enlarged": Case(
        TRUNK + "g = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(f) "
        "s = ConvTranspose<strides = [2, 2]>(g, wt2, b) "
        'out = Resize<mode = "linear">(s, roi, scales)', FULL, "wt2", classify=TRANSPOSED,
    ),
    "each class by itself, with a bilinear kernel": Case(
        SCORES + "out = ConvTranspose<strides = [2, 2], pads = [1, 1, 1, 1], group = 3>"
        "(s, bilinear)", FULL,
    ),
    "depth to space, class first": Case(
        TRUNK + 's = Conv(f, d, bd) out = DepthToSpace<blocksize = 2, mode = "CRD">(s)',
        FULL, "d", "bd", classify=CRD,
    ),
    "depth to space of a wide kernel, class last": Case(
        TRUNK + "s = Conv<pads = [1, 1, 1, 1]>(f, d3, bd) p = DepthToSpace<blocksize = 2>(s) "
        "out = Softmax<axis = 1>(p)", FULL, "d3", "bd", classify=DCR,
    ),
    "depth to space in three steps": Case(
        TRUNK + "s = Conv(f, d, bd) r = Reshape(s, six) "
        "t = Transpose<perm = [0, 1, 4, 2, 5, 3]>(r) out = Reshape(t, whole)",
        FULL, "d", "bd", classify=CRD,
    ),
    "an old softmax between transposes": Case(
        ENLARGED + "t = Transpose<perm = [0, 3, 2, 1]>(l) u = Softmax<axis = 3>(t) "
        "out = Transpose<perm = [0, 3, 2, 1]>(u)", FULL, opset=11,
    ),
    "an old softmax over all pixels": Case(
        ENLARGED + "out = Softmax<axis = 1>(l)", FULL, opset=11
    ),
    "a softmax by hand": Case(ENLARGED + BY_HAND + "out = Div(e, t)", FULL),
    "a softmax of channels last": Case(
        ENLARGED + "t = Transpose<perm = [0, 2, 3, 1]>(l) out = Softmax<axis = -1>(t)",
        "float[1,32,48,3] out",
    ),
    "the slice of the foreground": two(
        TWO + "p = Softmax<axis = 1>(l) out = Slice(p, i1, i2, i1)", SINGLE
    ),
    "the slice of the background": two(
        TWO + "p = Softmax<axis = 1>(l) out = Slice(p, i0, i1, i1)", SINGLE
    ),
    "the foreground without its axis": two(
        TWO + "p = Softmax<axis = 1>(l) out = Gather<axis = 1>(p, index1)", "float[1,32,48] out"
    ),
    "several foregrounds": four(FOUR_SOFT + "out = Slice(p, i1, i4, i1)", FULL),
    "several, of channels last": four(
        FOUR + "t = Transpose<perm = [0, 2, 3, 1]>(l) p = Softmax<axis = -1>(t) "
        "out = Slice(p, i1, i4, back)", "float[1,32,48,3] out",
    ),
    "several in another order": four(
        FOUR_SOFT + "out = Gather<axis = 1>(p, pick)", "float[1,2,32,48] out"
    ),
    "several backwards": four(FOUR_SOFT + "out = Slice(p, i3, i0, i1, back)", FULL),
    "a label among several": four(
        FOUR_SOFT + "q = Slice(p, i1, i4, i1) out = ArgMax<axis = 1>(q)", "int64[1,1,32,48] out"
    ),
    "a label among several in another order": four(
        FOUR_SOFT + "q = Gather<axis = 1>(p, pick) out = ArgMax<axis = 1>(q)",
        "int64[1,1,32,48] out",
    ),
    "scores that are left out before softmax": four(
        TRUNK + "s = Conv(f, four, b4) q = Slice(s, i1, i4, i1) "
        'l = Resize<mode = "linear">(q, roi, scales) out = Softmax<axis = 1>(l)',
        FULL, kept=(1, 2, 3),
    ),
    "scores in another order": four(
        TRUNK + "s = Conv(f, four, b4) q = Gather<axis = 1>(s, pick) "
        'out = Resize<mode = "linear">(q, roi, scales)', "float[1,2,32,48] out", kept=(3, 1),
    ),
    "the foreground above a threshold": two(
        TWO + "p = Softmax<axis = 1>(l) q = Slice(p, i1, i2, i1) g = Greater(q, third) "
        "out = Cast<to = 1>(g)", SINGLE, shift=-np.log(0.3 / 0.7),
    ),
    "a label from two classes": two(
        TWO + "a = ArgMax<axis = 1, keepdims = 0>(l) out = Cast<to = 2>(a)", "uint8[1,32,48] out"
    ),
    "a threshold of a probability": one(
        ONE + "p = Sigmoid(l) g = Greater(p, half) out = Cast<to = 1>(g)", SINGLE
    ),
    "a threshold that is not one half": one(
        ONE + "p = Sigmoid(l) g = GreaterOrEqual(p, third) out = Cast<to = 2>(g)",
        "uint8[1,1,32,48] out", shift=-np.log(0.3 / 0.7),
    ),
    "a threshold of a score, squeezed to bytes": one(
        ONE + "g = Greater(l, zero) q = Squeeze(g, i1) out = Cast<to = 2>(q)",
        "uint8[1,32,48] out",
    ),
    "what lies below is the foreground": one(
        ONE + "p = Sigmoid(l) g = Less(p, third) out = Cast<to = 1>(g)", SINGLE,
        sign=-1, shift=np.log(0.3 / 0.7),
    ),
    "black and white": one(
        ONE + "p = Sigmoid(l) g = Less(half, p) out = Where(g, full, zero)", SINGLE
    ),
    "a rounded probability": one(ONE + "p = Sigmoid(l) out = Round(p)", SINGLE),
    "a probability in bytes": one(
        ONE + "p = Sigmoid(l) q = Mul(p, full) out = Cast<to = 2>(q)", "uint8[1,1,32,48] out"
    ),
    "the probability of the background": one(
        ONE + "p = Sigmoid(l) out = Sub(unit, p)", SINGLE, sign=-1
    ),
    "a squeeze inside of an If": one(TRUNK + "s = Conv(f, one, b1) " + SQUEEZED, "float[] out"),
    "no squeeze inside of an If": Case(
        SCORES + SQUEEZED.replace("Squeeze(s, i1)", "Squeeze(s)"), "float[] out"
    ),
    "labels without a batch axis": Case(
        ENLARGED + "a = ArgMax<axis = 1, keepdims = 0>(l) q = Squeeze(a, i0) out = Cast<to = 2>(q)",
        "uint8[32,48] out",
    ),
    "scores without a batch axis": Case(ENLARGED + "out = Squeeze(l, i0)", "float[3,32,48] out"),
    "the first of the batch": Case(
        ENLARGED + "p = Softmax<axis = 1>(l) out = Gather<axis = 0>(p, index0)",
        "float[3,32,48] out",
    ),
    "the logarithm of a softmax": Case(
        ENLARGED + "p = Softmax<axis = 1>(l) out = Log(p)", FULL
    ),
    "a grey image": Case(SCORES.replace("w0", "grey0") + "out = Identity(s)", SMALL),
}  # fmt: skip


def saved(folder: Path, body: str, output: str, opset: int = 17, channels: int = 3) -> Path:
    text = f"""<ir_version: 8, opset_import: ["" : {opset}]>
    hand (float[1,{channels},32,48] image) => ({output}) {{ {body} }}"""
    model = onnx.parser.parse_model(text)
    if output.startswith("float[] "):
        model.graph.output[0].type.tensor_type.ClearField("shape")
    for name, values in WEIGHTS.items():
        if f" {name}" in body or f"({name}" in body:
            model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    path = folder / "network.onnx"
    onnx.save(model, path)
    return path


def image(channels: int = 3) -> Array:
    """Blurred noise, every channel the same where the network sees but one."""
    rng = np.random.default_rng(1)
    coarse = oracle.upsample(rng.random((3, 8, 12)), *GRID).transpose(1, 2, 0)
    fine = (255 * np.clip(coarse + rng.normal(0, 0.1, (*GRID, 3)), 0, 1)).astype(np.uint8)
    return fine if channels == 3 else np.repeat(fine[..., :1], 3, axis=2)


def features(path: Path, name: str, channels: int) -> Array:
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    session = ort.InferenceSession(model.SerializeToString())
    given = (image(channels)[..., :channels] / 255).astype(np.float32).transpose(2, 0, 1)[None]
    return session.run([name], {"image": given})[0][0].astype(np.float64)


@pytest.mark.parametrize("name", CASES)
def test_its_map_is_the_oracles(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    channels = 1 if "grey0" in case.body else 3
    path = saved(tmp_path, case.body, case.output, case.opset, channels)
    weight, bias = (WEIGHTS[key].astype(np.float64) for key in (case.weight, case.bias))
    if case.weight == "one":
        weight, bias = case.sign * weight, case.sign * bias + case.shift
        weight, bias = (np.concatenate((np.zeros_like(v), v)) for v in (weight, bias))
    elif case.weight == "two":
        bias = bias + np.array([0, case.shift])
    if case.kept is not None:
        weight, bias = weight[list(case.kept)], bias[list(case.kept)]
    seen = features(path, "g" if "g = MaxPool" in case.body else "f", channels)
    keep = masks(PASSES, len(seen), RATE, 0).double().numpy()
    passes = oracle.probabilities(seen, weight, bias, keep, RATE, *GRID, classify=case.classify)
    exact = oracle.balent(passes, FLOOR)
    assert (exact >= -8).mean() > 0.3

    network, card, _ = open_network(Source(path=path, preset="unit", dropout=RATE), None)
    contract = contract_for(network, card, GraphOptions(passes=PASSES, stride=1, top_k=8))
    laid_out = tiling.raster(contract.raster, features_of(network, GRID)[1:], GRID)
    given = torch.from_numpy(image(channels))[None], torch.zeros(1, *GRID, dtype=torch.uint8)
    for raster in (Whole, laid_out):
        with torch.inference_mode():
            found = reference(network, contract, raster)(*given)
        off = np.abs(found.map[0].numpy() - exact)[exact >= -8]
        assert off.max() <= 1e-3
        assert (found.segmentation[0].numpy() == oracle.mean(passes).argmax(0)).mean() > 0.999


def test_it_is_said_that_the_output_lacks_classes(tmp_path: Path) -> None:
    path = saved(tmp_path, FOUR_SOFT + "out = Slice(p, i1, i4, i1)", FULL)
    network, card, _ = open_network(Source(path=path, preset="unit"), None)
    assert len(card.classes) == 4
    assert "its output keeps 3 of its 4 classes; the graph has all" in network.findings()


REFUSED = {
    "a transposed convolution of another size": (
        TRUNK + "out = ConvTranspose<strides = [2, 2]>(f, wt3, b)", "float[1,3,33,49] out",
        "does not make exactly 2 times as many rows",
    ),
    "a threshold for each of several classes": (
        ENLARGED + "p = Softmax<axis = 1>(l) g = Greater(p, half) out = Cast<to = 1>(g)", FULL,
        "scores each of 3 classes by itself",
    ),
    "a class left out before softmax": (
        ENLARGED + "q = Slice(l, i0, i2, i1) out = Softmax<axis = 1>(q)", "float[1,2,32,48] out",
        "pixels or classes would be lost",
    ),
    "a threshold that no score reaches": (
        ONE + "p = Sigmoid(l) g = Greater(p, full) out = Cast<to = 1>(g)", SINGLE,
        "whatever the score",
    ),
    "one score against another": (
        TWO + "a = Slice(l, i0, i1, i1) c = Slice(l, i1, i2, i1) g = Greater(c, a) "
        "out = Cast<to = 1>(g)", SINGLE, "Greater",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_other_endings_are_refused(name: str, tmp_path: Path) -> None:
    body, output, said = REFUSED[name]
    result = CliRunner().invoke(main, ["onnx", "--from", str(saved(tmp_path, body, output))])
    assert result.exit_code == 5, result.output
    assert said in " ".join(result.output.split())


@pytest.mark.parametrize("kind", ["float", "uint8"])
def test_a_grey_network_sees_the_brightness_of_colours(kind: str, tmp_path: Path) -> None:
    """As Pillow and OpenCV compute it, in the graph as in the file."""
    body = TRUNK.replace("w0", "grey0") + "out = Conv(f, w, b)"
    path = saved(tmp_path, body, SMALL, channels=1)
    if kind == "uint8":
        model = onnx.load(path)
        model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
        model.graph.node.insert(0, onnx.helper.make_node("Cast", ["image"], ["x"], to=1))
        model.graph.node[1].input[0] = "x"
        for tensor in model.graph.initializer:
            if tensor.name == "grey0":
                tensor.CopyFrom(numpy_helper.from_array(WEIGHTS["grey0"] / 255, "grey0"))
        onnx.save(model, path)
    preset = None if kind == "uint8" else "unit"
    network, _, _ = open_network(Source(path=path, preset=preset), None)
    assert network.preprocessing.channels == "grey"
    session = ort.InferenceSession(network.trunk().SerializeToString())
    (found,) = session.run(None, {"image": image()[None]})
    grey = np.asarray(PIL.Image.fromarray(image()).convert("L"), np.float64)[..., None]
    own = network.features(torch.from_numpy(np.repeat(grey, 3, 2).astype(np.uint8))[None]).numpy()
    tolerance = 0.5 / 255 if kind == "float" else 1e-6  # Pillow rounds to bytes
    scale = np.abs(WEIGHTS["grey0"]).sum(axis=(1, 2, 3)).max()
    assert np.abs(found - own).max() <= tolerance * scale
    assert np.abs(found - network.features(torch.from_numpy(image())[None]).numpy()).max() < 1e-4


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--preset", "imagenet"], "has a mean for each of three colours"),
        (["--channels", "rgb"], "takes images of 1 channel"),
        (["--mean", "0.5,0.4,0.5", "--std", "0.5"], "one mean and one std"),
    ],
)
def test_what_only_colours_have_is_refused_for_grey(
    words: list[str], said: str, tmp_path: Path
) -> None:
    path = saved(tmp_path, TRUNK.replace("w0", "grey0") + "out = Conv(f, w, b)", SMALL, channels=1)
    result = CliRunner().invoke(main, ["onnx", "--from", str(path), *words])
    assert result.exit_code == 5, result.output
    assert said in " ".join(result.output.split())
