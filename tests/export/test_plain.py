"""The network alone as a graph: what PyTorch says of the same images."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from export import any_size, plain
from export.cli import main
from export.graph import save
from export.plain import PlainOptions
from export.quantise import quantised
from scorer.errors import BadInput, BadPool
from scorer.plain import CLASS_MAP, INT8, METADATA_KEY, PROBABILITIES, PlainContract
from scorer.pools import open_pool
from trainer import model, networks
from trainer.graph.upsampling import upsample
from trainer.model import Card
from trainer.network import BayesianNetwork

SIZE, CLASSES = (64, 96), ("sky", "road", "car")
Array = np.ndarray  # type: ignore[type-arg]

pytestmark = pytest.mark.usefixtures("one_thread")


def network(name: str = networks.NAMES[0]) -> tuple[BayesianNetwork, Card]:
    torch.manual_seed(0)
    made = networks.build(name, len(CLASSES), rate=0.2, kind="channel").eval()
    card = Card(
        network=name, dropout=0.2, dropout_kind="channel", classes=CLASSES,
        colours=((255, 0, 0), (0, 255, 0), (0, 0, 255)), height=SIZE[0], width=SIZE[1],
        pretrained="none", training={},
    )  # fmt: skip
    return made, card


def images(count: int = 3) -> Array:
    return np.random.default_rng(0).integers(0, 256, (count, *SIZE, 3), np.uint8)


def truth(made: BayesianNetwork, given: Array) -> Array:
    """Probabilities as PyTorch has them."""
    with torch.inference_mode():
        scores = upsample(made(torch.from_numpy(given)), SIZE)
    found: Array = scores.softmax(1).numpy()
    return found


def run(path: Path, given: Array) -> Array:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"image": given})
    return found


def write(path: Path, made: BayesianNetwork, card: Card, **options: object) -> PlainContract:
    contract = plain.contract_for(made, card, PlainOptions(**options))  # type: ignore[arg-type]
    save(plain.bake(made, contract), path)
    return contract


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        (networks.NAMES[0], "nhwc"),
        pytest.param("deeplabv3plus-mobilenetv2", "nchw", marks=pytest.mark.slow),
        (networks.NAMES[0], "nchw"),
        pytest.param("deeplabv3plus-mobilenetv2", "nhwc", marks=pytest.mark.slow),
    ],
)
def test_it_computes_what_the_network_does(name: str, layout: str, tmp_path: Path) -> None:
    made, card = network(name)
    given, path = images(), tmp_path / "network.onnx"
    fed = given if layout == "nhwc" else given.transpose(0, 3, 1, 2)
    expected = truth(made, given)
    write(path, made, card, output=PROBABILITIES, layout=layout)
    found = run(path, fed)
    assert (found.dtype, found.shape) == (np.float32, (3, len(CLASSES), *SIZE))
    np.testing.assert_allclose(found, expected, atol=2e-5)
    np.testing.assert_allclose(run(path, fed[:1]), expected[:1], atol=2e-5)
    write(path, made, card, output=CLASS_MAP, layout=layout)
    label = run(path, fed)
    assert (label.dtype, label.shape) == (np.uint8, (3, *SIZE))
    best, second = -np.sort(-expected, axis=1)[:, :2].transpose(1, 0, 2, 3)
    clear = best - second > 1e-4
    np.testing.assert_array_equal(label[clear], expected.argmax(1)[clear])


def test_half_precision_is_near(tmp_path: Path) -> None:
    made, card = network()
    contract = write(tmp_path / "a.onnx", made, card, output=PROBABILITIES, precision="float16")
    assert contract.precision == "float16"
    found = run(tmp_path / "a.onnx", images())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, truth(made, images()), atol=0.02)


@pytest.mark.parametrize("layout", ["nchw", pytest.param("nhwc", marks=pytest.mark.slow)])
def test_eight_bits_are_smaller_and_mostly_agree(layout: str, tmp_path: Path) -> None:
    made, card = network()
    contract = write(tmp_path / "whole.onnx", made, card, output=PROBABILITIES, layout=layout)
    for index, pixels in enumerate(images(4)):
        (tmp_path / "pool").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "pool" / f"{index}.png")
    (tmp_path / "pool" / "bad.jpg").write_bytes(b"none")
    small = quantised(
        onnx.load(tmp_path / "whole.onnx"), contract,
        open_pool(str(tmp_path / "pool")),
    )  # fmt: skip
    save(small, tmp_path / "small.onnx")
    whole, less = (tmp_path / f"{name}.onnx" for name in ("whole", "small"))
    assert less.stat().st_size < whole.stat().st_size / 2
    texts = {one.key: one.value for one in small.metadata_props}
    described = PlainContract.from_json(texts[METADATA_KEY], source="x")
    assert described.precision == INT8
    Image.fromarray(images(1)[0] // 3).save(tmp_path / "pool" / "0.png")
    other = quantised(
        onnx.load(tmp_path / "whole.onnx"), contract, open_pool(str(tmp_path / "pool")), images=1
    )
    texts = {one.key: one.value for one in other.metadata_props}
    ranges = PlainContract.from_json(texts[METADATA_KEY], source="x")
    assert ranges.sha256 != described.sha256, "other ranges are another network"
    fed = images(4) if layout == "nhwc" else images(4).transpose(0, 3, 1, 2)
    assert np.abs(run(less, fed) - run(whole, fed)).mean() < 0.05


def test_without_a_photograph_nothing_is_calibrated(tmp_path: Path) -> None:
    made, card = network()
    contract = write(tmp_path / "whole.onnx", made, card)
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "bad.jpg").write_bytes(b"none")
    with pytest.raises(BadPool, match="no image of"):
        quantised(onnx.load(tmp_path / "whole.onnx"), contract, open_pool(str(tmp_path / "pool")))


def test_the_graph_describes_itself(tmp_path: Path) -> None:
    made, card = network()
    contract = write(tmp_path / "network.onnx", made, card, size=(96, 128))
    graph = onnx.load(tmp_path / "network.onnx")
    texts = {one.key: one.value for one in graph.metadata_props}
    assert PlainContract.from_json(texts[METADATA_KEY], source="x") == contract
    found = json.loads(texts[METADATA_KEY])
    assert (found["height"], found["width"], found["classes"]) == (96, 128, list(CLASSES))
    assert graph.graph.input[0].name == "image"
    other = plain.bake(made, contract)
    assert (
        other.SerializeToString(deterministic=True) == (tmp_path / "network.onnx").read_bytes()
    ), "the same network gives the same bytes"


def test_the_command_writes_it_and_refuses_what_has_no_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model.save(tmp_path / "model.safetensors", *network())
    invoke = CliRunner().invoke
    done = invoke(main, ["onnx", "--plain", "--result", "probabilities"])
    assert done.exit_code == 0, done.output
    assert run(tmp_path / "network.onnx", images(1)).shape == (1, len(CLASSES), *SIZE)
    refused = invoke(main, ["onnx", "--plain", "--mc", "5"])
    assert refused.exit_code == 2
    assert "--mc is of no effect: a plain network has no scores" in refused.output
    refused = invoke(main, ["onnx", "--precision", "int8"])
    assert "give it with --plain" in refused.output
    refused = invoke(main, ["onnx", "--image-layout", "nchw"])
    assert "--image-layout is of no effect: give it with --plain" in refused.output


SIZED = ("pixelhead-mobilenetv2", "deeplabv3plus-mobilenetv2", "fpn-resnet50")


@pytest.mark.parametrize(
    ("name", "output", "layout"),
    [
        (networks.NAMES[0], PROBABILITIES, "nhwc"),
        (networks.NAMES[0], CLASS_MAP, "nchw"),
        *(pytest.param(one, PROBABILITIES, "nchw", marks=pytest.mark.slow) for one in SIZED),
    ],
)
def test_any_size_is_taken(name: str, output: str, layout: str, tmp_path: Path) -> None:
    made, card = network(name)
    path = tmp_path / "network.onnx"
    contract = write(path, made, card, any_size=True, output=output, layout=layout)
    assert (contract.multiple, contract.grid) == (32, SIZE)
    for size in ((32, 32), (96, 160)):
        given = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
        with torch.inference_mode():
            expected = upsample(made(torch.from_numpy(given)), size).softmax(1).numpy()
        found = run(path, given if layout == "nhwc" else given.transpose(0, 3, 1, 2))
        if output == PROBABILITIES:
            np.testing.assert_allclose(found, expected, atol=2e-4)
        else:
            assert (found == expected.argmax(1)).mean() > 0.999


def test_a_graph_that_depends_on_its_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, card = network()
    monkeypatch.setattr(any_size, "free", lambda *_: None)  # the size of the trace stays in it
    with pytest.raises(BadInput, match="depends on the size of its input"):
        write(tmp_path / "network.onnx", made, card, any_size=True)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model and four photographs."""
    monkeypatch.chdir(tmp_path)
    made, card = network()
    with torch.no_grad():
        made.classifier.weight *= 30  # so that it is sure of its classes
    model.save(tmp_path / "model.safetensors", made, card)
    (tmp_path / "images").mkdir()
    for index, pixels in enumerate(images(4)):
        Image.fromarray(pixels).save(tmp_path / "images" / f"{index}.png")
    return tmp_path


