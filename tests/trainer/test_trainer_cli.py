"""The trainer as people use it: three commands, their words, and the exit code of every error."""

import json
import math
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trees
from PIL import Image

from scorer.errors import INTERRUPTED
from scorer.instance_lock import instance_lock
from trainer import model
from trainer.cli import main
from trainer.evaluation import Evaluation

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = (32, 32)
FAST = ("--batch", "2", "--weights", "none", "--precision", "32-true")


def run(*args: object) -> int:
    """One command in this process; its exit code."""
    with pytest.raises(SystemExit) as caught:
        main([str(arg) for arg in args])
    code = caught.value.code
    assert code is None or isinstance(code, int)
    return code or 0


def fit(root: Path, out: Path, *args: object, epochs: int = 1) -> int:
    data = root / "dataset.toml"
    return run("fit", "--data", data, "--out", out, "--epochs", epochs, *FAST, *args)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy to read from; tests that change a tree make their own."""
    return trees.folders(tmp_path_factory.mktemp("toy"), images=4, val=2, size=SIZE)


@pytest.fixture(scope="module")
def undisturbed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of four epochs that nobody interrupted."""
    out = tmp_path_factory.mktemp("undisturbed") / "model.safetensors"
    assert fit(tree, out, epochs=4) == 0
    return out


