"""Small scoring graphs without a network: bright pixels score highest, in a fraction of a
millisecond.
"""

from collections.abc import Mapping
from pathlib import Path

from scorer.contract import METADATA_KEY, Contract
from scorer.images.colours import Colour
from scorer.images.preprocessing import AS_IT_IS
from scorer.plain import METADATA_KEY as NETWORK_KEY
from scorer.plain import PROBABILITIES, PlainContract

CLASSES = ("sky", "road", "car", "tree", "person")
COLOURS = ((70, 130, 180), (128, 64, 128), (0, 0, 142), (107, 142, 35), (220, 20, 60))


def save(
    path: Path, acquisition: str, *, top_k: int = 4, has_map: bool = True, level: float = 0,
    classes: Mapping[str, Colour] = dict(zip(CLASSES, COLOURS, strict=True)),
) -> None:  # fmt: skip
    """Write a graph of 8x12 that fulfils its contract; level: brightness at which its map is 0.

    classes: their names with their colours.
    """
    import onnx

    contract = Contract(
        acquisition=acquisition,
        passes=2,
        dropout=0.2,
        mask_seed=0,
        height=8,
        width=12,
        classes=tuple(classes),
        colours=tuple(classes.values()),
        top_k=top_k,
        has_map=has_map,
        network="by hand",
        weights_sha256="",
    )
    model = onnx.parser.parse_model(_brightness(contract, level))
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, contract.to_json()
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


_MAPS = """map = Sub(sum, level)
        whole = Cast<to = 7>(sum)
        class_of_all = Mod(whole, count)
        segmentation = Cast<to = 6>(class_of_all)"""


def _brightness(contract: Contract, level: float) -> str:
    """ONNX text: score = weighted sum of the channels, plus 1000 * noise if it is an input."""
    noise = ", float[B,8,12] noise" if contract.stochastic else ""
    chance = "Mul(noise, thousand)" if contract.stochastic else "Sub(bright, bright)"
    a_map = ""
    if contract.has_map:
        a_map = ", float[B,8,12] map, int32[B,8,12] segmentation, float[B,8,12] score_map"
    output = _MAPS if contract.has_map else ""
    scores = "score_map = Identity(eligible)" if contract.has_map else ""
    return f"""<ir_version: 10, opset_import: ["" : 18]>
    brightness (uint8[B,8,12,3] image, uint8[B,8,12] exclude{noise})
        => (float[B,{contract.top_k}] score, int32[B,{contract.top_k},2] pixel,
            int32[B,{contract.top_k}] label{a_map})
    <float[3] channels = {{0.5, 0.3, 0.21}}, float thousand = {{1000.0}}, int64[1] last = {{3}},
     float none = {{-3.0e38}}, int64[2] flat = {{0, 96}}, int64[1] k = {{{contract.top_k}}},
     int64 width = {{12}}, int64 count = {{{len(contract.classes)}}}, int32 minus = {{-1}},
     float level = {{{level:.1f}}}, int64[1] two = {{2}}>
    {{
        colours = Cast<to = 1>(image)
        weighted = Mul(colours, channels)
        bright = ReduceSum<keepdims = 0>(weighted, last)
        chance = {chance}
        sum = Add(bright, chance)
        {output}
        taken = Cast<to = 9>(exclude)
        eligible = Where(taken, none, sum)
        {scores}
        line = Reshape(eligible, flat)
        score, index = TopK(line, k)
        gone = LessOrEqual(score, none)
        row = Div(index, width)
        col = Mod(index, width)
        row3 = Unsqueeze(row, two)
        col3 = Unsqueeze(col, two)
        place = Concat<axis = 2>(row3, col3)
        place32 = Cast<to = 6>(place)
        gone3 = Unsqueeze(gone, two)
        pixel = Where(gone3, minus, place32)
        class = Mod(index, count)
        class32 = Cast<to = 6>(class)
        label = Where(gone, minus, class32)
    }}"""


def save_network(path: Path, *, multiple: int | None = None) -> PlainContract:
    """Write a plain network of 8x12 and two classes: bright pixels are of the second."""
    import onnx

    contract = PlainContract(
        network="by hand", height=8, width=12, classes=("dark", "bright"),
        colours=((0, 0, 0), (255, 255, 255)), output=PROBABILITIES, layout="nhwc",
        precision="float32", preprocessing=AS_IT_IS, weights_sha256="", multiple=multiple,
    )  # fmt: skip
    model = onnx.parser.parse_model(_NETWORK)
    onnx.helper.set_model_props(model, {NETWORK_KEY: contract.to_json()})
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return contract


_NETWORK = """<ir_version: 10, opset_import: ["" : 18]>
    network (uint8[B, 8, 12, 3] image) => (float[B, 2, 8, 12] probabilities)
    <int64[1] last = {3}, int64[1] second = {1}, float most = {255}, float one = {1}>
    {
        levels = Cast<to = 1>(image)
        grey = ReduceMean<keepdims = 0>(levels, last)
        share = Div(grey, most)
        rest = Sub(one, share)
        dark = Unsqueeze(rest, second)
        bright = Unsqueeze(share, second)
        probabilities = Concat<axis = 1>(dark, bright)
    }"""