def invoke(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--result", PROBABILITIES), marks=pytest.mark.slow),
        ("--precision", "fp16", "--image-layout", "nchw"),
    ],
)
def test_it_is_verified_as_scoring_graphs_are(home: Path, options: tuple[str, ...]) -> None:
    assert invoke("onnx", "--plain", *options).exit_code == 0
    passed = invoke("verify", "--graph", "network.onnx")
    assert passed.exit_code == 0, passed.output
    assert "PASS: network.onnx does what model.safetensors does" in passed.stderr
    graph = onnx.load("network.onnx")
    wrong = next(one for one in graph.graph.initializer if one.name.endswith("classifier.weight"))
    values = onnx.numpy_helper.to_array(wrong)
    wrong.CopyFrom(onnx.numpy_helper.from_array(-values, wrong.name))
    onnx.save(graph, "network.onnx")
    failed = invoke("verify", "--graph", "network.onnx")
    assert failed.exit_code == 1
    assert "of the pixels have another class" in failed.stderr


def test_what_int8_costs_is_said(home: Path) -> None:
    said = invoke("onnx", "--plain", "--precision", "int8")
    assert said.exit_code == 0, said.output
    assert "of the pixels of 4 images keep their class; for the mIoU" in " ".join(
        said.stderr.split()
    )
    (home / "masks").mkdir()
    with torch.inference_mode():
        label = network()[0](torch.from_numpy(images(4))).argmax(1).numpy().astype(np.uint8)
    for index, one in enumerate(label):
        Image.fromarray(one).resize(SIZE[::-1], Image.Resampling.NEAREST).save(
            home / "masks" / f"{index}.png"
        )
    (home / "train").mkdir()
    Image.new("RGB", SIZE[::-1]).save(home / "train" / "0.png")
    (home / "dataset.toml").write_text(
        'version = 1\nsize = "64x96"\n[train]\nimages = "train"\n[val]\nimages = "images"\n'
        'masks = "masks"\n[classes]\nnames = ["sky", "road", "car"]\n'
        'colours = ["#ff0000", "#00ff00", "#0000ff"]\nignore = 255\n'
    )
    said = invoke("onnx", "--plain", "--precision", "int8", "--result", PROBABILITIES)
    assert said.exit_code == 0, said.output
    assert "of mIoU lost on [val]" in " ".join(said.stderr.split())


def test_more_classes_than_a_mask_has_room_for_are_refused() -> None:
    made, card = network()
    many = tuple(map(str, range(256)))
    with pytest.raises(BadInput, match="has 256 classes"):
        plain.contract_for(
            made, replace(card, classes=many, colours=((0, 0, 0),) * 256), PlainOptions()
        )
