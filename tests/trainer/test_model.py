"""The model file: everything in one safetensors file, and nothing else is taken for one."""

import json
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from scorer.errors import BadModel, CannotWrite
from trainer import model, networks
from trainer.model import METADATA_KEY, Card
from trainer.network import BayesianNetwork

CARD = Card(
    network="deeplabv3plus-mobilenetv2",
    dropout=0.3,
    dropout_kind="elementwise",
    classes=("Straße", "b", "c"),
    colours=((1, 2, 3), (4, 5, 6), (7, 8, 255)),
    height=360,
    width=480,
    pretrained="some.pth (sha256 0)",
    training={"epochs": 3, "seed": 7, "miou": 0.1 + 0.2, "versions": {"torch": "x"}},
)


@pytest.fixture(scope="module")
def trained() -> BayesianNetwork:
    """A network whose every tensor, counters too, is unlike that of a new one."""
    torch.manual_seed(5)
    network = CARD.build()
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.add_(torch.rand_like(value) * 0.1)
            else:
                value.add_(3)
    return network


@pytest.fixture(scope="module")
def saved(trained: BayesianNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    model.save(path, trained, CARD)
    return path


def edited(saved: Path, folder: Path, **changes: Any) -> Path:
    """A copy whose card says something else; a change to `...` takes the entry out."""
    with safe_open(saved, "pt") as file:
        card = json.loads(file.metadata()[METADATA_KEY]) | changes
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    path = folder / "edited.safetensors"
    kept = {name: value for name, value in card.items() if value is not ...}
    save_file(tensors, path, metadata={METADATA_KEY: json.dumps(kept)})
    return path


def test_a_model_comes_back_bit_for_bit(trained: BayesianNetwork, saved: Path) -> None:
    network, card = model.load(saved)
    assert card == CARD
    assert card.size == (360, 480)
    assert not network.training
    ours, theirs = network.state_dict(), trained.state_dict()
    assert ours.keys() == theirs.keys()
    assert len(ours) > 300
    for name, value in theirs.items():
        assert ours[name].dtype == value.dtype
        assert torch.equal(ours[name], value)
    assert network.sha256 == trained.sha256
    image = torch.randint(0, 256, (1, 32, 48, 3), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(network(image), trained.eval()(image))


def test_a_model_saved_twice_is_the_same_bytes(
    trained: BayesianNetwork, saved: Path, tmp_path: Path
) -> None:
    channels_last = CARD.build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    channels_last.load_state_dict(trained.state_dict())
    for network in (trained, model.load(saved)[0], channels_last):
        model.save(tmp_path / "again.safetensors", network, CARD)
        assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()


def test_saving_leaves_no_other_file(trained: BayesianNetwork, tmp_path: Path) -> None:
    model.save(tmp_path / "new" / "model.safetensors", trained, CARD)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.safetensors"]


def test_the_hash_of_the_weights_depends_on_every_value(saved: Path) -> None:
    network, _ = model.load(saved)
    before = network.sha256
    with torch.no_grad():
        network.classifier.bias[0] += 1e-6  # type: ignore[index]
    assert network.sha256 != before


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_an_unknown_version_is_refused(saved: Path, tmp_path: Path, version: object) -> None:
    path = edited(saved, tmp_path, version=version)
    with pytest.raises(BadModel, match=f"model version {version}, this program reads") as caught:
        model.load(path)
    assert str(path) in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.5, 0.999])
def test_a_truncated_file_is_refused(saved: Path, tmp_path: Path, share: float) -> None:
    whole = saved.read_bytes()
    path = tmp_path / "half.safetensors"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BadModel, match=r"half\.safetensors is no whole safetensors") as caught:
        model.load(path)
    assert "trainer fit" in caught.value.remedy


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"model\.safetensors does not exist") as caught:
        model.load(tmp_path / "model.safetensors")
    assert "trainer fit" in caught.value.remedy


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"balentacq.training": "{}"}])
def test_a_foreign_safetensors_file_is_refused(
    tmp_path: Path, metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata=metadata)
    with pytest.raises(BadModel, match="not a model of this project") as caught:
        model.load(path)
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", '"version"', "{}"])
def test_a_configuration_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.safetensors"
    save_file({"x": torch.zeros(1)}, path, metadata={METADATA_KEY: text})
    with pytest.raises(BadModel, match=r"odd\.safetensors: its configuration cannot be read"):
        model.load(path)


@pytest.mark.parametrize(
    "change",
    [
        {"network": "unet"},
        {"network": ["deeplabv3plus-mobilenetv2"]},
        {"network": "deeplabv3plus-efficientnet-lite0"},
        {"dropout": ...},
        {"optimiser": "adam"},
        {"classes": ["a", "b"]},
        {"classes": 5},
        {"colours": [1, 2, 3]},
        {"dropout": 1.5},
        {"dropout": "0.2"},
        {"dropout_kind": "row"},
        {"height": "360"},
        {"width": -480},
        {"colours": [[1, 2, 3]]},
        {"temperature": 0.0},
        {"temperature": "2"},
        {"temperature": float("inf")},
    ],
    ids=str,
)
def test_an_edited_configuration_is_refused(
    saved: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    path = edited(saved, tmp_path, **change)
    with pytest.raises(BadModel, match=r"edited\.safetensors") as caught:
        model.load(path)
    assert caught.value.remedy


def test_an_edit_that_changes_nothing_loads(saved: Path, tmp_path: Path) -> None:
    assert model.load(edited(saved, tmp_path))[1] == CARD


@pytest.mark.parametrize("entry", ["backbone", "temperature"])
def test_an_older_file_lacks_an_entry(saved: Path, tmp_path: Path, entry: str) -> None:
    assert model.load(edited(saved, tmp_path, **{entry: ...}))[1] == CARD


VIT = {
    "hidden_size": 8, "num_hidden_layers": 4, "num_attention_heads": 2, "patch_size": 14,
    "image_size": 28,
}  # fmt: skip


def test_a_card_builds_the_network_it_names() -> None:
    for name in networks.NAMES:
        config = VIT if name == networks.VIT else {}
        network = replace(CARD, network=name, backbone=config).build()
        assert network.dropout.rate == 0.3
        assert network.dropout.kind == "elementwise"
        assert network.classifier.out_channels == 3


@pytest.fixture
def little_space() -> Iterator[None]:
    """A disk that is full after a megabyte, made with the limit of a process on file sizes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("little_space")
def test_a_full_disk_is_named_and_keeps_what_was_there(
    trained: BayesianNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"the old model")
    with pytest.raises(CannotWrite, match=r"cannot write .*model\.safetensors"):
        model.save(path, trained, CARD)
    assert path.read_bytes() == b"the old model"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_folder_in_the_way_is_named(trained: BayesianNetwork, tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="cannot write") as caught:
        model.save(tmp_path, trained, CARD)
    assert caught.value.exit_code == 6
    assert list(tmp_path.iterdir()) == []
