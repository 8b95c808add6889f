"""Active learning with ground truth as annotator: the same table however often it is cut."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trees
from listeners import Silent
from PIL import Image

from export.regret import regret
from scorer import labels as label_files
from scorer.contract import TRAITS
from scorer.errors import BadDataset, BadInput
from scorer.images.geometry import Geometry
from scorer.images.photograph import load
from scorer.selection.exclusion import Exclusion
from scorer.selection.noise import uniform
from trainer import dataset, job, model
from trainer.dataset import Dataset
from trainer.fit_options import FitOptions
from trainer.pytorch import PyTorch
from trainer.recipe import Recipe
from trainer.simulation import campaign, commands, look, plots
from trainer.simulation.plan import Plan
from trainer.simulation.result import Result, folder_of

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = Recipe(epochs=1, batch=2, precision="32-true")
PLAN = Plan(
    acquisitions=("balentacq", "entropy"),
    rounds=2,
    n=2,
    passes=3,
    scorer="torch",
    training=FitOptions(network="deeplabv3plus-efficientnet-lite0", weights="none", recipe=RECIPE),
)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four photographs to learn from, one corner of which nobody knows, and two to measure on."""
    folder = tmp_path_factory.mktemp("toy")
    trees.folders(folder, images=4, val=2, size=(32, 32))
    for path in sorted((folder / "masks").iterdir()):
        mask = np.asarray(Image.open(path)).copy()
        mask[:8, :8] = 255
        trees.save(path, mask)
    return dataset.read(folder / "dataset.toml")


@pytest.fixture(scope="module")
def done(toy: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Result]]:
    """A campaign from start to end."""
    out = tmp_path_factory.mktemp("campaign")
    return out, campaign.simulate(toy, out, PLAN, Silent())


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_there_is_a_row_for_every_round(done: tuple[Path, list[Result]]) -> None:
    out, results = done
    found = [(row["acquisition"], int(row["round"]), int(row["labels"])) for row in rows(out)]
    assert found == [
        (name, number, 8 * (number + 1)) for name in PLAN.acquisitions for number in range(3)
    ]
    known = 4 * (32 * 32 - 64)
    assert [float(row["share"]) for row in rows(out)] == pytest.approx(
        [8 * (number + 1) / known for _ in range(2) for number in range(3)], rel=1e-4
    )
    assert all(0 <= one.miou <= 1 and 1 <= one.unique <= 2 for one in results)
    asked = [one for one in results if one.round]
    assert all(one.epistemic >= 0 and one.aleatoric > 0 and one.posterior < 0 for one in asked)
    assert all(0 <= one.nonnegative <= 1 and one.distance > 0 for one in asked)


def test_every_round_adds_to_the_labels_of_the_last_and_asks_for_nothing_unknown(
    toy: Dataset, done: tuple[Path, list[Result]]
) -> None:
    out, _ = done
    for acquisition in PLAN.acquisitions:
        before: set[tuple[str, int, int]] = set()
        for number in range(3):
            path = folder_of(out, 0, acquisition, number) / "labels.csv"
            labels = label_files.read(path, toy.classes.names)
            places = {
                (name, click.row, click.col)
                for name, clicks in labels.clicks.items()
                for click in clicks
            }
            assert len(places) == len(labels) == 8 * (number + 1)
            assert before < places
            assert all(row >= 8 or col >= 8 for _, row, col in places)
            for name, clicks in labels.clicks.items():
                mask = np.asarray(Image.open(toy.train.mask(name)))  # type: ignore[arg-type]
                assert all(mask[click.row, click.col] == click.label for click in clicks)
            before = places


def test_what_is_there_is_kept_and_more_rounds_are_added(
    toy: Dataset, done: tuple[Path, list[Result]], tmp_path: Path
) -> None:
    out, results = done
    once, heard = tmp_path / "again", Silent()
    campaign.simulate(toy, once, replace(PLAN, rounds=1, acquisitions=("balentacq",)), heard)
    assert len(heard.ended) == 2
    again = campaign.simulate(toy, once, PLAN, heard)
    assert len(heard.ended) == 5
    assert (once / "results.csv").read_bytes() == (out / "results.csv").read_bytes()
    assert [one.miou for one in again] == [one.miou for one in results]


def test_another_campaign_in_the_same_folder_is_refused(
    toy: Dataset, done: tuple[Path, list[Result]]
) -> None:
    with pytest.raises(BadInput, match="another n, passes"):
        campaign.simulate(toy, done[0], replace(PLAN, n=3, passes=5), Silent())


