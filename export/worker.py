"""Trains and exports repeatedly in a live session: fits the head, gives the graph its weights."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from time import monotonic

from onnx import ModelProto

from export.engine import contract_in
from export.graph import GraphOptions, bake, contract_for, earlier, save
from export.halves import halves
from scorer.errors import BadGraph
from scorer.files import replacing_path
from scorer.labels import Labels, learned
from scorer.labels.answered import Answered
from scorer.labels.learned import Doubt, Learned
from scorer.runtimes.kept import halves_of
from trainer.graph.scorable import Scorable
from trainer.live.audit import Audit, measure
from trainer.live.doubts import Doubts
from trainer.live.home import Home
from trainer.live.learner import Learner, can_learn

OnDoubts = Callable[[Sequence[Doubt]], None]

_OPTIONS = GraphOptions(stride=None)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """When to train. every: after so many new rows of the store; pause: or after so many seconds
    without one; least: not before there are so many labels. doubt: after how many labels the
    answers are checked again without a pause.
    """

    every: int = 10
    pause: float = 2.0
    least: int = 20
    doubt: int = 50


class Worker:
    """Trains a model, exports its graph and saves it in the session's folder whenever training is
    due.

    on_doubts: called with the answers that were contradicted by a model trained without them.
    """

    def __init__(
        self, home: Home, learner: Learner, pace: Pace, on_doubts: OnDoubts = lambda _: None
    ) -> None:
        self.home, self.learner, self.pace, self._on_doubts = home, learner, pace, on_doubts
        self._like, self._doubts = self._structure(), Doubts(learner)
        before = newest(home)
        # rows seen, and rows trained on
        self._rows, self._learned = 0, before.rows if before else 0
        self._since = monotonic()  # time of the last new row
        # What the newest model was trained on, until its answers are checked for doubts.
        self._newest: Labels | None = None
        self._doubted = 0  # number of labels at the last check for doubts
        # number of rows, with their training and audit labels
        self._seen: tuple[int, Labels, Labels] | None = None

    def renew(self, learner: Learner) -> None:
        """Continue with a learner of more classes: the next call of `look` trains on all
        answers.
        """
        self.learner, self._doubts = learner, Doubts(learner)
        self._like, self._learned, self._newest = self._structure(), -self.pace.every, None
        self._seen = None

    def _structure(self) -> ModelProto:
        """The graph of the untrained network: it is traced at the start, so that no user waits for
        it.
        """
        network, card = self.learner.untrained()
        contract = contract_for(network, card, _OPTIONS)
        return bake(network, contract, earlier(self.home.graph))

    def look(self, opened: Answered) -> Learned | None:
        """Train and export if training is due; returns the new model's record, or None."""
        rows = opened.length()
        if rows != self._rows:
            self._rows, self._since = rows, monotonic()
        is_pause = monotonic() - self._since >= self.pace.pause
        due = rows - self._learned >= (1 if is_pause else self.pace.every)
        labels, audit = self._read(opened)
        if not due:
            is_idle = not (self.learner.prepare(labels) or self.learner.prepare(audit))
            if is_idle and is_pause:
                self._doubt()
            return None
        if not can_learn(labels, self.pace.least):
            self._learned = rows
            return None
        self._since = monotonic()  # if training fails, the next attempt follows a pause
        found = self._learn(rows, labels, audit, opened.confirmed())
        self._learned, self._newest = rows, labels
        return found

    def _read(self, opened: Answered) -> tuple[Labels, Labels]:
        """The training labels and the audit labels of the current rows, read once per change."""
        if self._seen is None or self._seen[0] != self._rows:
            self._seen = self._rows, opened.labels(), opened.audit()
        return self._seen[1:]

    def look_again(self) -> None:
        """Check all answers for doubts if many came since the last check without a pause."""
        if self._newest and self._newest.labelled - self._doubted >= self.pace.doubt:
            self._doubt()

    def _learn(self, rows: int, labels: Labels, random: Labels, confirmed: float | None) -> Learned:
        begin = monotonic()
        self._doubts.suspect(labels)
        network, card = self.learner.learn(labels)
        self._doubts.learned(labels)
        fitted = monotonic()
        contract = contract_for(network, card, _OPTIONS)
        self._like = bake(network, contract, self._like)
        self._save(network)
        exported = monotonic()
        audit = self._audited(random)
        return Learned(
            rows=rows,
            labels=card.training["labels"],
            images=card.training["images"],
            gathered_and_fitted=round(fitted - begin, 3),
            exported=round(exported - fitted, 3),
            audit=None if audit is None else asdict(audit),
            confirmed=confirmed,
            graph=contract.sha256,
        )

    def _save(self, network: Scorable) -> None:
        """Save the graph, after its two halves, which the service may use in its place."""
        parts = halves(self._like, network)
        for part, path in zip(parts or (), halves_of(self.home.graph), strict=False):
            content = part.SerializeToString(deterministic=True)
            if not path.is_file() or path.read_bytes() != content:
                with replacing_path(path) as temporary:
                    temporary.write_bytes(content)
        save(self._like, self.home.graph)

    def _doubt(self) -> None:
        if self._newest is not None:
            labels, self._newest = self._newest, None
            self._doubted = labels.labelled
            self._on_doubts(self._doubts.decide(labels))

    def _audited(self, labels: Labels) -> Audit | None:
        truth, predicted = self.learner.predict(labels)
        return measure(truth, predicted, self.learner.dataset.classes.names) if len(truth) else None


def newest(home: Home) -> Learned | None:
    """The record of the newest model in the session's log; None if the graph file is not of it."""
    models = learned.read(home.log)
    if not models or not home.graph.exists():
        return None
    try:
        is_ours = contract_in(home.graph).sha256 == models[-1].graph
    except BadGraph:
        return None
    return models[-1] if is_ours else None
