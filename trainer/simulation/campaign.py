"""Runs a campaign: active learning with ground truth as annotator, Algorithm 1 of Didari et al.

The files of a round are in a folder of its own, and its result.json is written last. So an
interrupted campaign continues where it was, and one with more rounds, seeds or acquisitions keeps
the existing rounds. Round 0, with random labels, is shared by all acquisitions of a seed.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from filelock import FileLock

from scorer import labels as label_files
from scorer.contract import ACQUISITIONS
from scorer.errors import BadDataset, BadInput
from scorer.files import check_writable, replacing, replacing_path
from scorer.labels import Labels
from scorer.pools import is_among
from trainer import clicks, job
from trainer.dataset import Dataset
from trainer.evaluation import Evaluation
from trainer.hypercolumns.cache import Cache
from trainer.listener import Listener
from trainer.recipe import HeadRecipe
from trainer.simulation import look, oracle, result, summary
from trainer.simulation.commands import in_graph
from trainer.simulation.look import Asked, Question
from trainer.simulation.plan import SHARED, Plan, identity
from trainer.simulation.result import START, Result, folder_of


@runtime_checkable
class CampaignListener(Listener, Protocol):
    """Receives the reports of a campaign: of every training, and of the rounds."""

    def begin(self, where: str) -> None: ...
    def image(self, done: int, images: int) -> None: ...
    def end(self, result: Result) -> None: ...


def simulate(dataset: Dataset, out: Path, plan: Plan, listener: CampaignListener) -> list[Result]:
    """Run a plan in the folder `out`; results.csv there has a row for every round so far."""
    return Campaign(dataset, out, plan, listener).run()


class Campaign:
    """The execution of a plan in a folder."""

    def __init__(self, dataset: Dataset, out: Path, plan: Plan, listener: CampaignListener) -> None:
        if dataset.train.masks is None or dataset.val is None:
            raise BadDataset(
                "a simulation needs masks in [train], its annotator, and [val] to measure on",
                remedy="add them to dataset.toml",
            )
        self.dataset, self.out, self.plan, self.listener = dataset, out, plan, listener
        if is_among(out, dataset.train.images):
            raise BadInput(
                f"--out {out} lies among the images: its pictures would be listed with them",
                remedy="choose a folder outside of them",
            )
        check_writable(out / "results.csv")
        self._check_same()
        self.known = self._begin()
        self.cache = self._cache()

    @property
    def unknown(self) -> Path:
        """The folder of masks of pixels without ground truth, which are never asked for."""
        return self.out / "unknown"

    def _cache(self) -> Cache | None:
        """The cache of backbone features, shared by all rounds, seeds and acquisitions."""
        training = self.plan.training
        if not (training.kept and isinstance(training.recipe, HeadRecipe)):
            return None
        return Cache(self.out / "features.db", most_bytes=int(training.kept * 1e9))

    def _begin(self) -> int:
        """Leave out images without ground truth; returns the number of pixels that can be asked
        for.
        """
        train = self.dataset.train
        known, skipped = oracle.write_unknown(train, self.dataset.classes, self.unknown)
        for name, reason in skipped:
            self.listener.tell(f"{name} is left out: {reason}", warning=True)
        bad = {name for name, _ in skipped}
        names = tuple(name for name in train.images.names if name not in bad)
        if not names:
            raise BadDataset(
                "no image of [train] can be asked about", remedy="see the reasons above"
            )
        images = train.images.only(names)
        self.dataset = replace(self.dataset, train=replace(train, images=images))
        return known

    def run(self) -> list[Result]:
        """Run all seeds and acquisitions; the table is written after every round.

        Of several processes in one folder, only one at a time runs an acquisition of a seed.
        """
        for seed in self.plan.seeds:
            with self._alone(seed, START):
                self._round(seed, START, 0)
            for acquisition in self.plan.acquisitions:
                with self._alone(seed, acquisition):
                    for number in range(1, self.plan.rounds + 1):
                        if self._ended(seed, acquisition):
                            break
                        self._round(seed, acquisition, number)
        return self._write_table()

    def _alone(self, seed: int, acquisition: str) -> FileLock:
        folder = folder_of(self.out, seed, acquisition, 1).parent
        folder.mkdir(parents=True, exist_ok=True)
        return FileLock(folder / ".lock")

    def _ended(self, seed: int, acquisition: str) -> bool:
        """Whether budget, target or patience end this acquisition."""
        history = result.history(self.out, seed, acquisition)
        plan, mious = self.plan, [one.miou for one in history]
        if plan.most_labels is not None and history[-1].labels >= plan.most_labels:
            return True
        if plan.target is not None and max(mious) >= plan.target:
            return True
        best = mious.index(max(mious))
        return plan.patience is not None and len(mious) - 1 - best >= plan.patience

    def _round(self, seed: int, acquisition: str, number: int) -> None:
        folder = folder_of(self.out, seed, acquisition, number)
        if result.result_path(folder).is_file():
            return
        folder.mkdir(parents=True, exist_ok=True)
        where = f"seed {seed}, {acquisition}, round {number}"
        self.listener.begin(where)
        labels, asked = self._labels(folder, seed, acquisition, number)
        evaluation = self._train(folder, seed)
        found = Result(
            seed=seed,
            acquisition=acquisition,
            round=number,
            labels=len(labels),
            share=len(labels) / self.known,
            miou=evaluation.miou,
            accuracy=evaluation.accuracy,
            iou=evaluation.iou,
            **asked,
        )
        result.write(folder, found)
        if number > 1:  # the model of the previous round is not needed any more
            _model(folder_of(self.out, seed, acquisition, number - 1)).unlink(missing_ok=True)
        self._write_table()
        self.listener.end(found)

    def _train(self, folder: Path, seed: int) -> Evaluation:
        tuned = self.plan.training.finetune
        options = replace(
            self.plan.training,
            labels=folder / "labels.csv",
            recipe=replace(self.plan.training.recipe, seed=seed),
            finetune=tuned and replace(tuned, seed=seed),
            measurements=0,
        )
        found = job.train(self.dataset, _model(folder), options, self.listener, self.cache)
        assert found is not None
        return found

    def _labels(
        self, folder: Path, seed: int, acquisition: str, number: int
    ) -> tuple[Labels, dict[str, float]]:
        """All labels of a round, stored in labels.csv, and statistics of the new ones."""
        path, record = folder / "labels.csv", folder / "asked.json"
        names = self.dataset.classes.names
        if path.is_file() and record.is_file():
            return label_files.read(path, names), result.read(record)
        if number == 0:
            labels, _ = clicks.draw(
                self.dataset.train, self.dataset.classes, pixels=self.plan.n, seed=seed
            )
            if self.plan.budget is not None:
                labels = clicks.few(labels, self.plan.budget, seed)
            places = {
                name: [(one.row, one.col) for one in found] for name, found in labels.clicks.items()
            }
            asked = {
                "distance": look.mean_distance(places),
                "unique": look.mean_unique(labels),
            }
        else:
            before = folder_of(self.out, seed, acquisition, number - 1)
            labels, asked = self._ask(before, folder, (seed, number), acquisition)
        label_files.write(path, labels, names)
        with replacing(record) as file:
            file.write(json.dumps(asked))
        return labels, asked

    def _ask(
        self, before: Path, folder: Path, drawn: tuple[int, int], acquisition: str
    ) -> tuple[Labels, dict[str, float]]:
        old = label_files.read(before / "labels.csv", self.dataset.classes.names)
        pool = self.dataset.train.images
        question = Question(
            model=_model(before),
            network=self.plan.training.network,
            labels=before / "labels.csv",
            exclude=self.unknown,
            work=folder,
            pool=pool,
            acquisition=acquisition,
            seed=seed_of(*drawn, acquisition),
            **{name: getattr(self.plan, name) for name in SHARED},
        )

        def on_image(done: int) -> None:
            self.listener.image(done, len(pool))

        given: Asked | None = None
        if self.plan.scorer == "graph":
            given = in_graph(question, on_image)
        # A fine-tuned backbone differs in every round, so that its features need not be cached.
        cache = None if self.plan.training.finetune else self.cache
        asked, found = look.look(question, cache, given, on_image)
        more = oracle.answer(self.dataset.train, self.dataset.classes, asked)
        record = asdict(found) | {
            "distance": look.mean_distance(asked),
            "unique": look.mean_unique(more),
        }
        return oracle.added(old, more), record

    def _write_table(self) -> list[Result]:
        with FileLock(self.out / ".lock"):
            found = list(result.results(self.out, self.plan.acquisitions))
            result.write_table(self.out / "results.csv", found, self.dataset.classes.names)
            summary.write(self.out / "summary.csv", summary.rows(found))
        return found

    def _check_same(self) -> None:
        """Raise BadInput if the folder holds a campaign with other settings."""
        with FileLock(self.out / ".lock"):
            self._check_settings()

    def _check_settings(self) -> None:
        path, mine = self.out / "campaign.json", identity(self.dataset, self.plan)
        if path.is_file():
            theirs = result.read(path)
            if changed := [name for name in mine if theirs.get(name) != mine[name]]:
                raise BadInput(
                    f"{self.out} holds a campaign with another {', '.join(changed)}",
                    remedy="continue with the same settings, or choose another folder with --out",
                )
        with replacing_path(path, shared=True) as temporary:
            temporary.write_text(json.dumps(mine, indent=1, sort_keys=True) + "\n", "utf-8")


def _model(folder: Path) -> Path:
    """The model of a round, which is kept until the next round has ended."""
    return folder / "model.safetensors"


def seed_of(seed: int, number: int, acquisition: str) -> int:
    """The seed of a round's random numbers, different for every round."""
    return seed + (number << 32) + (ACQUISITIONS.index(acquisition) << 48)