def test_a_simulation_needs_masks(toy: Dataset, tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match="needs masks"):
        campaign.simulate(replace(toy, val=None), tmp_path, PLAN, Silent())


@pytest.mark.parametrize(
    ("change", "rounds"),
    [({"most_labels": 16}, 1), ({"target": 0.0}, 0), ({"patience": 1}, None)],
)
def test_it_stops_early(
    change: dict[str, object],
    rounds: int | None,
    toy: Dataset,
    done: tuple[Path, list[Result]],
    tmp_path: Path,
) -> None:
    plan = replace(PLAN, acquisitions=("balentacq",), **change)  # type: ignore[arg-type]
    found = campaign.simulate(toy, tmp_path / "out", plan, Silent())
    mious = [one.miou for one in done[1][:3]]
    if rounds is None:  # one round without a better mIoU than before
        worse = [index for index in (1, 2) if mious[index] <= max(mious[:index])]
        rounds = worse[0] if worse else 2
    assert found[-1].round == rounds


@pytest.mark.slow
def test_killed_in_the_middle_of_a_round_it_ends_with_the_same_table(
    toy: Dataset, tmp_path: Path
) -> None:
    """A process of its own, twice killed while a round trains, beside one that is left alone."""
    folder = Path(toy.train.images.where).parent

    def started(out: Path) -> "subprocess.Popen[bytes]":
        words = (
            "simulate", "--data", folder / "dataset.toml", "--out", out, "--rounds", 2, "--n", 2,
            "--acquisitions", "balentacq,random", "--mc", 3, "--epochs", 4, "--batch", 2,
            "--scorer", "torch", "--weights", "none", "--precision", "32-true",
        )  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "trainer", *map(str, words)], env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    assert started(tmp_path / "whole").wait() == 0
    for number in (1, 2):
        process = started(tmp_path / "cut")
        partial = tmp_path / f"cut/seed-0/balentacq/round-{number}/model.safetensors.partial"
        while not partial.exists():
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert started(tmp_path / "cut").wait() == 0
    whole, cut = (rows(tmp_path / name) for name in ("whole", "cut"))
    assert len(whole) == 6
    assert cut == whole
    assert not list((tmp_path / "cut").rglob("*.partial"))


