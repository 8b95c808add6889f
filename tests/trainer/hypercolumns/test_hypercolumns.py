"""A head learns from what is kept of photographs: the same weights whether it was kept or not, one
look at an image however many clicks, and a file that no kill breaks.
"""

import copy
import errno
import io
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from listeners import Heard

from scorer.errors import BadImage, BadInput, BadLabels, BadModel, CannotWrite
from scorer.images.geometry import Geometry
from scorer.images.photograph import load
from scorer.labels import Click, Labels
from trainer import clicks, dataset, job, model, networks, weights
from trainer.dataset import Dataset
from trainer.evaluation import evaluate
from trainer.fit_options import FitOptions
from trainer.hypercolumns import album as album_module
from trainer.hypercolumns.album import Album
from trainer.hypercolumns.cache import Cache, Kept
from trainer.hypercolumns.maps import Maps, mean_and_deviation, see
from trainer.hypercolumns.pixels import gather
from trainer.hypercolumns.view import PLAIN, VIEWS, View
from trainer.network import BayesianNetwork, at_points
from trainer.networks.pixelhead import enlarged, factor, quarter
from trainer.recipe import HeadRecipe

pytestmark = pytest.mark.usefixtures("one_thread")

NAME = "pixelhead-efficientnet-lite0"
SIZE = (48, 64)
OPTIONS = FitOptions(network=NAME, recipe=HeadRecipe(steps=30, batch=32, seed=3), pixels=4)
GB = 10**9


@pytest.fixture(scope="module")
def network() -> BayesianNetwork:
    torch.manual_seed(0)
    built = networks.build(NAME, 3, rate=0.2, kind="channel")
    weights.load_network(built, "auto")
    return built.eval()


def toy(root: Path, *, images: int = 4, val: int = 2) -> Dataset:
    return dataset.read(trees.folders(root, images=images, val=val, size=SIZE) / "dataset.toml")


def cache(path: Path, most: int = GB) -> Cache:
    return Cache(path / "features.db", most_bytes=most)


