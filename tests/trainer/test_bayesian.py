"""Networks of others in PyTorch: where the dropout goes, and what they can do afterwards."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import trees
import zoo
from safetensors.torch import save_file
from torch import Tensor, nn

from scorer.errors import BadInput, BadModel
from trainer import model, networks, weights
from trainer.bayesian import make_bayesian
from trainer.graph.dropout import FeatureDropout


class Named(nn.Module):
    """Gives a dict, as torchvision's networks do; the auxiliary head runs last."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = zoo.Pyramid()
        self.classifier = nn.Sequential(zoo.block(12, 16), nn.Conv2d(16, zoo.CLASSES, 3, padding=1))
        self.aux_classifier = nn.Conv2d(12, zoo.CLASSES, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        _, _, low, high = self.backbone(x)
        out = nn.functional.interpolate(self.classifier(high), x.shape[2:], mode="bilinear")
        return {"out": out.log_softmax(1), "aux": self.aux_classifier(low)}


NETWORKS: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "unet": (zoo.UNet, "head"),
    "fpn": (zoo.FPN, "head"),
    "fcn": (zoo.FCN, "classifier"),
    "named": (Named, "classifier.1"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_dropout_goes_before_the_classifier(name: str) -> None:
    make, classifier = NETWORKS[name]
    torch.manual_seed(0)
    module = make().eval()
    head = module.get_submodule(classifier)
    seen: list[tuple[Tensor, Tensor]] = []
    head.register_forward_hook(lambda _, given, found: seen.append((given[0], found)))
    image = torch.randint(0, 256, (2, *zoo.SIZE, 3), dtype=torch.uint8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        module(((image / 255 - mean) / std).permute(0, 3, 1, 2))
    features, logits = seen[0]
    parameters = {id(p) for p in module.parameters()}
    frozen = next(module.parameters()).requires_grad_(False)
    network = make_bayesian(module, FeatureDropout(0.5), size=zoo.SIZE).eval()
    assert network.classifier is head
    assert not frozen.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(network.features(image), features, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(network(image), logits, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(network.train()(image), logits, atol=1e-2)
    assert {id(p) for p in network.parameters()} == parameters
    backbone = {id(p) for p in network.trunk.backbone.parameters()}
    assert backbone < parameters
    assert id(head.weight) not in backbone


class Ends(nn.Module):
    def __init__(self, ending: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.ending = zoo.UNet(), ending

    def forward(self, x: Tensor) -> Tensor:
        return self.ending(self.inner(x))


class Last(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, **options)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(x))


@pytest.mark.parametrize(("name", "value"), [("mean", (0.5, 0.5)), ("std", (58.0, 57.0, 57.0))])
def test_a_mean_that_is_none_is_refused(name: str, value: tuple[float, ...]) -> None:
    module = zoo.UNet()
    setattr(module, name, value)
    with pytest.raises(BadInput, match=rf"UNet\.{name} is \("):
        make_bayesian(module, size=zoo.SIZE)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Ends(torch.relu), "Relu changes the scores"),
        (lambda: Ends(lambda x: x * x), "Mul changes the scores"),
        (zoo.LRASPP, "Add changes the scores"),
        (zoo.Segmenter, "changes the scores"),
        (nn.Identity, "no convolution at its end"),
        (lambda: Ends(lambda x: x[:, 1:]), "not by enlarging or softmax"),
        (lambda: Ends(lambda x: x.flip(2)), "changes the scores"),
        (lambda: Ends(torch.sigmoid), "ends in a Sigmoid over"),
        (lambda: Ends(lambda x: x.softmax(2)), "not by enlarging or softmax"),
        (lambda: Ends(lambda x: nn.functional.pad(x, (30, 0, 0, 0))), "not by enlarging"),
        (lambda: Last(padding_mode="reflect", padding=1, kernel_size=3), "pads reflect"),
        (lambda: Last(groups=2, kernel_size=1), "has groups 2"),
    ],
    ids=[
        "relu",
        "product",
        "sum",
        "tokens",
        "nothing",
        "a class less",
        "mirrored",
        "several labels",
        "softmax over rows",
        "shifted",
        "reflected",
        "grouped",
    ],
)
def test_what_ends_otherwise_is_refused(make: Callable[[], nn.Module], said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        make_bayesian(make(), size=zoo.SIZE)
    assert "--from" in caught.value.remedy


FACTORY = """
import sys
sys.path.insert(0, {tests!r})
import zoo

def build(classes):
    return zoo.UNet(classes)

def five(classes):
    return zoo.UNet(5)

def nothing(classes):
    return None
"""


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the working directory."""
    (tmp_path / "mynets.py").write_text(FACTORY.format(tests=str(Path(zoo.__file__).parent)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("mynets", None)
    return "mynets:build"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere.at.all:build", "No module named 'nowhere'"),
        ("mynets:missing", "missing"),
        ("mynets:nothing", "gave a NoneType"),
        ("mynets:five", "has 5 outputs, the dataset 3 classes"),
    ],
)
def test_a_factory_that_is_none_is_named(name: str, said: str, factory: str) -> None:
    assert factory
    with pytest.raises(BadInput, match=said):
        networks.build(name, 3, rate=0.2, kind="channel")


def test_weights_of_the_whole_network_are_loaded_under_its_own_names(
    factory: str, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    state = zoo.UNet(4).state_dict()
    forms = {
        "plain.safetensors": state,
        "checkpoint.pth": {"epoch": 3, "state_dict": {f"module.{n}": v for n, v in state.items()}},
    }
    for name, content in forms.items():
        path = tmp_path / name
        if path.suffix == ".pth":
            torch.save(content, path)
        else:
            save_file(content, path)
        same = networks.build(factory, 4, rate=0.2, kind="channel")
        assert "new classifier" not in weights.load_network(same, str(path))
        assert torch.equal(same.classifier.weight, state["head.weight"])
        assert torch.equal(same.trunk.module.ups[0][0].weight, state["ups.0.0.weight"])
        other = networks.build(factory, 3, rate=0.2, kind="channel")
        assert "with a new classifier" in weights.load_network(other, str(path))
    del state["ups.0.0.weight"]
    save_file(state, tmp_path / "less.safetensors")
    with pytest.raises(BadModel, match=r"lacks ups\.0\.0\.weight"):
        weights.load_network(same, str(tmp_path / "less.safetensors"))


@pytest.mark.slow
def test_it_is_trained_exported_verified_and_ranks(factory: str, tmp_path: Path) -> None:
    """The whole way, typed; a model file alone never runs the code that it names."""
    trees.folders(tmp_path, images=4, val=2, size=(32, 48))

    def typed(*words: str, code: int = 0) -> str:
        command = [sys.executable, "-m", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stderr + done.stdout

    allowed = ("--network", factory)
    said = typed("trainer", "fit", *allowed, "--epochs", "2", "--batch", "2")
    assert "as its factory makes it" in said
    assert model.load(tmp_path / "model.safetensors", factory)[1].network == factory
    assert "needs code of yours, mynets:build" in typed("export", "onnx", code=5)
    assert f"--network {factory}" in typed("trainer", "evaluate", code=5)
    assert "mIoU" in typed("trainer", "evaluate", *allowed)
    typed("export", "onnx", "--mc", "3", *allowed)
    assert "PASS" in typed("export", "verify", *allowed)
    assert "20 pixels of 4 images" in typed("scorer", "rank")
