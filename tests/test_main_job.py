"""The main job on real photographs: CamVid in the SegNet layout, from CAMVID_ROOT."""

import csv
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import oracle
import pytest

from scorer.contract import ACQUISITIONS, BALENT_FLOOR, FEATURES, RELATIVE_SD_FLOOR
from scorer.images.photograph import load
from scorer.runtimes import ON_CPU, examine
from scorer.runtimes.cpu import OnnxRuntime
from trainer.graph.dropout import masks
from trainer.model import load as load_model

ROOT = os.environ.get("CAMVID_ROOT", "")
pytestmark = [
    pytest.mark.camvid,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not ROOT, reason="CAMVID_ROOT is not set: no real photographs at hand"),
]
TRAINED_ON, EPOCHS = 24, 2


def run(*command: str, folder: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run one of the three programs as a user does, in `folder`."""
    arguments = [sys.executable, "-m", *command]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which init, fit and export have run, on a part of the training images."""
    folder = tmp_path_factory.mktemp("camvid")
    copy = folder / "camvid"
    for part, count in (("train", TRAINED_ON), ("val", 4)):
        for suffix in ("", "annot"):
            (copy / f"{part}{suffix}").mkdir(parents=True)
            for path in sorted((Path(ROOT) / f"{part}{suffix}").iterdir())[:: 300 // count][:count]:
                shutil.copy(path, copy / f"{part}{suffix}" / path.name)
    said = run("trainer", "init", "camvid", "--out", "dataset.toml", folder=folder).stderr
    assert f"train: {TRAINED_ON} images, 360x480" in said
    size = ("--size", "180x240")
    run("trainer", "fit", *size, "--epochs", str(EPOCHS), "--batch", "8", folder=folder)
    run("export", "onnx", "--mc", "20", folder=folder)
    return folder


def rank(work: Path, *options: str, pool: str | None = None) -> bytes:
    run(
        "scorer",
        "rank",
        "--pool",
        pool or str(Path(ROOT) / "val"),
        "--n",
        "5",
        *options,
        folder=work,
    )
    return (work / "ranking.csv").read_bytes()


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(data.decode().splitlines()))


def test_the_ranking_of_the_validation_photographs_is_whole_and_the_same_every_time(
    work: Path,
) -> None:
    first = rank(work)
    found = rows(first)
    assert len(found) == 505
    assert len({(row["image"], row["row"], row["col"]) for row in found}) == 505
    assert all(0 <= int(row["row"]) < 360 and 0 <= int(row["col"]) < 480 for row in found)
    assert rank(work, "--batch", "4") == first
    names = sorted(path.name for path in (Path(ROOT) / "val").iterdir())[:20]
    random.Random(0).shuffle(names)
    listing = work / "list.txt"
    listing.write_text("".join(f"{Path(ROOT) / 'val' / name}\n" for name in names))
    shuffled = rows(rank(work, pool=str(listing)))
    bare = [row | {"image": Path(row["image"]).name} for row in shuffled]
    assert bare == found[: len(bare)]
    assert len(bare) == 100


def test_labelled_pixels_are_never_asked_again(work: Path) -> None:
    pool = str(work / "camvid" / "train")
    labels = work / "model.labels.csv"
    found = rows(rank(work, "--labels", str(labels), pool=pool))
    known = {(row["image"], row["row"], row["col"]) for row in rows(labels.read_bytes())}
    assert len(known) == 5 * TRAINED_ON
    assert len(found) == 5 * TRAINED_ON
    assert not known & {(row["image"], row["row"], row["col"]) for row in found}


@pytest.mark.parametrize(
    ("runtime", "precision"),
    [("cpu", "float32"), ("openvino", "float32"), ("openvino", "bfloat16")],
)
def test_the_graph_is_verified_against_pytorch(runtime: str, precision: str, work: Path) -> None:
    if precision not in examine(runtime).precisions:
        pytest.skip("this processor has no bfloat16")
    pool = ("--pool", str(Path(ROOT) / "val"), "--images", "4")
    how = ("--runtime", runtime, "--precision", precision)
    done = run("export", "verify", *pool, *how, folder=work)
    assert "PASS" in done.stderr
    assert f"runtime {runtime} {precision}" in done.stderr


RASTERS = {
    "strips": (),
    "stride 2": ("--stride", "2"),
    "stride 4": ("--stride", "4"),
    "whole": ("--target", "gpu"),
    "whole, stride 2": ("--target", "gpu", "--stride", "2"),
}


@pytest.mark.slow
@pytest.mark.parametrize("raster", RASTERS)
@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_every_acquisition_layout_and_stride_is_verified_in_every_runtime(
    acquisition: str, raster: str, work: Path
) -> None:
    out = ("--out", "each.onnx")
    run("export", "onnx", "--acquisition", acquisition, *RASTERS[raster], *out, folder=work)
    verified = 0
    for runtime in ON_CPU:
        for precision in examine(runtime).precisions:
            pool = ("--pool", str(Path(ROOT) / "val"), "--images", "4", "--graph", "each.onnx")
            how = ("--runtime", runtime, "--precision", precision)
            assert "PASS" in run("export", "verify", *pool, *how, folder=work).stderr
            verified += 1
    assert verified >= len(ON_CPU)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["deeplabv3plus-mobilenetv2", "fpn-resnet50"])