def looks(album: Album, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one with every pass of the backbone."""
    seen: list[object] = []

    def counted(*given: object) -> Maps:
        seen.append(given)
        return see(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(album_module, "see", counted)
    return seen


# --- what a head computes ----------------------------------------------------------------------


HEADS = [n for n in networks.NAMES if n.startswith(networks.HEAD) and n != networks.VIT]


@pytest.mark.parametrize("name", HEADS)
def test_features_are_a_quarter_of_the_size_whatever_the_size(name: str) -> None:
    built = networks.build(name, 3, rate=0.2, kind="channel").eval()
    for size in ((64, 96), (50, 70)):
        with torch.inference_mode():
            features = built.features(torch.zeros(2, *size, 3, dtype=torch.uint8))
        assert features.shape == (2, 128, *quarter(size))


@torch.inference_mode()
def test_the_head_at_a_pixel_is_the_head_on_maps(network: BayesianNetwork) -> None:
    """Where the maps are constant there is nothing to interpolate: all three ways must agree."""
    trunk = copy.deepcopy(network.trunk)
    rng, channels = np.random.default_rng(0), sum(trunk.widths)
    trunk.standardise(rng.normal(size=channels), rng.uniform(0.5, 2, channels))
    trunk.bias += 0.3
    maps = [torch.randn(1, width, 1, 1) for width in trunk.widths]
    whole = [one.expand(-1, -1, 12 // 2**i, 16 // 2**i) for i, one in enumerate([*maps[:2]])]
    whole += [one.expand(-1, -1, 3, 4) for one in maps[2:]]
    at_pixel, on_maps = trunk.head(maps, (1, 1)), trunk.head(whole, (12, 16))
    vector = torch.cat([one.flatten(1) for one in maps], dim=1)
    torch.testing.assert_close(trunk.at_pixels(vector), at_pixel.flatten(1), rtol=1e-4, atol=1e-5)
    assert on_maps.shape == (1, 128, 12, 16)
    torch.testing.assert_close(on_maps, at_pixel.expand_as(on_maps), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_the_head_at_a_pixel_drops_in_training_alone(network: BayesianNetwork) -> None:
    trunk = copy.deepcopy(network.trunk)
    vectors = torch.randn(64, sum(trunk.widths))
    assert torch.equal(trunk.at_pixels(vectors), trunk.at_pixels(vectors))
    trunk.train()
    assert not torch.equal(trunk.at_pixels(vectors), trunk.at_pixels(vectors))


@pytest.mark.parametrize(
    ("there", "size", "expected"),
    [(45, 90, 2), (23, 90, 4), (12, 90, 8), (90, 90, 1), (26, 90, 90 / 26)],
)
def test_strides_of_two_round_up(there: int, size: int, expected: float) -> None:
    assert factor(there, size) == expected


def test_what_is_enlarged_stays_where_it_lies() -> None:
    """23 rows of stride 16 belong to 90 of stride 4, and reach beyond them."""
    rows = torch.arange(23.0)[None, None, :, None].expand(1, 1, 23, 2)
    found = enlarged(rows, (90, 8))[0, 0, :, 0]
    expected = ((torch.arange(90.0) + 0.5) / 4 - 0.5).clamp(0, 22)
    torch.testing.assert_close(found, expected)


def test_vectors_at_points_are_those_of_bilinear_maps(
    network: BayesianNetwork, tmp_path: Path
) -> None:
    path = toy(tmp_path).train.images.image("toy_00.png")
    maps = see(network, load(path, SIZE))
    points = torch.tensor([[0.0, 0.0], [10.25, 33.5], [47.0, 63.0]])
    vectors = torch.from_numpy(maps.at(points).astype(np.float32))
    expected = [at_points(stage, points[None], SIZE)[0] for stage in maps.tensors()]
    torch.testing.assert_close(vectors, torch.cat(expected, dim=1), rtol=2e-3, atol=2e-3)


def test_the_backbone_never_learns_and_never_leaves_evaluation(network: BayesianNetwork) -> None:
    network.train()
    assert not network.trunk.backbone.training
    assert network.trunk.between.training
    assert not any(p.requires_grad for p in network.trunk.backbone.parameters())
    network.eval()


def test_moments_are_those_of_all_pixels_of_the_content() -> None:
    rng = np.random.default_rng(0)
    geometry = Geometry((24, 64), SIZE)  # the lower half of the grid is padding
    stage = rng.normal(3, 2, (5, 12, 16)).astype(np.float16)
    mean, deviation = mean_and_deviation(Maps((stage,), geometry).sums())
    upper = stage[:, :6].astype(np.float64).reshape(5, -1)
    np.testing.assert_allclose(mean, upper.mean(axis=1))
    np.testing.assert_allclose(deviation, upper.std(axis=1))


def test_a_channel_that_never_changes_divides_by_one() -> None:
    _, deviation = mean_and_deviation(Maps((np.full((1, 2, 2), 7, np.float16),), PLAIN_).sums())
    assert deviation.tolist() == [1.0]


PLAIN_ = Geometry((8, 8), (8, 8))


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_moves_its_labels_with_its_pixels(view: View, tmp_path: Path) -> None:
    """A lone bright pixel of a large photograph lies where its point says."""
    for row, col in ((60, 20), (130, 301)):
        pixels = np.zeros((192, 320, 3), np.uint8)
        pixels[row - 8 : row + 9, col - 8 : col + 9] = 255
        path = trees.save(tmp_path / "bright.png", pixels)
        photograph = view.load(path, (96, 128))
        where = photograph.geometry
        points, _ = clicks.on_grid("bright.png", [Click(row, col, 0)], where)
        ((y, x),) = view.moved(points, where.content[1])
        light = photograph.pixels[..., 0].astype(float)
        rows, cols = np.indices(light.shape)
        centre = (rows * light).sum() / light.sum(), (cols * light).sum() / light.sum()
        assert centre == pytest.approx((y, x), abs=0.35)


# --- what is kept ------------------------------------------------------------------------------


def test_only_images_with_new_clicks_cost_a_pass(
    network: BayesianNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even those, as long as their maps are kept."""
    split = toy(tmp_path).train
    kept = cache(tmp_path)
    album = Album(network, SIZE, kept)
    seen = looks(album, monkeypatch)
    labels = Labels({f"toy_{i:02d}.png": [Click(3, i, 1), Click(9, 9, 2)] for i in range(4)})
    gather(album, split, labels)
    assert len(seen) == 4 * len(VIEWS)
    gather(album, split, labels)
    more = Labels({**labels.clicks, "toy_01.png": [*labels.of("toy_01.png"), Click(20, 20, 0)]})
    pixels = gather(Album(network, SIZE, kept), split, more)
    assert (pixels.images, pixels.labels) == (4, 9)
    assert len(seen) == 4 * len(VIEWS)

    none = Cache(tmp_path / "small.db", most_bytes=0)  # no room for maps at all
    album = Album(network, SIZE, none)
    gather(album, split, labels)
    del seen[:]
    gather(album, split, more)
    assert len(seen) == len(VIEWS), "only toy_01.png is looked at again"


def test_kept_or_not_the_vectors_are_the_same(network: BayesianNetwork, tmp_path: Path) -> None:
    split = toy(tmp_path).train
    labels, _ = clicks.draw(split, toy(tmp_path).classes, pixels=5, seed=0)
    first = gather(Album(network, SIZE, cache(tmp_path)), split, labels)
    again = gather(Album(network, SIZE, cache(tmp_path)), split, labels)
    without = gather(Album(network, SIZE), split, labels)
    for one in (again, without):
        assert np.array_equal(one.vectors, first.vectors)
        assert np.array_equal(one.mean, first.mean)
        assert np.array_equal(one.deviation, first.deviation)
    assert len(first.classes) == 20 * len(VIEWS)


def test_another_file_size_view_or_backbone_has_another_key(
    network: BayesianNetwork, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    other = networks.build(NAME, 3, rate=0.2, kind="channel").eval()
    album = Album(network, SIZE)
    keys = {
        album._key(b"a", PLAIN), album._key(b"b", PLAIN), album._key(b"a", VIEWS[1]),
        Album(network, (32, 32))._key(b"a", PLAIN), Album(other, SIZE)._key(b"a", PLAIN),
    }  # fmt: skip
    assert len(keys) == 5
    assert Album(network, SIZE)._key(b"a", PLAIN) in keys


def test_what_a_run_uses_gives_no_place_to_more(tmp_path: Path) -> None:
    maps = [Maps((np.full((1, 8, 8), i, np.float16),), PLAIN_) for i in range(4)]  # 128 bytes each
    kept = cache(tmp_path, most=300)
    for i in range(3):
        kept.keep_maps(bytes([i]), maps[i])
    assert [kept.maps(bytes([i])) is not None for i in range(3)] == [True, True, False]
    later = cache(tmp_path, most=300)
    assert later.maps(b"\1") is not None
    later.keep_maps(b"\3", maps[3])
    found = [later.maps(bytes([i])) for i in range(4)]
    assert [one is not None for one in found] == [False, True, False, True]
    assert np.array_equal(found[3].stages[0], maps[3].stages[0])
    assert found[3].geometry == PLAIN_


def test_vectors_are_found_by_their_points() -> None:
    points = np.array([[1, 2], [3, 4]], np.float32)
    kept = Kept(points, np.array([[1], [2]], np.float16), np.zeros((3, 1)))
    assert kept.at(points[::-1]).ravel().tolist() == [2, 1]
    assert kept.at(np.array([[9, 9]], np.float32)) is None
    more = Kept(points[1:] + 1, np.array([[7]], np.float16), kept.sums)
    assert kept.with_more(more).at(points[1:] + 1).ravel().tolist() == [7]
    assert len(kept.with_more(kept).points) == 2


def test_a_file_that_keeps_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "features.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE clicks (a)")
    with pytest.raises(BadInput, match=r"features\.db holds no features") as caught:
        cache(tmp_path)
    assert "remove the file" in caught.value.remedy
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(BadInput, match=r"features\.db cannot be used"):
        cache(tmp_path)


def test_a_full_disk_ends_the_keeping_and_not_the_training(tmp_path: Path) -> None:
    """With a limit on the pages of the database in the disk's place: the same error of SQLite."""
    kept = cache(tmp_path)
    kept._base.execute("PRAGMA max_page_count = 20")
    large = Maps((np.zeros((64, 64, 64), np.float16),), PLAIN_)
    kept.keep_maps(b"a", large)
    assert kept.full
    assert kept.maps(b"a") is None
    kept.keep_maps(b"b", large)
    kept.keep(
        b"c", Kept(np.zeros((1, 2), np.float32), np.zeros((1, 1), np.float16), np.zeros((3, 1)))
    )
    assert kept.kept(b"c") is None


def test_no_more_memory_with_more_images(network: BayesianNetwork, tmp_path: Path) -> None:
    """The vectors lie in a file, which the system reads as they are needed."""
    split = toy(tmp_path).train
    labels = Labels({"toy_00.png": [Click(1, 1, 0), Click(2, 2, 1)]})
    pixels = gather(Album(network, SIZE), split, labels)
    base = pixels.vectors
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


# --- from labels to a model --------------------------------------------------------------------


def test_a_head_learns_the_toy_classes(tmp_path: Path) -> None:
    found = toy(tmp_path / "data", images=8)
    options = replace(OPTIONS, recipe=HeadRecipe(steps=150, batch=32), pixels=16)
    evaluation = job.train(found, tmp_path / "m.safetensors", options, Heard())
    assert evaluation is not None
    assert evaluation.miou > 0.7
    built, card = model.load(tmp_path / "m.safetensors")
    assert card.network == NAME
    assert card.training["labels"] == 8 * 16
    again = evaluate(built, found.val, found.classes, card.size)
    assert again.iou == evaluation.iou, "what fit says, evaluate says"


def test_the_same_bytes_with_and_without_what_was_kept(tmp_path: Path) -> None:
    found = toy(tmp_path / "data")
    first, second, third = (tmp_path / f"{name}.safetensors" for name in "abc")
    job.train(found, first, OPTIONS, Heard())
    whole = first.read_bytes()
    assert job.features_path(first).is_file()
    job.train(found, first, OPTIONS, Heard())
    assert first.read_bytes() == whole
    job.train(found, second, replace(OPTIONS, kept=0.0), Heard())
    assert second.read_bytes() == whole
    assert not job.features_path(second).exists()
    job.train(found, third, replace(OPTIONS, recipe=replace(OPTIONS.recipe, seed=4)), Heard())
    assert third.read_bytes() != whole


@pytest.mark.slow
def test_killed_at_any_moment_the_same_command_ends_in_the_same_bytes(tmp_path: Path) -> None:
    found = toy(tmp_path / "data", images=12)
    del found
    command = [
        sys.executable, "-m", "trainer", "fit", "--data", str(tmp_path / "data/dataset.toml"),
        "--steps", "120",
    ]  # fmt: skip

    def run(out: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*command, "--out", str(tmp_path / out / "model.safetensors")],
            stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    assert run("whole").wait() == 0
    kept = tmp_path / "cut/model.features.db"
    for images in (1, 4, 9):
        process = run("cut")
        while not (kept.is_file() and counted(kept) >= images):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with sqlite3.connect(kept) as base:
            assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert run("cut").wait() == 0
    for name in ("model.safetensors", "model.labels.csv"):
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def counted(path: Path) -> int:
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as base:
            return base.execute("SELECT count(*) FROM vectors").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def test_one_bad_image_is_named_and_left_out(tmp_path: Path) -> None:
    found = toy(tmp_path / "data")
    broken = found.train.images.image("toy_01.png")
    broken.write_bytes(broken.read_bytes()[:200])
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "image,row,col,label\ntoy_00.png,1,1,ice\ntoy_01.png,1,1,fire\ntoy_02.png,3,3,ground\n"
    )
    job.train(found, tmp_path / "m.safetensors", replace(OPTIONS, labels=labels), heard := Heard())
    assert any("toy_01.png" in one for one in heard.warnings)
    labels.write_text("image,row,col,label\ntoy_01.png,1,1,fire\n")
    with pytest.raises(BadLabels, match="toy_01"):
        job.train(found, tmp_path / "m.safetensors", replace(OPTIONS, labels=labels), Heard())


