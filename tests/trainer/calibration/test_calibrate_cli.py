"""trainer calibrate as people use it: what it writes, what it leaves alone, and every error."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import trees
from answers import answer
from listeners import Heard
from PIL import Image

from scorer.labels.store import Store
from trainer import dataset, job, model
from trainer.calibration.temperature import bake
from trainer.cli import main
from trainer.fit_options import FitOptions
from trainer.recipe import HeadRecipe

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = (32, 32)
SURE = 0.15  # the temperature of a model that is far too sure of itself


def run(*args: object) -> int:
    """One command in this process; its exit code."""
    with pytest.raises(SystemExit) as caught:
        main([str(arg) for arg in args])
    code = caught.value.code
    assert code is None or isinstance(code, int)
    return code or 0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A toy with enough photographs to judge on, and fitted.safetensors."""
    folder = trees.folders(tmp_path_factory.mktemp("toy"), images=22, val=22, size=SIZE)
    options = FitOptions(recipe=HeadRecipe(steps=30, batch=32), kept=0.0)
    found = dataset.read(folder / "dataset.toml")
    job.train(replace(found, val=None), folder / "fitted.safetensors", options, Heard())
    return folder


@pytest.fixture
def sure(root: Path, tmp_path: Path) -> Path:
    """The model at a temperature at which it is too sure, on its own in a folder."""
    network, card = model.load(root / "fitted.safetensors")
    path = tmp_path / "model.safetensors"
    model.save(path, network, replace(bake(network, card, SURE), temperature=1.0))
    return path


def calibrate(root: Path, path: Path, *args: object) -> int:
    return run("calibrate", "--data", root / "dataset.toml", "--model", path, *args)


def miou(root: Path, path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    capsys.readouterr()
    assert run("evaluate", "--data", root / "dataset.toml", "--model", path, "--json") == 0
    found: dict[str, float] = json.loads(capsys.readouterr().out)
    return found


def test_it_writes_the_model_where_that_helps_and_only_once(
    root: Path, sure: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = miou(root, sure, capsys)
    plot = tmp_path / "plots" / "reliability.png"
    assert calibrate(root, sure, "--json", "--reliability", plot) == 0
    said = capsys.readouterr()
    table = json.loads(said.out)
    assert f"wrote {sure} with temperature" in said.err
    assert "next: python -m export onnx --mc 20" in said.err
    assert table["written"]
    assert (table["images"], table["pixels"]) == (22, 22 * 250)
    assert table["after"]["nll"] < table["before"]["nll"]
    card = model.load(sure)[1]
    assert card.temperature == table["temperature"] == table["fitted"] > 1.2
    after = miou(root, sure, capsys)
    assert {**after, "ece": 0} == {**before, "ece": 0}
    assert after["ece"] < before["ece"]
    with Image.open(plot) as image:
        assert image.format == "PNG"
    # It is calibrated now.
    whole = sure.read_bytes()
    assert calibrate(root, sure) == 0
    said = capsys.readouterr()
    assert "nothing is written: temperature " in said.err
    assert [line.split()[0] for line in said.out.splitlines()] == ["5500", "before", "ECE", "NLL"]
    assert sure.read_bytes() == whole


def test_one_takes_it_back(
    root: Path, sure: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "calibrated.safetensors"
    whole = sure.read_bytes()
    assert calibrate(root, sure, "--out", other) == 0
    assert f"--model {other}" in capsys.readouterr().err
    assert sure.read_bytes() == whole
    fitted = model.load(other)[1].temperature
    assert run("calibrate", "--model", other, "--temperature", "1") == 0
    assert f"temperature 1, before {fitted:.4g}" in capsys.readouterr().err
    (ours, card), (theirs, _) = model.load(other), model.load(sure)
    assert card.temperature == 1
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-6, atol=0)


def test_audit_answers_calibrate(
    root: Path, sure: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "labels.db", trees.NAMES)
    for index in range(22):
        name = f"toy_{index:02d}.png"
        mask = trees.regions((0, index), SIZE, 3)
        for row in range(0, 32, 3):
            label = trees.NAMES[mask[row, 2]]
            store.add(answer(row, image=name, class_name=label, source="audit",
                             request=f"{name} {row}"))  # fmt: skip
    store.close()
    assert calibrate(root, sure, "--labels", tmp_path / "labels.db", "--json") == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["images"], table["pixels"]) == (22, 22 * 11)


def test_a_model_that_is_right_everywhere_is_left_alone(
    root: Path, sure: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "labels.db", trees.NAMES)
    network, card = model.load(sure)
    for index in range(22):
        name = f"toy_{index:02d}.png"
        pixels = trees.paint(trees.regions((0, index), SIZE, 3), trees.PAINTS, (0, index))
        with torch.inference_mode():
            place = network(torch.from_numpy(pixels)[None])[0, :, 4, 4].argmax()
        store.add(answer(18, image=name, col=18, class_name=trees.NAMES[int(place)],
                         source="audit", request=name))  # fmt: skip
    store.close()
    whole = sure.read_bytes()
    assert calibrate(root, sure, "--labels", tmp_path / "labels.db") == 0
    assert "nothing is written: no temperature is best" in capsys.readouterr().err
    assert sure.read_bytes() == whole
    assert card.temperature == 1


def learned(path: Path, **training: bool) -> None:
    network, card = model.load(path)
    model.save(path, network, replace(card, training=training))


ERRORS = [
    (("--labels", "HERE/labels.csv"), 5, "does not say which of its pixels"),
    (("--labels", "HERE/labels.db"), 5, "labels.db"),
    (("--labels", "HERE/empty.db"), 5, "has no answer to an audit question"),
    (("--labels", "HERE/few.db"), 5, "pixels of 1 photographs, expected 20 or more"),
    (("--data", "HERE/no.toml"), 5, "no.toml does not exist"),
    (("--model", "HERE/no.safetensors"), 5, "no.safetensors does not exist"),
    (("--out", "HERE/empty.db/model"), 6, "cannot write"),
    (("--temperature", "0"), 2, "temperature"),
    (("--temperature", "nan"), 2, "nan is not a number"),
    (("--temperature", "2", "--json"), 2, "--temperature fits and measures nothing"),
]


@pytest.mark.parametrize(("args", "expected", "said"), ERRORS)
def test_every_error_says_what_to_do(
    root: Path, sure: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    args: tuple[str, ...], expected: int, said: str,
) -> None:  # fmt: skip
    for name, count in (("empty", 0), ("few", 1)):
        store = Store(tmp_path / f"{name}.db", trees.NAMES)
        for number in range(count):
            store.add(answer(number, image="toy_00.png", class_name="ice", source="audit"))
        store.close()
    whole = sure.read_bytes()
    assert calibrate(root, sure, *(arg.replace("HERE", str(tmp_path)) for arg in args)) == expected
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert said in err
    if expected != 2:
        lines = err.rstrip().splitlines()
        place = next(i for i, line in enumerate(lines) if line.startswith("error: "))
        assert lines[place + 1].startswith("  "), "no remedy"
    assert sure.read_bytes() == whole


def test_fit_says_in_the_model_whether_it_learned_from_what_measures(root: Path) -> None:
    training = model.load(root / "fitted.safetensors")[1].training
    assert (training["audits"], training["dense"]) == (False, False)


@pytest.mark.parametrize("package", ["torch", "matplotlib"])
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert run("calibrate", "--reliability", "plot.png") == 3
    assert f"need{'s' * (package == 'torch')} {package}" in capsys.readouterr().err
