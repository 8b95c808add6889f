"""A pool into masks: what evaluate measures, resumed after kills, one bad image is a row."""

import csv
import io
import shutil
import signal
import subprocess
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

import trainer
from export import plain
from export.graph import save
from export.plain import PlainOptions
from scorer.cli import main
from scorer.errors import BadGraph, BadInput, BadPool, Failure
from scorer.plain import CLASS_MAP, PROBABILITIES
from scorer.segmentation import segmenter, tiles
from scorer.segmentation.network import open_segmenter
from trainer import model

SIZE, IMAGES = (64, 96), 6
Array = np.ndarray  # type: ignore[type-arg]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs with masks, a model that has learned them a little, its plain network."""
    folder = tmp_path_factory.mktemp("segment")
    trees.folders(folder, images=IMAGES, val=0, size=(72, 100))
    trainer.fit(
        folder / "dataset.toml", out=folder / "model.safetensors", steps=60, pixels=20, keep=0.0,
        size=SIZE,
    )  # fmt: skip
    network, card = model.load(folder / "model.safetensors")
    for name, output in (("network.onnx", PROBABILITIES), ("classes.onnx", CLASS_MAP)):
        contract = plain.contract_for(network, card, PlainOptions(output=output))
        save(plain.bake(network, contract), folder / name)
    return folder


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(made / "images", tmp_path / "images")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def segment(made: Path, *more: str, code: int = 0) -> str:
    """Run the command; what it says. Raises what ends it."""
    with redirect_stderr(io.StringIO()) as said, pytest.raises(SystemExit) as ended:
        main(["segment", "--network", str(made / "network.onnx"), *more])
    if isinstance(ended.value.__context__, Failure):
        raise ended.value.__context__
    assert (ended.value.code or 0) == code, said.getvalue()
    return said.getvalue()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def masks(folder: Path) -> dict[str, Array]:
    return {path.name: np.asarray(Image.open(path)) for path in sorted(folder.rglob("*.png"))}


@pytest.mark.parametrize("runtime", ["cpu", "openvino"])
def test_the_masks_are_what_evaluate_measures(made: Path, home: Path, runtime: str) -> None:
    segment(made, "--runtime", runtime)
    _, card = model.load(made / "model.safetensors")
    measured = trainer.evaluate(made / "model.safetensors", made / "dataset.toml", split="train")
    found = trainer.evaluate_masks("segmented", made / "dataset.toml", split="train")
    np.testing.assert_allclose(found.iou, measured.iou, atol=2e-4)
    assert found.accuracy == pytest.approx(measured.accuracy, abs=2e-4)
    assert len(masks(home / "segmented")) == IMAGES
    with Image.open(home / "segmented" / "toy_00.png") as picture:
        assert (picture.mode, picture.size) == ("P", (100, 72))
        palette = picture.getpalette() or []
    assert tuple(palette[3:6]) == card.colours[1]


def test_the_same_command_keeps_what_holds_and_segments_the_rest(made: Path, home: Path) -> None:
    segment(made, "--shard", "2")
    before = masks(home / "segmented")
    (home / "segmented" / "toy_03.png").unlink()
    Image.fromarray(255 - np.asarray(Image.open(home / "images" / "toy_00.png"))).save(
        home / "images" / "toy_00.png"
    )
    times = {path.name: path.stat().st_mtime_ns for path in (home / "segmented").glob("*.png")}
    told = segment(made, "--shard", "2")
    assert "2 of the images were segmented by an earlier run" in told
    after = masks(home / "segmented")
    assert not np.array_equal(after["toy_00.png"], before["toy_00.png"])
    np.testing.assert_array_equal(after["toy_03.png"], before["toy_03.png"])
    for name in ("toy_04.png", "toy_05.png"):
        assert (home / "segmented" / name).stat().st_mtime_ns == times[name]
    assert "segmented by an earlier run" not in segment(made, "--shard", "2", "--no-resume")


