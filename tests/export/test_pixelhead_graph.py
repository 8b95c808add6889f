"""A pixel head in a graph: in every runtime, grafted, under NVIDIA's builder, at every stride."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import trees
import zoo
from listeners import Heard
from torch import Tensor, nn

from export import builder, engine, graph, operators, reweigh, trace
from export.source import Source, open_network
from export.verification import verify
from scorer.pools import list_pool
from scorer.runtimes import open_graph
from scorer.runtimes.cpu import OnnxRuntime
from scorer.selection.result import Ranked
from scorer.selection.select import rank
from trainer import dataset, job, model, networks
from trainer.fit_options import FitOptions
from trainer.graph.upsampling import upsample
from trainer.network import BayesianNetwork
from trainer.recipe import HeadRecipe

RTX = builder.EngineOptions(flavour="rtx", gpu="sm89", batch=(1, 2, 4))
NAMES = ("pixelhead-efficientnet-lite0", networks.VIT)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy pool, and a model of every kind that has learned from it."""
    transformers = pytest.importorskip("transformers")
    root = tmp_path_factory.mktemp("pixelhead")
    found = dataset.read(trees.folders(root, images=6, val=0, size=(64, 96)) / "dataset.toml")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=24, num_hidden_layers=4, num_attention_heads=2, image_size=56
    )
    transformers.Dinov2Model(config).save_pretrained(root / "vit")
    recipe = HeadRecipe(steps=60, batch=32)
    for name in NAMES:
        given = str(root / "vit/model.safetensors") if name == networks.VIT else "auto"
        options = FitOptions(network=name, weights=given, recipe=recipe)
        job.train(found, root / f"{name}.safetensors", options, Heard())
    return root


def baked(folder: Path, name: str, **options: object) -> tuple[Path, BayesianNetwork]:
    """Exported once for every combination of options."""
    network, card = model.load(folder / f"{name}.safetensors")
    contract = graph.contract_for(network, card, graph.GraphOptions(passes=5, top_k=16, **options))
    path = folder / f"{contract.sha256[:12]}.onnx"
    if not path.exists():
        graph.save(graph.bake(network, contract), path)
    return path, network


@pytest.mark.parametrize("runtime", ["cpu", "openvino"])
@pytest.mark.parametrize(
    ("name", "stride"),
    [
        pytest.param(NAMES[0], 1, marks=pytest.mark.slow),
        pytest.param(NAMES[0], 2, marks=pytest.mark.slow),
        (NAMES[0], 4),
        pytest.param(networks.VIT, 1, marks=pytest.mark.slow),
        (networks.VIT, 4),
    ],
)
def test_runtimes_do_what_pytorch_does(name: str, stride: int, runtime: str, folder: Path) -> None:
    path, network = baked(folder, name, stride=stride)
    opened = open_graph(runtime, path, workers=1)
    assert opened.contract.map == (64 // stride, 96 // stride)
    verdict = verify(path, opened, network, list_pool(folder / "images"), images=3)
    assert verdict.failures == []
    assert verdict.spread is not None
    assert verdict.spread > 0


@pytest.mark.parametrize("name", NAMES)
def test_nvidias_builder_takes_it(name: str, folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    path, _ = baked(folder, name, target="gpu", stride=4)
    assert operators.violations(onnx.load(path)) == []
    sidecar = engine.build(path, tmp_path / "scorer.engine", RTX)
    assert (tmp_path / "scorer.engine").stat().st_size > 10_000
    assert sidecar.contract.network == name


class Whole(nn.Module):
    """As somebody exports a segmentation network: class scores at the size of the image."""

    def __init__(self, network: BayesianNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        features = self.network.trunk(image)
        return upsample(self.network.classifier(features), (64, 96))


@pytest.mark.slow
def test_grafted_it_gives_the_map_that_it_gives_baked(folder: Path, tmp_path: Path) -> None:
    path, network = baked(folder, NAMES[0])
    exported = zoo.export(
        Whole(network),
        tmp_path / "head.onnx",
        image=torch.rand(1, 3, 64, 96),
        opset=18,
        dynamo=True,
    )
    mean, std = (tuple(v / 255 for v in values) for values in (
        network.preprocessing.mean, network.preprocessing.std,
    ))  # fmt: skip
    foreign, card, _ = open_network(Source(path=exported, mean=mean, std=std), None)
    contract = graph.contract_for(foreign, card, graph.GraphOptions(passes=5, top_k=16))
    graph.save(graph.bake(foreign, contract), tmp_path / "grafted.onnx")
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
    free = np.zeros((1, 64, 96), np.uint8)
    maps = [
        OnnxRuntime(one, workers=1).run(image, free, want_map=True).map
        for one in (path, tmp_path / "grafted.onnx")
    ]
    assert np.ptp(maps[0]) > 0.1
    np.testing.assert_allclose(maps[1], maps[0], atol=1e-3)


def test_a_ranking_says_how_much_of_an_image_is_undecided(folder: Path) -> None:
    path, _ = baked(folder, NAMES[0])
    runtime = OnnxRuntime(path, workers=1)
    for result in rank(runtime, list_pool(folder / "images"), n=3, want_map=True):
        assert isinstance(result, Ranked)
        assert result.map is not None
        assert result.nonnegative == pytest.approx(float((result.map >= 0).mean()))


def learned_more(network: BayesianNetwork) -> BayesianNetwork:
    """The same backbone under a head of other numbers."""
    torch.manual_seed(1)
    other = copy.deepcopy(network)
    with torch.no_grad():
        for name, tensor in other.state_dict().items():
            if "backbone" not in name and not name.startswith("image_"):
                tensor.add_(torch.rand_like(tensor))
    return other


@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_a_known_structure_is_given_weights_to_the_bytes_of_a_trace(
    stride: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, card = model.load(folder / f"{NAMES[0]}.safetensors")
    other = learned_more(network)
    options = graph.GraphOptions(passes=3, top_k=16, stride=stride)
    contract = graph.contract_for(other, card, options)
    like = graph.bake(network, graph.contract_for(network, card, options))
    traced = graph.bake(other, contract)
    monkeypatch.setattr(trace, "trunk", lambda *_: pytest.fail("it was traced again"))
    given = graph.bake(other, contract, like)
    assert given.SerializeToString(deterministic=True) == traced.SerializeToString(
        deterministic=True
    )


def test_another_backbone_or_other_options_are_traced(folder: Path) -> None:
    network, card = model.load(folder / f"{NAMES[0]}.safetensors")
    options = graph.GraphOptions(passes=3, top_k=16, stride=4)
    contract = graph.contract_for(network, card, options)
    known = reweigh.structure(network, contract)
    assert known is not None
    assert known == reweigh.structure(learned_more(network), contract)
    tuned = copy.deepcopy(network)
    with torch.no_grad():
        next(tuned.trunk.backbone.parameters()).mul_(1.01)  # type: ignore[union-attr]
    assert reweigh.structure(tuned, contract) != known
    more = graph.contract_for(network, card, replace(options, passes=4))
    assert reweigh.structure(network, more) != known
    halved = graph.contract_for(network, card, replace(options, precision="float16"))
    assert reweigh.structure(network, halved) is None


def test_a_file_that_is_no_graph_is_no_earlier_one(tmp_path: Path) -> None:
    assert graph.earlier(tmp_path / "none.onnx") is None
    (tmp_path / "text.onnx").write_text("not a graph")
    assert graph.earlier(tmp_path / "text.onnx") is None