def test_a_vanished_photograph_is_a_bad_image(network: BayesianNetwork, tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="vanished"):
        Album(network, SIZE).maps(tmp_path / "gone.png")


def test_whole_masks_teach_by_many_pixels(tmp_path: Path) -> None:
    found = toy(tmp_path / "data")
    options = replace(OPTIONS, dense=True)
    job.train(found, tmp_path / "m.safetensors", options, heard := Heard())
    assert any("8192 pixels of 4 masks, 2048 at random of each" in one for one in heard.messages)
    assert model.load(tmp_path / "m.safetensors")[1].training["labels"] == 4 * 2048


def test_finetuning_goes_on_from_the_head_with_its_backbone(tmp_path: Path) -> None:
    from trainer.recipe import finetuning

    found = toy(tmp_path / "data")
    head, tuned = tmp_path / "head.safetensors", tmp_path / "tuned.safetensors"
    job.train(found, head, OPTIONS, Heard())
    recipe = finetuning(2, {"precision": "32-true", "batch": 2})
    job.train(found, tuned, replace(OPTIONS, finetune=recipe), heard := Heard())
    before, after = (model.load(path)[0].state_dict() for path in (head, tuned))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("trunk.backbone.") for name in moved)
    assert any(name.startswith("trunk.inputs.") for name in moved)
    assert not any("running_" in name for name in moved), "BatchNorm stays in evaluation mode"
    assert [epoch for epoch, _ in heard.epochs] == [0, 1]
    assert any("before the network is tuned as a whole" in one for one in heard.messages)


