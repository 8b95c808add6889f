"""The static rules: each finds the operator that breaks it, and nothing in our own graphs."""

import onnx
import pytest

from export import operators
from export.operators import violations

FINE = "f = Cast<to = 1>(image) t = Transpose<perm = [0, 3, 1, 2]>(f) out = Relu(t)"
BROKEN = {
    "bytes": ("t = Transpose<perm = [0, 3, 1, 2]>(image) out = Cast<to = 1>(t)", "reads bytes"),
    "random": ("f = Cast<to = 1>(image) out = RandomNormalLike(f)", "no such operator"),
    "bits": ("f = Cast<to = 6>(image) out = BitwiseNot(f)", "no such operator"),
    "sums": ("f = Cast<to = 1>(image) out = CumSum(f, one)", "no such operator"),
    "unheard of": ("f = Cast<to = 1>(image) out = NoSuchOp(f)", "no such operator"),
    "of no use": ("f = Cast<to = 1>(image) out = Det(f)", "no such operator"),
    "dropout": ("f = Cast<to = 1>(image) out = Dropout(f, , training)", "training mode"),
    "unsorted": ("f = Cast<to = 1>(image) out, i = TopK<sorted = 0>(f, ones)", "unsorted"),
    "wide constant": ("f = Cast<to = 1>(image) out = Add(f, wide)", "'wide' is float64"),
    "text": ('f = Cast<to = 1>(image) out = Add(f, word)', "'word' is text"),
    "double": ("d = Cast<to = 11>(image) out = Relu(d)", "makes a type"),
    "back to bytes": ("f = Cast<to = 1>(image) out = Cast<to = 2>(f)", "makes a type"),
    "cubic": (
        'f = Cast<to = 1>(image) out = Resize<mode = "cubic">(f, , , sizes)', "mode cubic"
    ),
    "antialias": (
        'f = Cast<to = 1>(image) out = Resize<mode = "linear", antialias = 1>(f, , , sizes)',
        "antialias",
    ),
    "top": ("f = Cast<to = 1>(image) out, i = TopK(f, many)", "K is 3840"),
    "top of anything": (
        "f = Cast<to = 1>(image) s = Shape(f) k = Gather(s, one) r = Reshape(k, ones) "
        "out, i = TopK(f, r)",
        "K is not constant",
    ),
    "axes": ("f = Cast<to = 1>(image) s = Shape(f) out = ReduceSum(f, s)", "not constant"),
    "huge": (
        'f = Cast<to = 1>(image) out = Resize<mode = "linear">(f, , , huge)', "less than 2^31"
    ),
}  # fmt: skip


def graph(body: str) -> onnx.ModelProto:
    more = "double[1] wide = {1.0}" if "wide" in body else 'string[1] word = {"a"}'
    more = more if "wide" in body or "word" in body else "float[1] unused = {1.0}"
    text = f"""<ir_version: 10, opset_import: ["" : 18]>
    hand (uint8[B,8,8,3] image) => (float out)
    <int64 one = {{1}}, int64[1] ones = {{1}}, int64[1] many = {{3840}},
     int64[4] sizes = {{1, 16, 16, 3}}, int64[4] huge = {{1, 65536, 65536, 3}},
     bool training = {{1}}, {more}> {{ {body} }}"""
    model = onnx.parser.parse_model(text)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return model


def test_a_graph_that_keeps_the_rules_has_no_violations() -> None:
    assert violations(graph(FINE)) == []


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_a_rule_is_named(case: str) -> None:
    body, said = BROKEN[case]
    found = violations(graph(body))
    assert any(said in violation for violation in found), found


def test_tensorrt_has_every_operator_that_is_let_pass() -> None:
    """Its own parser is asked, which needs no GPU."""
    trt = pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX has no build for this platform")
    log = trt.Logger(trt.Logger.ERROR)
    parser = trt.OnnxParser(trt.Builder(log).create_network(0), log)
    assert [name for name in sorted(operators._KNOWN) if not parser.supports_operator(name)] == []
    assert not parser.supports_operator("NoSuchOp")


def test_newer_opsets_other_domains_and_functions_are_named() -> None:
    model = graph(FINE)
    model.opset_import[0].version = 25
    model.opset_import.add(domain="com.microsoft", version=1)
    model.functions.add(name="mine")
    assert len(violations(model)) == 3
