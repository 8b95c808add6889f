"""Training: it learns, it repeats itself, and it goes on where it was stopped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trees

from scorer.errors import BadInput, Failure
from trainer import clicks, dataset, networks, state, weights
from trainer.dataset import Dataset
from trainer.evaluation import evaluate
from trainer.loop import Progress, fit, precision
from trainer.network import BayesianNetwork
from trainer.recipe import Recipe
from trainer.sample import Sample

pytestmark = pytest.mark.usefixtures("one_thread")

NAME = "deeplabv3plus-efficientnet-lite0"
SMALL = (32, 32)
RECIPE = Recipe(epochs=3, batch=2, seed=0, precision="32-true")


def new() -> BayesianNetwork:
    torch.manual_seed(0)
    return networks.build(NAME, 3, rate=0.2, kind="channel")


def samples_of(found: Dataset, pixels: int = 20) -> list[Sample]:
    labels, _ = clicks.draw(found.train, found.classes, pixels=pixels, seed=0)
    gathered = clicks.gather(found.train, labels, found.size)
    return [sample for sample in gathered if isinstance(sample, Sample)]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    root = trees.folders(tmp_path_factory.mktemp("toy"), images=3, val=0, size=SMALL)
    return samples_of(dataset.read(root / "dataset.toml"))


def fitted(samples: list[Sample], recipe: Recipe = RECIPE) -> tuple[str, list[Progress]]:
    """Hash of the weights after a whole run, and its epochs."""
    epochs: list[Progress] = []
    network = fit(new(), samples, recipe, size=SMALL, on_epoch=epochs.append)
    return network.sha256, epochs


@pytest.fixture(scope="module")
def undisturbed(samples: list[Sample]) -> str:
    return fitted(samples)[0]


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_the_loss_falls_and_the_toy_is_learned(tmp_path: Path) -> None:
    found = dataset.read(trees.folders(tmp_path, images=8, val=2) / "dataset.toml")
    network = new()
    weights.load(network.trunk.backbone, "auto")  # type: ignore[arg-type]
    losses: list[float] = []
    recipe = Recipe(epochs=20, batch=8, lr=1e-3, precision="32-true")
    returned = fit(
        network,
        samples_of(found, 60),
        recipe,
        size=found.size,
        on_epoch=lambda progress: losses.append(progress.loss),
    )
    assert returned is network
    assert not network.training
    assert len(losses) == 20
    assert np.mean(losses[-3:]) < 0.85 * np.mean(losses[:3])
    assert found.val is not None
    assert evaluate(network, found.val, found.classes, found.size).miou > 0.8


def test_two_runs_with_one_seed_give_the_same_bits(samples: list[Sample], undisturbed: str) -> None:
    torch.manual_seed(99)  # nothing that happened before counts
    assert fitted(samples)[0] == undisturbed


def test_another_seed_gives_other_weights(samples: list[Sample], undisturbed: str) -> None:
    assert fitted(samples, replace(RECIPE, seed=1))[0] != undisturbed


def test_every_epoch_takes_every_sample_in_whole_batches(samples: list[Sample]) -> None:
    steps: list[Progress] = []
    recipe = replace(RECIPE, epochs=2)
    fit(new(), samples, recipe, size=SMALL, on_step=steps.append)
    assert [(p.epoch, p.step, p.steps, p.images) for p in steps] == [
        (0, 1, 2, 2),
        (0, 2, 2, 4),  # three samples: one is seen twice, none is left out
        (1, 1, 2, 2),
        (1, 2, 2, 4),
    ]
    assert all(p.loss > 0 for p in steps)


def test_one_sample_is_enough(samples: list[Sample]) -> None:
    _, epochs = fitted(samples[:1], replace(RECIPE, epochs=1))
    assert [p.images for p in epochs] == [2]


def test_samples_without_a_point_in_view_do_no_harm(samples: list[Sample]) -> None:
    bare = [
        replace(sample, points=sample.points[:0], labels=sample.labels[:0]) for sample in samples
    ]
    _, [epoch] = fitted(bare, replace(RECIPE, epochs=1))
    assert epoch.loss == 0


class Stopped(Exception):
    pass


def stopped_after(
    epoch: int,
    samples: list[Sample],
    partial: Path,
    identity: str = "",
    recipe: Recipe = RECIPE,
) -> None:
    """A run that dies as soon as `epoch` epochs are done."""

    def stop(progress: Progress) -> None:
        if progress.epoch + 1 == epoch:
            raise Stopped

    with pytest.raises(Stopped):
        fit(new(), samples, recipe, size=SMALL, resume=partial, identity=identity, on_epoch=stop)
    assert partial.is_file()


def resumed(
    samples: list[Sample], partial: Path, recipe: Recipe = RECIPE, identity: str = ""
) -> tuple[str, list[int]]:
    """Hash of the weights, and which epochs were trained."""
    started: list[int] = []
    epochs: list[int] = []
    network = fit(
        new(),
        samples,
        recipe,
        size=SMALL,
        resume=partial,
        identity=identity,
        on_start=started.append,
        on_epoch=lambda progress: epochs.append(progress.epoch),
    )
    assert started == [recipe.epochs - len(epochs)]
    return network.sha256, epochs


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_stopped_run_goes_on_to_the_same_bits(
    samples: list[Sample], undisturbed: str, tmp_path: Path, after: int
) -> None:
    partial = tmp_path / "partial"
    stopped_after(after, samples, partial)
    assert resumed(samples, partial) == (undisturbed, list(range(after, 3)))


def test_sgd_steps_and_masks_of_labels_go_on_to_the_same_bits(
    samples: list[Sample], undisturbed: str, tmp_path: Path
) -> None:
    recipe = replace(RECIPE, optimiser="sgd", schedule="step", augment_labels="mask")
    whole = resumed(samples, tmp_path / "whole", recipe)[0]
    stopped_after(2, samples, tmp_path / "partial", recipe=recipe)
    assert resumed(samples, tmp_path / "partial", recipe) == (whole, [2])
    assert whole != undisturbed


@pytest.mark.parametrize(
    "change",
    [{"lr": 1e-3}, {"epochs": 2}, {"seed": 1}, {"batch": 3}, {"weight_decay": 0.0}],
    ids=str,
)
def test_another_recipe_does_not_go_on(
    samples: list[Sample], tmp_path: Path, change: dict[str, float]
) -> None:
    partial = tmp_path / "partial"
    # One saved state serves: only whether it is taken up counts.
    network = new()
    optimiser = torch.optim.Adam(network.parameters())
    state.save(partial, network, optimiser, f"{RECIPE} {SMALL} ", 2)
    other = replace(RECIPE, **change)
    assert state.restore(partial, new(), optimiser, f"{other} {SMALL} ") == 0
    assert state.restore(partial, new(), optimiser, f"{RECIPE} {SMALL} ") == 2


def test_other_data_do_not_go_on(samples: list[Sample], undisturbed: str, tmp_path: Path) -> None:
    partial = tmp_path / "partial"
    stopped_after(1, samples, partial, identity="these labels")
    assert resumed(samples, partial, identity="those labels") == (undisturbed, [0, 1, 2])


@pytest.mark.parametrize("content", [b"", b"x" * 100, None], ids=["empty", "garbage", "truncated"])
def test_a_damaged_state_starts_anew(
    samples: list[Sample], tmp_path: Path, content: bytes | None
) -> None:
    partial, recipe = tmp_path / "partial", replace(RECIPE, epochs=1)
    if content is None:
        fit(new(), samples, recipe, size=SMALL, resume=partial)
        content = partial.read_bytes()[:-1000]
    partial.write_bytes(content)
    assert resumed(samples, partial, recipe)[1] == [0]
    assert resumed(samples, partial, recipe)[1] == []


def test_the_backbone_learns_at_a_tenth_of_the_rate(samples: list[Sample]) -> None:
    """Adam's first step moves a weight by its learning rate, whatever the gradient."""
    network = new()
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    fit(network, samples[:1], replace(RECIPE, epochs=1, lr=1e-3), size=SMALL)
    moved = {n: float((v.detach() - before[n]).abs().max()) for n, v in network.named_parameters()}
    backbone = [step for name, step in moved.items() if name.startswith("trunk.backbone.")]
    others = [step for name, step in moved.items() if not name.startswith("trunk.backbone.")]
    assert len(backbone) > 100
    assert len(others) > 20
    assert max(backbone) == pytest.approx(1e-4, rel=0.01)
    assert max(others) == pytest.approx(1e-3, rel=0.01)


