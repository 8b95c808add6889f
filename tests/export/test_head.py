"""What cannot be grafted is refused: each refusal with the network that causes it, the node in the
way named, and what was expected.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import zoo
from click.testing import CliRunner, Result
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn

from export.cli import main
from export.head import find

Build = Callable[[Path], Path]


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def network(body: str, output: str) -> Build:
    """A network by hand, of nodes in ONNX text and a few constants that they may name."""

    def build(folder: Path) -> Path:
        text = f"""<ir_version: 10, opset_import: ["" : 18]>
        hand (float[1,3,32,32] image) => ({output}) {{ {body} }}"""
        model = onnx.parser.parse_model(text)
        rng = np.random.default_rng(0)
        values = {
            "w": rng.normal(size=(4, 3, 1, 1)),
            "v": rng.normal(size=(4, 4, 1, 1)),
            "z": np.zeros((4, 4, 1, 1)),
            "g": rng.normal(size=(4, 1, 1, 1)),
            "constant": rng.normal(size=(1, 4, 32, 32)),
            "per_pixel": rng.normal(size=(1, 1, 32, 32)),
            "b": rng.normal(size=4),
        }
        for name, value in values.items():
            tensor = numpy_helper.from_array(value.astype(np.float32), name)
            model.graph.initializer.append(tensor)
        whole = {
            "zero": [0], "one": [1], "two": [2], "three": [3], "last": [-1], "back": [-1],
            "before": [-100], "shuffled": [1, 1, 64, 64],
        }  # fmt: skip
        for name, value in whole.items():
            tensor = numpy_helper.from_array(np.array(value, np.int64), name)
            model.graph.initializer.append(tensor)
        path = folder / "hand.onnx"
        onnx.save(model, path)
        return path

    return build


class MaskFormer(nn.Module):
    """Class scores and mask scores multiplied: linear in neither's features alone."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = zoo.Pyramid()
        self.queries = nn.Linear(12, 20)

    def forward(self, x: Tensor) -> Tensor:
        features = self.encoder(x)[2]
        queries = self.queries(features.mean((2, 3))).view(1, zoo.CLASSES, 4)
        return (queries @ features[:, :4].flatten(2)).unflatten(2, features.shape[2:])


class Boxes(nn.Module):
    """DETR's shape: boxes and classes of queries."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = zoo.Pyramid()
        self.head = nn.Linear(12, zoo.CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x)[3].flatten(2).transpose(1, 2))


class Whole(nn.Module):
    """A classifier of images."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = zoo.Pyramid()
        self.head = nn.Linear(12, zoo.CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x)[3].mean((2, 3)))


class Dead(nn.Module):
    """Features that a ReLU keeps at zero whatever the image is."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = zoo.Pyramid()
        self.head = nn.Conv2d(12, zoo.CLASSES, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((self.encoder(x)[0] - 1e6).relu())


class Cropped(nn.Module):
    """The upper left quarter of its scores is all that it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = zoo.UNet()

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)[:, :, 20:52, 20:84]


def exported(make: Callable[[], nn.Module]) -> Build:
    def build(folder: Path) -> Path:
        torch.manual_seed(0)
        return zoo.export(make().eval(), folder / "network.onnx", opset=17)

    return build