@pytest.mark.parametrize(
    "acquisition", ["balentacq", pytest.param("powerbald", marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_the_graph_and_pytorch_choose_the_same_pixels_up_to_regret(
    acquisition: str, toy: Dataset, done: tuple[Path, list[Result]], tmp_path: Path
) -> None:
    before = folder_of(done[0], 0, "balentacq", 2)
    question = look.Question(
        model=before / "model.safetensors",
        network=PLAN.training.network,
        labels=before / "labels.csv",
        exclude=done[0] / "unknown",
        work=tmp_path,
        pool=toy.train.images,
        acquisition=acquisition,
        seed=3,
        n=3,
        budget=None,
        distance=2.5,
        passes=4,
        stride=1,
    )
    reference, _ = look.look(question, None)
    asked = commands.in_graph(question, lambda _: None)
    assert set(asked) == set(reference)
    assert all(len(places) == 3 for places in asked.values())
    assert worst_regret(question, asked) <= 2e-3


def worst_regret(question: look.Question, asked: look.Asked) -> float:
    """In PyTorch, of every pick among what those before it have left."""
    network, card = model.load(question.model)
    runtime = PyTorch(network, card, acquisition=question.acquisition, passes=question.passes)
    labels = label_files.read(question.labels, card.classes)
    barred = Exclusion(labels, question.exclude)
    found = []
    for name, places in asked.items():
        photograph = load(question.pool.image(name), card.size)
        geometry, exclude = photograph.geometry, barred.of(name, photograph.geometry)
        for click in labels.of(name):
            bar(exclude, geometry, (click.row, click.col), question.distance)
        noise = uniform(question.seed, name, (1, *card.size))
        drawn = torch.from_numpy(noise) if runtime.contract.stochastic else None
        given = noise if runtime.contract.stochastic else None
        value = runtime.run(photograph.pixels[None], exclude[None], given, want_map=True).map
        values = torch.from_numpy(value)
        if question.acquisition != "balentacq":
            values = runtime.network.tail.acquisition.score(values, drawn)
        for place in places:
            chosen = torch.zeros(card.size, dtype=torch.bool)
            chosen[geometry.to_map(*place)] = True
            eligible = torch.from_numpy(exclude == 0)
            found.append(regret(TRAITS[question.acquisition], values[0], chosen, eligible))
            bar(exclude, geometry, place, question.distance)
    assert len(found) == 12
    return max(found)


def bar(exclude: np.ndarray, geometry: Geometry, place: tuple[int, int], distance: float) -> None:
    box, near = geometry.near(*place, distance)
    exclude[box][near] = 1


def test_every_round_draws_other_numbers(toy: Dataset) -> None:
    """Or margin would search the same random pool again and again."""
    draws = {
        uniform(campaign.seed_of(seed, number, name), "a", (9,)).tobytes()
        for seed in range(2)
        for number in range(4)
        for name in ("margin", "random")
    }
    assert len(draws) == 16


@pytest.mark.parametrize("scorer", ["torch", pytest.param("graph", marks=pytest.mark.slow)])
def test_a_budget_holds_for_every_round(scorer: str, toy: Dataset, tmp_path: Path) -> None:
    """Through a pool that is a part of its folder, which a graph sees by links."""
    images = toy.train.images.only(toy.train.images.names[1:])
    some = replace(toy, train=replace(toy.train, images=images))
    plan = replace(PLAN, acquisitions=("entropy",), rounds=1, budget=4, n=3, scorer=scorer)
    found = campaign.simulate(some, tmp_path, plan, Silent())
    assert [one.labels for one in found] == [4, 8]
    assert not list(tmp_path.rglob("scorer.onnx"))
    assert not list(tmp_path.rglob("pool"))


def test_images_without_an_answer_are_left_out(toy: Dataset, tmp_path: Path) -> None:
    names = toy.train.images.names
    ids = {**toy.train.__dict__, "mask_name": lambda n: "none.png" if n == names[0] else n}
    some = replace(toy, train=type(toy.train)(**ids))
    heard = Silent()
    plan = replace(PLAN, rounds=1, acquisitions=("entropy",))
    found = campaign.simulate(some, tmp_path, plan, heard)
    assert [one.labels for one in found] == [6, 12]
    assert any(f"{names[0]} is left out: mask missing" in one for one in heard.warnings)


def test_a_campaign_among_the_images_is_refused(toy: Dataset) -> None:
    with pytest.raises(BadInput, match="lies among the images"):
        campaign.simulate(toy, Path(toy.train.images.where) / "out", PLAN, Silent())


def test_other_masks_are_another_campaign(toy: Dataset, tmp_path: Path) -> None:
    plan = replace(PLAN, rounds=1, acquisitions=("random",))
    campaign.simulate(toy, tmp_path, plan, Silent())
    other = replace(toy, classes=replace(toy.classes, ignore=0))
    with pytest.raises(BadInput, match="another classes"):
        campaign.simulate(other, tmp_path, plan, Silent())
    (tmp_path / "campaign.json").write_text("[]")
    with pytest.raises(BadInput, match=r"campaign\.json cannot be read"):
        campaign.simulate(toy, tmp_path, plan, Silent())


@pytest.mark.slow
def test_plots_are_drawn(toy: Dataset, done: tuple[Path, list[Result]], tmp_path: Path) -> None:
    out, results = done
    supervised = tmp_path / "supervised.safetensors"
    job.train(toy, supervised, replace(PLAN.training, dense=True), Silent())
    line = plots.line_of(supervised, toy, PLAN.training.network)
    drawn = plots.draw(results, toy.classes, tmp_path, line) + plots.draw_maps(toy, out, PLAN)
    names = ["miou.png", "clicks.png", "uncertainty.png", "queries.png", "gain.png", "maps.png"]
    assert [path.name for path in drawn] == names
    for path in drawn:
        with Image.open(path) as image:
            assert len(image.convert("RGB").getcolors(1 << 24)) > 50


@pytest.mark.skipif(sys.platform != "linux", reason="a child ends with its parent on Linux only")
def test_the_command_that_a_campaign_runs_dies_with_it() -> None:
    """Or two would write into one folder when the campaign is started again."""
    program = (
        "from trainer.simulation.commands import _command\n"
        "_command('timeit', '-n1', '-r1', 'import time; time.sleep(120)')"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as parent:
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        child = _wait(lambda: children.read_text().split())[0]
        _wait(lambda: b"timeit" in Path(f"/proc/{child}/cmdline").read_bytes())
        parent.kill()
    _wait(lambda: not _alive(child))


def _alive(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _wait(found):  # type: ignore[no-untyped-def]
    end = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return value