# --- backbones of others -----------------------------------------------------------------------

FACTORY = """
import torch
from torch import nn

class Stages(nn.Module):
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 6, 3, 4, 1), nn.Conv2d(6, 10, 3, 2, 1)
    def forward(self, x):
        a = self.a(x).relu()
        return {"fine": a, "coarse": self.b(a).relu()}

def build():
    torch.manual_seed(0)
    return Stages()

def wrong():
    return nn.Sequential(nn.Flatten(), nn.Linear(3, 2))

def vectors():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


def test_a_backbone_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mystages.py").write_text(FACTORY)
    monkeypatch.chdir(tmp_path)
    found = toy(tmp_path / "data")
    name = "pixelhead-mystages:build"
    out = tmp_path / "m.safetensors"
    job.train(found, out, replace(OPTIONS, network=name), heard := Heard())
    assert any("as its factory makes it" in one for one in heard.messages)
    built, _ = model.load(out, name)
    assert built.trunk.widths == (6, 10)
    assert built.preprocessing.mean == (127.5,) * 3
    with pytest.raises(BadModel, match="needs code of yours"):
        model.load(out)
    for wrong in ("wrong", "vectors"):
        with pytest.raises(BadInput, match="Sequential"):
            networks.build(f"pixelhead-mystages:{wrong}", 3, rate=0.2, kind="channel")


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DINOv2 model as transformers keeps one: of random weights, and small."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=5, num_attention_heads=2, image_size=56
    )
    folder = tmp_path_factory.mktemp("vit")
    transformers.Dinov2Model(config).save_pretrained(folder)
    return folder / "model.safetensors"


def test_a_vision_transformer_with_weights_from_a_file(vit: Path, tmp_path: Path) -> None:
    found, out = toy(tmp_path / "data"), tmp_path / "m.safetensors"
    options = replace(OPTIONS, network=networks.VIT, weights=str(vit))
    evaluation = job.train(found, out, options, Heard())
    assert evaluation is not None
    built, card = model.load(out)
    assert card.backbone["hidden_size"] == 32
    assert built.trunk.widths == (32,) * 4
    assert evaluate(built, found.val, found.classes, card.size).iou == evaluation.iou


def test_weights_that_are_no_vision_transformer_are_refused(vit: Path, tmp_path: Path) -> None:
    found = toy(tmp_path / "data")
    options = replace(OPTIONS, network=networks.VIT)
    for given in ("auto", str(tmp_path / "none.safetensors")):
        with pytest.raises(BadModel, match=r"config\.json cannot be read|is no model"):
            job.train(found, tmp_path / "m", replace(options, weights=given), Heard())
    config = vit.with_name("config.json").read_text()
    (tmp_path / "config.json").write_text(config.replace('"hidden_size": 32', '"hidden_size": 64'))
    (tmp_path / "model.safetensors").write_bytes(vit.read_bytes())
    with pytest.raises(BadModel, match="cannot be read"):
        job.train(
            found, tmp_path / "m", replace(options, weights=str(tmp_path / "model.safetensors")),
            Heard(),
        )  # fmt: skip
    with pytest.raises(BadModel, match="shape of no DINOv2"):
        networks.build(networks.VIT, 3, rate=0.2, kind="channel", config={"hidden_size": 10**9})


def test_a_full_disk_for_what_is_learned_from_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = toy(tmp_path)

    class Full(io.BytesIO):
        def write(self, _: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    with pytest.raises(CannotWrite, match="No space left"):
        job.train(found, tmp_path / "m.safetensors", OPTIONS, Heard())