SCORES = "float[1,4,32,32] out"
REFUSED: dict[str, tuple[Build, str, str]] = {
    "no classifier": (
        network("r = Relu(image) out = MaxPool<kernel_shape = [1, 1]>(r)", "float[1,3,32,32] out"),
        "MaxPool 'out' stands between",
        "expected a Conv, ConvTranspose, MatMul or Gemm",
    ),
    "nothing at all": (
        network("out = Identity(image)", "float[1,3,32,32] out"),
        "ends at 'image'",
        "expected a Conv",
    ),
    "not linear": (
        network("f = Conv(image, w) l = Conv(f, v) out = Relu(l)", SCORES),
        "Relu 'out' stands between",
        "behind it only",
    ),
    "two activations": (
        exported(MaskFormer),
        "multiplies two activations",
        "expected a Conv",
    ),
    "a sum that is not one of classifiers": (
        network("f = Conv(image, w) r = Relu(f) l = Conv(f, v) out = Add(l, r)", SCORES),
        "Relu 'r' stands between",
        "expected a Conv",
    ),
    "grouped": (
        network("f = Conv(image, w) out = Conv<group = 4>(f, g)", SCORES),
        "Conv 'out' is no convolution of all channels",
        "expected",
    ),
    "several labels at once": (
        network("f = Conv(image, w) l = Conv(f, v) out = Sigmoid(l)", SCORES),
        "Sigmoid 'out' scores each of 4 classes by itself",
        "exclude each other",
    ),
    "one value per pixel added": (
        network("f = Conv(image, w) l = Conv(f, v) out = Add(l, per_pixel)", SCORES),
        "not one value per class",
        "expected",
    ),
    "zero weights": (
        network("f = Conv(image, w) r = Relu(f) out = Conv(r, z)", SCORES),
        "all weights of the classifier 'out' are zero",
        "trained weights",
    ),
    "not of the image": (
        network("f = Conv(image, w) r = Relu(constant) out = Conv(r, v)", SCORES),
        "reads 'r', which does not depend on the image",
        "expected",
    ),
    "dead features": (exported(Dead), "changes no score of a test image", "trained"),
    "queries": (
        exported(Boxes),
        "does not score every pixel: it is 1x96x5",
        "expected class scores",
    ),
    "one label per image": (exported(Whole), "does not score every pixel: it is 1x5", "expected"),
    "cropped": (exported(Cropped), "Slice", "a crop or a pad is gone at a --size"),
    "a class left out": (
        network(
            "f = Conv(image, w) l = Conv(f, v) t = Transpose<perm = [0, 2, 3, 1]>(l) "
            "out = Slice(t, zero, three, three)",
            "float[1,32,32,3] out",
        ),
        "makes 1x32x32x3 of 1x32x32x4",
        "expected nothing but enlarging",
    ),
    "mirrored": (
        network(
            "f = Conv(image, w) l = Conv(f, v) out = Slice(l, last, before, two, back)", SCORES
        ),
        "changes the scores of a test image",
        "expected nothing but enlarging",
    ),
    "pixels out of channels": (
        network(
            "f = Conv(image, w) l = Conv(f, v) out = Reshape(l, shuffled)", "float[1,1,64,64] out"
        ),
        "makes 1x1x64x64 of the scores of 4 classes",
        "expected nothing but enlarging",
    ),
    "weighed anew": (
        network(
            "f = Conv(image, w) l = Conv(f, v) p = Softmax<axis = 1>(l) out = Mul(p, g)", SCORES
        ),
        "behind Softmax 'p' the classes are weighed anew",
        "expected",
    ),
    "drawn at random": (
        network("n = RandomNormalLike(image) m = Add(image, n) out = Conv(m, w)", SCORES),
        "RandomNormalLike 'n' in front of the classifier draws at random",
        "evaluation mode",
    ),
    "one label for all": (
        network("p = GlobalAveragePool(image) out = Conv(p, w)", "float[1,4,1,1] out"),
        "gives one label for the whole image",
        "expected class scores",
    ),
    "features of two sizes": (
        network(
            "f = Conv(image, w) p = GlobalAveragePool(f) l = Conv(f, v) k = Conv(p, v) "
            "out = Add(l, k)",
            SCORES,
        ),
        "sums classifiers of features of",
        "expected features of one size",
    ),
    "a stride with pads unsaid": (
        network(
            'f = Conv(image, w) out = Conv<auto_pad = "SAME_UPPER", strides = [2, 2]>(f, v)',
            "float[1,4,16,16] out",
        ),
        "has a stride and pads SAME_UPPER",
        "expected",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refusal_names_the_node_and_says_what_was_expected(case: str, tmp_path: Path) -> None:
    build, said, remedy = REFUSED[case]
    result = run("onnx", "--from", str(build(tmp_path)), "--out", str(tmp_path / "out.onnx"))
    assert result.exit_code == 5, result.output
    assert said in result.output
    assert remedy in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out.onnx").exists()


def edited(change: Callable[[ModelProto], None]) -> Build:
    """A network that is right but for one thing."""

    def build(folder: Path) -> Path:
        path = network("f = Conv(image, w) r = Relu(f) out = Conv(r, v, b)", SCORES)(folder)
        model = onnx.load(path)
        change(model)
        onnx.save(model, path)
        return path

    return build


def two_inputs(model: ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("points", TensorProto.FLOAT, [1, 2]))


def of_channels(count: int) -> Callable[[ModelProto], None]:
    def change(model: ModelProto) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = count

    return change


def quantised(model: ModelProto) -> None:
    zero = numpy_helper.from_array(np.int8(0), "zero_point")
    model.graph.initializer.extend([zero, numpy_helper.from_array(np.float32(0.1), "scale")])
    for kind, given, made in (("Quantize", "r", "q"), ("Dequantize", "q", "d")):
        node = helper.make_node(f"{kind}Linear", [given, "scale", "zero_point"], [made])
        model.graph.node.insert(len(model.graph.node) - 1, node)
    model.graph.node[-1].input[0] = "d"


def integers(model: ModelProto) -> None:
    node = helper.make_node("QLinearConv", ["q"] * 8, ["unread"], name="quantised")
    model.graph.node.append(node)


def batch_of_four(model: ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4


def any_size(model: ModelProto) -> None:
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = "side"


def nothing_out(model: ModelProto) -> None:
    del model.graph.output[:]


def boxes(model: ModelProto) -> None:
    node = helper.make_node("NonMaxSuppression", ["r", "f"], ["kept"], name="nms")
    cast = helper.make_node("Cast", ["kept"], ["out"], to=TensorProto.FLOAT)
    del model.graph.node[-1]
    model.graph.node.extend([node, cast])


def of_ours(model: ModelProto) -> None:
    onnx.helper.set_model_props(model, {"balentacq.contract": "{}"})


def too_old(model: ModelProto) -> None:
    """Of an opset whose Upsample must have scales."""
    model.opset_import[0].version = 6
    model.graph.node.append(helper.make_node("Upsample", ["r"], ["unread"]))


FILES: dict[str, tuple[Build, tuple[str, ...], str]] = {
    "two inputs": (edited(two_inputs), (), "takes image, points; expected one input"),
    "four channels": (edited(of_channels(4)), (), "takes images of 4 channels (1x4x32x32)"),
    "thirteen bands": (
        edited(of_channels(13)),
        ("--layout", "nchw"),
        "takes images of 13 channels (1x13x32x32); supported are three colours and grey",
    ),
    "two channels": (edited(of_channels(2)), (), "supported are three colours and grey"),
    "no channels": (edited(of_channels(320)), (), "which axis are the channels?"),
    "int8": (edited(quantised), (), "export the float model"),
    "int8 operators": (edited(integers), (), "as its QLinearConv 'quantised' says"),
    "batch": (edited(batch_of_four), (), "takes 4 images at once"),
    "any size": (edited(any_size), (), "images of any size"),
    "fixed size": (edited(lambda _: None), ("--size", "64x64"), "takes images of 32x32 only"),
    "no such output": (edited(lambda _: None), ("--output", "x"), "no output 'x'"),
    "no outputs": (edited(nothing_out), (), "no outputs"),
    "boxes": (edited(boxes), (), "NonMaxSuppression 'nms' makes boxes"),
    "a scoring graph": (edited(of_ours), (), "is a scoring graph already"),
    "opset": (edited(too_old), (), "is of opset 6 and cannot be converted to 18"),
    "layout": (edited(lambda _: None), ("--layout", "nhwc"), "which is not nhwc"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_used_is_named(case: str, tmp_path: Path) -> None:
    build, options, said = FILES[case]
    result = run("onnx", "--from", str(build(tmp_path)), *options)
    assert result.exit_code == 5, result.output
    assert said in result.output


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    assert "does not exist" in run("onnx", "--from", str(tmp_path / "none.onnx")).output
    (tmp_path / "text.onnx").write_text("no network")
    assert "is no ONNX" in run("onnx", "--from", str(tmp_path / "text.onnx")).output
    for beginning, said in (
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"PK\x03\x04", "a ZIP archive"),
    ):
        (tmp_path / "other.onnx").write_bytes(beginning)
        result = run("onnx", "--from", str(tmp_path / "other.onnx"))
        assert (result.exit_code, said in result.output) == (5, True)
    exported = zoo.external(tmp_path)
    (tmp_path / "weights.bin").unlink()
    result = run("onnx", "--from", str(exported.path))
    assert result.exit_code == 5
    assert "weights.bin, which is not beside it" in result.output


def test_what_only_a_foreign_network_needs_is_refused_without_one() -> None:
    result = run("onnx", "--mean", "0,0,0")
    assert result.exit_code == 2
    assert "--mean says something of --from" in result.output


@pytest.mark.parametrize("text", ["1,2", "a,b,c", "1,2,3,4", "nan,0,0", ""])
def test_means_are_one_number_or_three(text: str) -> None:
    assert run("onnx", "--from", "x.onnx", "--mean", text).exit_code == 2


def test_arithmetic_with_constants_is_folded_into_the_classifier(tmp_path: Path) -> None:
    path = network(
        "f = Conv(image, w) l = Conv(f, v) m = Mul(l, two) s = Sub(m, per_class) n = Sub(one, s) "
        "out = Div(n, four)",
        SCORES,
    )(tmp_path)
    model = onnx.load(path)
    extra = {"two": 2.0, "four": 4.0, "one": 1.0}
    for name, value in extra.items():
        model.graph.initializer.append(numpy_helper.from_array(np.float32(value), name))
    per_class = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1)
    model.graph.initializer.append(numpy_helper.from_array(per_class, "per_class"))
    head = find(model)
    weight = next(t for t in model.graph.initializer if t.name == "v")
    expected = -numpy_helper.to_array(weight) * 2 / 4
    np.testing.assert_allclose(head.classifier.weight, expected, rtol=1e-6)
    np.testing.assert_allclose(head.classifier.bias, (1 + np.arange(4)) / 4)


def test_uneven_padding_is_kept(tmp_path: Path) -> None:
    path = network('out = Conv<auto_pad = "SAME_UPPER", kernel_shape = [2, 2]>(image, e)', SCORES)(
        tmp_path
    )
    model = onnx.load(path)
    weight = np.random.default_rng(1).normal(size=(4, 3, 2, 2)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "e"))
    onnx.save(model, path)
    out = tmp_path / "graph.onnx"
    assert run("onnx", "--from", str(path), "--mc", "3", "--out", str(out)).exit_code == 0
    zoo_pool = tmp_path / "pool"
    zoo_pool.mkdir()
    _photograph(zoo_pool / "one.png")
    words = ("--graph", str(out), "--from", str(path), "--pool", str(zoo_pool))
    assert run("verify", *words).exit_code == 0


def _photograph(path: Path) -> None:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