def test_the_papers_networks_train_export_verify_and_rank(network: str, work: Path) -> None:
    name = ("--network", network, "--weights", "none")
    few = ("--size", "120x160", "--epochs", "1", "--batch", "4", "--out", "paper.safetensors")
    run("trainer", "fit", "--preset", "camvid", *name, *few, folder=work)
    run("export", "onnx", "--model", "paper.safetensors", "--out", "paper.onnx", folder=work)
    pool = ("--pool", str(Path(ROOT) / "val"), "--graph", "paper.onnx")
    for runtime in ON_CPU:
        words = ("--model", "paper.safetensors", "--images", "3", "--runtime", runtime)
        assert "PASS" in run("export", "verify", *pool, *words, folder=work).stderr
    run("scorer", "rank", *pool, "--n", "5", "--out", "paper.csv", folder=work)
    assert len(rows((work / "paper.csv").read_bytes())) == 505


@pytest.mark.slow
def test_a_simulation_on_camvid_that_is_killed_ends_with_the_same_table(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three rounds, two acquisitions, through export and scorer; killed in the middle of one."""
    # On a busy machine a network trains in fewer threads, whose sums round differently.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    words = (
        "trainer", "simulate", "--acquisitions", "balentacq,random", "--rounds", "3", "--mc", "5",
        "--size", "60x80", "--epochs", "3", "--batch", "8", "--out",
    )  # fmt: skip
    run(*words, "whole", folder=work)
    process = subprocess.Popen([sys.executable, "-m", *words, "cut"], cwd=work)
    partial = work / "cut/seed-0/balentacq/round-2/model.safetensors.partial"
    while not partial.exists():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    process.kill()
    process.wait()
    run(*words, "cut", folder=work)
    whole, cut = ((work / name / "results.csv").read_bytes() for name in ("whole", "cut"))
    assert len(rows(whole)) == 8
    assert cut == whole


def test_the_map_is_the_oracles_on_real_photographs(work: Path) -> None:
    graph = work / "scorer.onnx"
    contract = OnnxRuntime(graph, workers=1).contract
    network, _ = load_model(work / "model.safetensors")
    session = _with_features(graph)
    keep = masks(
        contract.passes, network.classifier.in_channels, contract.dropout, contract.mask_seed
    )
    assert contract.map == (contract.height // 4, contract.width // 4), "as coarse as the features"
    compared = 0
    for path in sorted((Path(ROOT) / "val").iterdir())[::50]:
        image = load(path, contract.grid).pixels[None]
        feeds = {"image": image, "exclude": np.zeros((1, *contract.map), np.uint8)}
        values, got = session.run([FEATURES, "map"], feeds)
        passes = oracle.probabilities(
            values[0].astype(np.float64),
            network.classifier.weight.detach().double().numpy(),
            network.classifier.bias.detach().double().numpy(),
            keep.double().numpy(),
            contract.dropout,
            *contract.map,
        )
        exact = oracle.balent(passes)
        floor = oracle.Floor(relative_sd=RELATIVE_SD_FLOOR, balent_min=BALENT_FLOOR)
        selectable = exact >= -8
        assert np.isfinite(got).all()
        assert selectable.mean() > 0.5
        assert np.abs(got[0] - exact)[selectable].max(initial=0) <= 1e-3
        floored = oracle.balent(passes, floor)
        assert np.abs(got[0] - floored)[~selectable].max(initial=0) <= 5e-3
        compared += 1
    assert compared == 3


def _with_features(path: Path) -> ort.InferenceSession:
    """The graph with one more output: what goes into the widened classifier."""
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name=FEATURES))
    return ort.InferenceSession(model.SerializeToString())