# --- init -------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["folders", "camvid"])
def test_init_and_fit_and_evaluate_work_in_this_order_with_no_options(
    layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if layout == "camvid":
        trees.camvid(tmp_path, size=(48, 64))
    else:
        trees.folders(tmp_path, images=3, val=1, size=SIZE, toml=False)
    monkeypatch.chdir(tmp_path)
    assert run("init") == 0
    said = capsys.readouterr().err
    assert "x".join(map(str, (48, 64) if layout == "camvid" else SIZE)) in said
    assert "images have a mask; their pixels:" in said
    assert "next: trainer fit" in said
    assert run("fit", "--epochs", "1", *FAST) == 0
    said = capsys.readouterr().err
    assert "RANDOM" in said
    assert "epoch   1/1" in said
    assert "mIoU" in said
    assert "kept in model.labels.csv" in said
    assert "wrote model.safetensors; next:" in said
    assert "python -m export onnx" in said
    assert run("evaluate") == 0
    assert "mIoU" in capsys.readouterr().out


def test_an_existing_dataset_toml_is_replaced_only_by_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trees.folders(tmp_path, images=1, val=0, size=SIZE, toml=False)
    path = tmp_path / "dataset.toml"
    path.write_text("# mine")
    assert run("init", tmp_path) == 5
    said = capsys.readouterr().err
    assert f"{path} exists already" in said
    assert "--force" in said
    assert path.read_text() == "# mine"
    assert run("init", tmp_path, "--force") == 0
    assert "version = 1" in path.read_text()


def test_init_writes_elsewhere_and_creates_the_folder(tmp_path: Path) -> None:
    trees.folders(tmp_path / "data", images=1, val=0, size=SIZE, toml=False)
    out = tmp_path / "new" / "folder" / "dataset.toml"
    assert run("init", tmp_path / "data", "--out", out) == 0
    assert out.is_file()
    assert not (tmp_path / "data" / "dataset.toml").exists()


# --- evaluate ---------------------------------------------------------------------------------


def test_evaluate_prints_every_class_and_the_mean(
    tree: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("evaluate", "--data", tree / "dataset.toml", "--model", undisturbed) == 0
    rows = [line.rsplit(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in rows] == [*trees.NAMES, "mIoU", "pixel accuracy", "ECE"]
    values = [float(value) for _, value in rows if value != "absent"]
    assert all(0 <= value <= 1 for value in values)


@pytest.mark.parametrize(("split", "images"), [("val", 2), ("train", 4)])
def test_evaluate_prints_json_on_stdout_alone(
    tree: Path,
    undisturbed: Path,
    capsys: pytest.CaptureFixture[str],
    split: str,
    images: int,
) -> None:
    data = tree / "dataset.toml"
    args = ("--model", undisturbed, "--split", split, "--json")
    assert run("evaluate", "--data", data, *args) == 0
    table = json.loads(capsys.readouterr().out)
    assert table.keys() == {"miou", "iou", "accuracy", "ece", "images"}
    assert tuple(table["iou"]) == trees.NAMES
    known = [value for value in table["iou"].values() if value is not None]
    assert table["miou"] == pytest.approx(np.mean(known))
    assert table["images"] == images
    if split == "val":
        assert table["miou"] == model.load(undisturbed)[1].training["miou"]


def test_evaluate_draws_how_reliable_the_model_is(
    tree: Path, undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "new" / "plot.png"
    data = ("--data", tree / "dataset.toml")
    assert run("evaluate", *data, "--model", undisturbed, "--reliability", plot) == 0
    assert f"wrote {plot}" in capsys.readouterr().err
    with Image.open(plot) as image:
        assert image.format == "PNG"


def test_an_absent_class_is_null_in_json_and_absent_in_the_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from trainer.cli import _print

    evaluation = Evaluation((0.5, math.nan, 0.25), 0.75, 9)
    _print(evaluation, trees.NAMES, True)
    table = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert table == {
        "miou": 0.375,
        "iou": {"ground": 0.5, "fire": None, "ice": 0.25},
        "accuracy": 0.75,
        "images": 9,
    }
    _print(evaluation, trees.NAMES, False)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1] == ["fire", "absent"]
    assert rows[3] == ["mIoU", "0.3750"]


def test_evaluate_names_what_it_skips(
    undisturbed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = trees.folders(tmp_path, images=1, val=3, size=SIZE)
    (root / "val" / "images" / "toy_01.png").write_bytes(b"")
    run("evaluate", "--data", root / "dataset.toml", "--model", undisturbed)
    captured = capsys.readouterr()
    assert "skipped toy_01.png: empty file" in captured.err
    assert "mIoU" in captured.out


# --- errors -----------------------------------------------------------------------------------

Damage = Callable[[Path], None]


def nothing(root: Path) -> None:
    pass


def edit(old: str, new: str) -> Damage:
    def change(root: Path) -> None:
        path = root / "dataset.toml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


def remove(*names: str) -> Damage:
    def change(root: Path) -> None:
        for name in names:
            for path in root.glob(name):
                path.unlink()

    return change


def write(name: str, content: str | bytes) -> Damage:
    def change(root: Path) -> None:
        path = root / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return change


def colour_masks(root: Path) -> None:
    trees.save(root / "masks" / "toy_00.png", np.full((*SIZE, 3), 77, np.uint8))


def without_masks(root: Path) -> None:
    edit('masks = "masks"', "")(root)


def scribbled(folder: str) -> Damage:
    def change(root: Path) -> None:
        for path in (root / folder).iterdir():
            path.write_bytes(b"x")

    return change


LABELS = "image,row,col,label\n"

INIT_ERRORS = [
    # what is wrong with the folder; arguments; exit code; what is said
    (nothing, (), 5, "exists already"),
    (nothing, ("ROOT/nowhere",), 5, "nowhere is not a folder"),
    (nothing, ("ROOT/val/masks",), 5, "no folder of images"),
    (remove("images/*"), ("--force",), 5, "holds no images"),
    (scribbled("images"), ("--force",), 5, "can be read"),
    (scribbled("masks"), ("--force",), 5, "masks"),
    (colour_masks, ("--force",), 5, "some are colours and some are grey"),
    (write("classes.txt", b"\xff"), ("--force",), 5, "classes.txt"),
    (nothing, ("--out", "ROOT/dataset.toml/x"), 6, "cannot write"),
    (nothing, ("--size", "3x3"), 2, "No such option"),
]


def in_place(args: tuple[str, ...], root: Path) -> list[str]:
    return [arg.replace("ROOT", str(root)) for arg in args]


def check_error(err: str, code: int, expected: int, said: str) -> None:
    assert code == expected
    assert "Traceback" not in err
    assert said in err
    if expected != 2:  # wrong usage is click's to explain
        lines = err.rstrip().splitlines()
        place = next(i for i, line in enumerate(lines) if line.startswith("error: "))
        assert lines[place + 1 :], "no remedy"
        assert lines[place + 1].startswith("  ")


@pytest.mark.parametrize(("damage", "args", "expected", "said"), INIT_ERRORS)
def test_every_error_of_init_says_what_to_do(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Damage,
    args: tuple[str, ...],
    expected: int,
    said: str,
) -> None:
    root = trees.folders(tmp_path, images=2, val=1, size=SIZE)
    damage(root)
    args = args if args and not args[0].startswith("-") else (str(root), *args)
    code = run("init", *in_place(args, root))
    check_error(capsys.readouterr().err, code, expected, said)


FIT_ERRORS = [
    (remove("dataset.toml"), (), 5, "dataset.toml does not exist"),
    (write("dataset.toml", "version ="), (), 5, "dataset.toml cannot be read"),
    (edit("version = 1", "version = 9"), (), 5, "version is 9"),
    (edit('"ice"]', '"ice", "gold"]'), (), 5, "expected 4 different ones"),
    (edit('names = ["ground", "fire", "ice"]', "names = 5"), (), 5, "names"),
    (remove("images/*"), (), 5, "holds no images"),
    (scribbled("images"), (), 5, "toy_00.png: not an image"),
    (scribbled("masks"), (), 5, "toy_00.png: mask unreadable"),
    (remove("masks/*"), (), 5, "toy_00.png: mask missing"),
    (colour_masks, (), 5, "toy_00.png holds the colour #4d4d4d"),
    (without_masks, (), 5, "neither masks nor labels"),
    (nothing, ("--labels", "ROOT/no.csv"), 5, "no.csv does not exist"),
    (nothing, ("--labels", "ROOT/images/toy_00.png"), 5, "from .csv and"),
    (write("l.csv", "a,b\n"), ("--labels", "ROOT/l.csv"), 5, "no column named"),
    (write("l.csv", b"\xff\xfa"), ("--labels", "ROOT/l.csv"), 5, "l.csv cannot be read"),
    (write("l.csv", LABELS), ("--labels", "ROOT/l.csv"), 5, "holds no label to learn from"),
    (
        write("l.csv", LABELS + "toy_00.png,1,1,water\n"),
        ("--labels", "ROOT/l.csv"),
        5,
        "l.csv line 2: unknown label 'water'",
    ),
    (
        write("l.csv", LABELS + "toy_99.png,1,1,ice\n"),
        ("--labels", "ROOT/l.csv"),
        5,
        "such as 'toy_99.png'",
    ),
    (
        write("l.csv", LABELS + "toy_00.png,1,32,ice\n"),
        ("--labels", "ROOT/l.csv"),
        5,
        "row 1, col 32 of toy_00.png, which is 32x32",
    ),
    (
        write("l.csv", LABELS + "toy_00.png,x,1,ice\n"),
        ("--labels", "ROOT/l.csv"),
        5,
        "line 2: row is 'x'",
    ),
    (nothing, ("--weights", "ROOT/no.pth"), 5, "no.pth does not exist"),
    (write("w.pth", b"x"), ("--weights", "ROOT/w.pth"), 5, "w.pth cannot be read as weights"),
    (nothing, ("--network", "unet"), 2, "'unet': choose auto, pixelhead-"),
    (nothing, ("--size", "32"), 2, "HEIGHTxWIDTH"),
    (nothing, ("--size", "16x16"), 2, "between 32 and 8192"),
    (nothing, ("--epochs", "0"), 2, "--epochs"),
    (nothing, ("--batch", "1"), 2, "--batch"),
    (nothing, ("--pixels", "0"), 2, "--pixels"),
    (nothing, ("--dropout", "1"), 2, "--dropout"),
    (nothing, ("--lr", "0"), 2, "--lr"),
    (nothing, ("--seed", "-1"), 2, "--seed"),
    (nothing, ("--precision", "64"), 2, "--precision"),
    (nothing, ("--dropout", "nan"), 2, "--dropout"),
    (nothing, ("--lr", "nan"), 2, "--lr"),
    (nothing, ("--seed", str(10**14)), 2, "--seed"),
    (nothing, ("--out", "."), 6, "cannot write"),
    (nothing, ("--out", "ROOT/dataset.toml/model.safetensors"), 6, "cannot write"),
    (nothing, ("--out", "ROOT/images"), 6, "cannot write"),
]


@pytest.mark.parametrize(("damage", "args", "expected", "said"), FIT_ERRORS)
def test_every_error_of_fit_says_what_to_do(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Damage,
    args: tuple[str, ...],
    expected: int,
    said: str,
) -> None:
    root = trees.folders(tmp_path / "data", images=2, val=0, size=SIZE)
    damage(root)
    code = fit(root, tmp_path / "model.safetensors", *in_place(args, root))
    check_error(capsys.readouterr().err, code, expected, said)
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("out", ["images", "dataset.toml/model.safetensors"])
def test_a_place_that_cannot_be_written_is_found_out_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    root = trees.folders(tmp_path, images=2, val=0, size=SIZE)
    assert fit(root, root / out) == 6
    assert "epoch " not in capsys.readouterr().err


EVALUATE_ERRORS = [
    (remove("dataset.toml"), (), 5, "dataset.toml does not exist"),
    (nothing, ("--model", "ROOT/no.safetensors"), 5, "no.safetensors does not exist"),
    (write("m", b"x"), ("--model", "ROOT/m"), 5, "no whole safetensors file"),
    (edit(trees.VAL, ""), (), 5, "has no [val]"),
    (edit('"ice"', '"snow"'), (), 5, "has other classes than"),
    (edit('masks = "masks"', ""), ("--split", "train"), 5, "no masks to compare with"),
    (scribbled("val/images"), (), 5, "could be evaluated: toy_00.png"),
    (nothing, ("--split", "test"), 2, "'test' is not one of"),
    (nothing, ("--json", "now"), 2, "unexpected extra argument"),
    (nothing, ("--masks", "ROOT/masks", "--reliability", "a.png"), 2, "masks do not say how sure"),
    (nothing, ("--reliability", "ROOT/dataset.toml/a.png"), 6, "cannot write"),
]


@pytest.mark.parametrize(("damage", "args", "expected", "said"), EVALUATE_ERRORS)
def test_every_error_of_evaluate_says_what_to_do(
    tmp_path: Path,
    undisturbed: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Damage,
    args: tuple[str, ...],
    expected: int,
    said: str,
) -> None:
    root = trees.folders(tmp_path, images=2, val=1, size=SIZE)
    damage(root)
    data = ("--data", str(root / "dataset.toml"), "--model", str(undisturbed))
    code = run("evaluate", *data, *in_place(args, root))
    check_error(capsys.readouterr().err, code, expected, said)


def test_verbose_shows_the_traceback_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("fit", "--data", tmp_path / "no.toml", "--verbose") == 5
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "no.toml does not exist" in said


@pytest.mark.parametrize("package", ["torch", "lightning_fabric", "safetensors", "torchmetrics"])
@pytest.mark.parametrize("command", ["fit", "evaluate"])
def test_a_missing_package_is_named_with_the_pip_command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    package: str,
    command: str,
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert run(command) == 3
    said = capsys.readouterr().err
    assert f"training needs {package}" in said
    assert "pip install 'balentacq[train]'" in said


@pytest.mark.parametrize("command", [(), ("init",), ("fit",), ("evaluate",), ("calibrate",)])
def test_help_shows_an_example_of_every_command(
    capsys: pytest.CaptureFixture[str], command: tuple[str, ...]
) -> None:
    assert run(*command, "--help") == 0
    said = capsys.readouterr().out
    assert "Usage:" in said
    assert not command or f"trainer {command[0]}" in said.split("Examples:")[1]


# --- interruptions ----------------------------------------------------------------------------


def started(root: Path, out: Path, epochs: int) -> "subprocess.Popen[str]":
    """`trainer fit` as a process of its own, warnings as errors, after its first epoch."""
    command = [sys.executable, "-W", "error", "-m", "trainer", "fit", *FAST]
    command += ["--data", str(root / "dataset.toml"), "--out", str(out), "--epochs", str(epochs)]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    assert process.stderr is not None
    before = []
    for line in process.stderr:
        before.append(line)
        if line.startswith("epoch   1/"):
            return process
    raise AssertionError("".join(before))


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGKILL, -signal.SIGKILL, marks=pytest.mark.slow),
        (signal.SIGINT, INTERRUPTED),
    ],
)
def test_an_interrupted_fit_goes_on_to_the_same_bytes(
    tree: Path,
    undisturbed: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    number: int,
    code: int,
) -> None:
    out = tmp_path / "model.safetensors"
    with started(tree, out, epochs=4) as process:
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert ("interrupted" in err) is (number == signal.SIGINT)
    assert not out.exists(), "it was over before it was interrupted"
    assert out.with_name("model.safetensors.partial").is_file()
    capfd.readouterr()
    assert fit(tree, out, epochs=4) == 0
    assert "continuing an interrupted run" in capfd.readouterr().err
    assert out.read_bytes() == undisturbed.read_bytes()
    assert not out.with_name("model.safetensors.partial").exists()


def test_a_second_fit_with_one_out_is_refused(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.safetensors"
    with instance_lock(out, "trainer fit", "wait"):
        assert fit(tree, out) == 5
    assert "is in use by another trainer fit" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.slow
def test_two_devices_learn_what_one_does(tmp_path: Path) -> None:
    """Two processes of a CPU in the place of two GPUs: the same steps on the same images, with
    other statistics in BatchNorm.
    """
    root = trees.folders(tmp_path / "data", images=4, val=1, size=(32, 32))
    losses = {}
    for devices in (1, 2):
        out = tmp_path / f"{devices}.safetensors"
        words = (
            "fit", "--data", root / "dataset.toml", "--out", out, "--epochs", 2, "--batch", 4,
            "--devices", devices, "--weights", "none", "--precision", "32-true",
        )  # fmt: skip
        process = subprocess.run(
            [sys.executable, "-m", "trainer", *map(str, words)], capture_output=True, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False,
        )  # fmt: skip
        assert process.returncode == 0, process.stderr
        assert out.is_file()
        assert not list(tmp_path.glob("*.partial"))
        found = re.findall(r"epoch   (\d)/2  loss ([\d.]+)", process.stderr)
        assert [number for number, _ in found] == ["1", "2"]
        losses[devices] = [float(loss) for _, loss in found]
    assert losses[2] == pytest.approx(losses[1], rel=0.5)