def test_one_bad_image_is_a_row(made: Path, home: Path) -> None:
    (home / "images" / "bad.jpg").write_bytes(b"no image")
    told = segment(made, code=4)
    assert "1 images skipped: not an image" in told
    with (home / "segmented" / "masks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == IMAGES + 1
    assert rows[0] == {
        "image": "bad.jpg", "mask": "", "height": "", "width": "", "reason": "not an image",
        "detail": rows[0]["detail"],
    }  # fmt: skip
    assert (rows[1]["mask"], rows[1]["height"], rows[1]["width"]) == ("toy_00.png", "72", "100")


def test_pixels_that_are_not_sure_get_no_class(made: Path, home: Path) -> None:
    segment(made, "--confidence", "sure", "--out", "all", "--overlay", "pictures")
    segment(made, "--least-confidence", "0.6", "--out", "few")
    for name, whole in masks(home / "all").items():
        level = np.asarray(Image.open(home / "sure" / name)) / 255
        few = np.asarray(Image.open(home / "few" / name))
        assert 0 < (few == 255).mean() < 1
        assert (few[level > 0.61] == whole[level > 0.61]).all()
        assert (few[level < 0.59] == 255).all()
        with Image.open((home / "pictures" / name).with_suffix(".jpg")) as picture:
            assert picture.size == (100, 72)


def test_the_probabilities_and_the_uncertainty_are_those_of_the_confidence(
    made: Path, home: Path
) -> None:
    segment(made, "--soft", "soft", "--uncertainty", "unsure", "--confidence", "sure")
    for name, label in masks(home / "segmented").items():
        with np.load((home / "soft" / name).with_suffix(".npz")) as archive:
            soft, names = archive["probabilities"].astype(np.float64), list(archive["classes"])
        assert soft.shape == (len(names), *label.shape)
        np.testing.assert_allclose(soft.sum(0), 1, atol=3e-3)
        sure = np.asarray(Image.open(home / "sure" / name)) / 255
        np.testing.assert_allclose(soft.max(0), sure, atol=4e-3)
        with Image.open(home / "unsure" / name) as picture:
            assert picture.mode == "I;16"
            assert picture.text["unit"] == "nat"  # type: ignore[attr-defined]
            nats = np.asarray(picture) * float(picture.text["scale"])  # type: ignore[attr-defined]
        entropy = -(soft * np.log(np.maximum(soft, 1e-12))).sum(0)
        np.testing.assert_allclose(nats, entropy, atol=1e-2)


def test_probabilities_of_tiles_wait_in_a_file(
    made: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(home / "images" / "toy_00.png") as small:
        large = small.resize((480, 320), Image.Resampling.BICUBIC)
    for path in (home / "images").iterdir():
        path.unlink()
    large.save(home / "images" / "large.png")
    segment(made, "--soft", "memory")
    monkeypatch.setattr(segmenter, "_ON_DISK", 0)
    segment(made, "--soft", "disk", "--out", "again")
    one, other = ((home / name / "large.npz").read_bytes() for name in ("memory", "disk"))
    assert one == other


RAY = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:::ray.*")]


@pytest.mark.parametrize("executor", ["processes", pytest.param("ray", marks=RAY)])
def test_every_executor_writes_the_same_masks(made: Path, home: Path, executor: str) -> None:
    segment(made, "--out", "one")
    segment(made, "--out", "two", "--executor", executor, "--shard", "2")
    assert files(home / "one") == files(home / "two")


def test_tasks_of_a_queue_write_the_same_masks(made: Path, home: Path) -> None:
    segment(made, "--out", "one")
    task = ("--out", "two", "--shard", "2", "--task")
    assert f"{IMAGES} images listed in 3 parts" in segment(made, *task, "list")
    assert "task 1 of 2: 2 images segmented" in segment(made, *task, "1/2")
    assert len(masks(home / "two")) == 2
    assert "task 0 of 2: 4 images segmented" in segment(made, *task, "0/2")
    assert f"{IMAGES} of the images were segmented" in segment(made, *task[:-1])
    assert files(home / "one") == files(home / "two")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system kills otherwise")
def test_killed_again_and_again_it_ends_in_the_same_bytes(made: Path, home: Path) -> None:
    for number in range(30):
        shutil.copy(
            home / "images" / f"toy_0{number % IMAGES}.png", home / "images" / f"{number}.png"
        )
    segment(made, "--out", "undisturbed")
    command = [
        sys.executable, "-m", "scorer", "segment", "--network", str(made / "network.onnx"),
        "--shard", "3", "--threads", "1",
    ]  # fmt: skip
    for _ in range(3):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        found, end = len(list((home / "segmented").glob("*.png"))), time.monotonic() + 60
        while len(list((home / "segmented").glob("*.png"))) < found + 4:
            assert time.monotonic() < end
            if process.poll() is not None:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    segment(made, "--shard", "3")
    one, other = (
        {path.name: path.read_bytes() for path in (home / name).iterdir() if path.name[0] != "."}
        for name in ("undisturbed", "segmented")
    )
    assert one == other


def test_what_cannot_be_segmented_is_refused(made: Path, home: Path) -> None:
    with pytest.raises(BadGraph, match="class map"):
        open_segmenter("auto", made / "classes.onnx", workers=1)
    with pytest.raises(BadGraph, match="does not exist"):
        open_segmenter("auto", made / "nothing.onnx", workers=1)
    shutil.copy(home / "images" / "toy_00.png", home / "images" / "toy_00.jpg")
    with pytest.raises(BadInput, match=r"another image .* the same mask, toy_00\.png"):
        segment(made)
    for path in (home / "images").iterdir():
        path.unlink()
    (home / "images" / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(BadPool, match="none of the 1 images"):
        segment(made)


def test_a_large_photograph_is_seen_in_tiles_without_seams(made: Path, home: Path) -> None:
    """Between the pixels along the borders of tiles the class changes as often as elsewhere."""
    with Image.open(home / "images" / "toy_00.png") as small:
        large = small.resize((960, 640), Image.Resampling.BICUBIC)
    for path in (home / "images").iterdir():
        path.unlink()
    large.save(home / "images" / "large.png")
    segment(made, "--confidence", "sure")
    label = masks(home / "segmented")["large.png"]
    assert label.shape == (640, 960)
    for axis, tile in ((0, SIZE[0]), (1, SIZE[1])):
        changes = (np.diff(label.astype(int), axis=axis) != 0).mean(1 - axis)
        found = tiles.spans(label.shape[axis], tile)
        borders = sorted({one.start for one in found[1:]} | {one.stop for one in found[:-1]})
        along = np.zeros(len(changes), bool)
        along[[one - 1 for one in borders]] = True
        assert along.sum() > 10
        assert changes[along].mean() <= 1.5 * changes[~along].mean() + 0.002
    segment(made, "--no-tiles", "--out", "scaled")
    assert (masks(home / "scaled")["large.png"] != label).mean() > 0.05, "it was seen at its size"


def test_an_image_that_is_too_large_is_a_row(made: Path, home: Path) -> None:
    Image.new("RGB", (1001, 1000)).save(home / "images" / "large.png")
    assert "1 images skipped: too large" in segment(made, "--max-megapixels", "1", code=4)


def test_masks_that_people_have_made_are_not_written_over(made: Path, home: Path) -> None:
    shutil.copytree(made / "masks", home / "mine")
    before = {path.name: path.read_bytes() for path in (home / "mine").iterdir()}
    for option in ("--out", "--confidence", "--uncertainty", "--soft", "--overlay"):
        with pytest.raises(BadInput, match="mine is a folder with files in it"):
            segment(made, option, "mine")
    assert {path.name: path.read_bytes() for path in (home / "mine").iterdir()} == before
    segment(made)
    segment(made)  # its own folder is
    with pytest.raises(BadInput, match="mine is a folder with files in it"):
        segment(made, "--confidence", "mine")
    segment(made, "--confidence", "sure")
    segment(made, "--confidence", "sure")
    assert {path.name: path.read_bytes() for path in (home / "mine").iterdir()} == before


def test_a_scoring_graph_is_no_plain_network(made: Path, home: Path, tiny: object) -> None:
    graph = tiny()  # type: ignore[operator]
    with pytest.raises(BadGraph, match="no plain network"):
        open_segmenter("auto", graph, workers=1)


def test_masks_are_drafts_with_the_classes_of_their_network(made: Path, home: Path) -> None:
    segment(made)
    for command in (
        ("export", "--draft", "segmented", "--graph", str(made / "network.onnx"),
         "--min-area", "1", "--format", "coco", "--out", "d.json"),
        ("import", "d.json", "--dense", "--graph", str(made / "network.onnx"), "--format", "coco",
         "--out", "corrected", "--pool", "images"),
    ):  # fmt: skip
        with redirect_stderr(io.StringIO()) as said, pytest.raises(SystemExit) as ended:
            main(["labels", *command])
        assert not ended.value.code, said.getvalue()
    before, after = masks(home / "segmented"), masks(home / "corrected")
    assert len(after) == IMAGES
    assert all((after[name] == before[name]).all() for name in before)


def test_folders_that_are_one_or_lie_in_the_pool_are_refused(made: Path, home: Path) -> None:
    with pytest.raises(BadInput, match="two kinds of files"):
        segment(made, "--out", "m", "--confidence", "m")
    with pytest.raises(BadInput, match="two kinds of files"):
        segment(made, "--out", "m", "--overlay", "m/pictures")
    with pytest.raises(BadInput, match="lies inside the pool"):
        segment(made, "--out", "images/masks")


def test_an_image_that_turns_bad_loses_its_mask(made: Path, home: Path) -> None:
    segment(made, "--confidence", "sure")
    (home / "images" / "toy_02.png").write_bytes(b"no image")
    segment(made, "--confidence", "sure", code=4)
    assert "toy_02.png" not in masks(home / "segmented") | masks(home / "sure")


def test_a_project_that_was_moved_goes_on(
    made: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "old").mkdir()
    shutil.move(home / "images", home / "old" / "images")
    monkeypatch.chdir(home / "old")
    segment(made)
    monkeypatch.chdir(home)
    shutil.move(home / "old", home / "new")
    monkeypatch.chdir(home / "new")
    segment(made)
    (home / "new" / "segmented.parts" / "_folders.json").write_text("{")
    with pytest.raises(BadInput, match="has not written"):
        segment(made)


def test_one_task_does_not_begin_anew(made: Path, home: Path) -> None:
    with pytest.raises(BadInput, match="no effect on one task"):
        segment(made, "--task", "0/2", "--no-resume")