def test_the_learning_rate_falls_as_a_power_of_what_is_left(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates: list[float] = []
    step = torch.optim.Adam.step

    def spy(self: torch.optim.Adam, *args: object, **kwargs: object) -> object:
        rates.append(self.param_groups[1]["lr"])
        return step(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    fitted(samples, replace(RECIPE, epochs=2))
    assert rates == pytest.approx([5e-4 * (1 - done / 4) ** 0.9 for done in range(4)])


def test_precision_is_what_the_machine_has() -> None:
    assert precision("auto") in ("32-true", "bf16-mixed", "16-mixed")
    assert precision("32-true") == "32-true"


def test_a_loss_that_is_not_a_number_ends_the_run(samples: list[Sample]) -> None:
    heard: list[float] = []
    with pytest.raises(Failure, match="loss"):
        fit(
            new(),
            samples,
            replace(RECIPE, lr=1e30),
            size=SMALL,
            on_step=lambda progress: heard.append(progress.loss),
        )
    assert all(np.isfinite(heard))


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch": 1},
        {"epochs": 0},
        {"lr": -1.0},
        {"lr": float("nan")},
        {"lr": float("inf")},
        {"weight_decay": -1.0},
        {"seed": -1},
        {"seed": 2**32},
    ],
    ids=str,
)
def test_a_recipe_that_cannot_work_is_refused_at_birth(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInput, match=next(iter(wrong))):
        Recipe(**wrong)  # type: ignore[arg-type]
