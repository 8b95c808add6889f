"""Trains a head repeatedly, with the features of a frozen backbone cached in between."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import torch

from scorer.errors import BadImage, BadLabels
from scorer.labels import Click, Labels
from trainer import model, networks, weights
from trainer.clicks import Indices, with_class
from trainer.dataset import Dataset
from trainer.fit_options import KEPT_GB
from trainer.hypercolumns import fit
from trainer.hypercolumns.album import Album
from trainer.hypercolumns.cache import Cache, Vectors
from trainer.hypercolumns.pixels import Pixels, gather
from trainer.hypercolumns.view import PLAIN, VIEWS
from trainer.job import features_path
from trainer.model import Card
from trainer.network import BayesianNetwork
from trainer.networks.pixelhead import PixelHead
from trainer.pytorch import device
from trainer.recipe import HeadRecipe
from trainer.threads import threads

Shares = npt.NDArray[np.float32]  # probabilities

_DROPOUT = 0.2


class Learner:
    """Trains a head on labels of a dataset's images, and writes the model to `out`.

    Every training starts from the same weights, so that the result depends on the labels alone.
    """

    def __init__(self, dataset: Dataset, out: Path, recipe: HeadRecipe) -> None:
        self.dataset, self.out, self.recipe = dataset, out, recipe
        torch.manual_seed(recipe.seed)
        self.name = networks.NAMES[0]
        self.network = networks.build(
            self.name, len(dataset.classes), rate=_DROPOUT, kind="channel"
        )
        self._origin = weights.load_network(self.network, "auto")
        self._start = {
            name: one.clone()
            for name, one in self.network.state_dict().items()
            if "backbone." not in name
        }
        self.network.to(device())
        self._cache = Cache(features_path(out), most_bytes=int(KEPT_GB * 1e9))
        self._album = Album(self.network, dataset.size, self._cache)
        self._prepared = set[tuple[str, tuple[Click, ...]]]()

    def close(self) -> None:
        """Close the feature cache."""
        self._cache.close()

    def __enter__(self) -> "Learner":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def learn(self, labels: Labels) -> tuple[BayesianNetwork, Card]:
        """Train the head and save the model. Raises BadLabels, Failure."""
        pixels = self.fit(labels)
        card = self._card(pixels.images, pixels.labels)
        model.save(self.out, self.network, card)
        return self.network, card

    def fit(self, labels: Labels) -> Pixels:
        """Train the head without saving; returns the training data. Raises BadLabels, Failure."""
        self.network.load_state_dict(self._start, strict=False)
        pixels = gather(self._album, self.dataset.train, labels)
        with threads(1):  # the matrices are small: further threads would only wait
            fit.fit(self.network, pixels, self.recipe)
        return pixels

    def prepare(self, labels: Labels) -> bool:
        """Compute the features of one photograph with new clicks, which makes the next `learn`
        faster.

        Returns whether there was such a photograph. The trained model does not depend on it.
        """
        images = self.dataset.train.images
        for name in labels.clicks:
            clicks = tuple(with_class(labels.of(name)))
            if not clicks or name not in images or (name, clicks) in self._prepared:
                continue
            self._prepared.add((name, clicks))
            # errors are reported when the head is trained
            with suppress(BadImage, BadLabels), threads(1):
                self._album.labelled(images.image(name), name, clicks)
            return True
        return False

    def predict(self, labels: Labels) -> tuple[Indices, Indices]:
        """The true and the predicted classes of labelled pixels, both int64 [N]."""
        truth, predicted = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for _, clicks, shares in self.probabilities(labels):
            truth.append(np.array([click.label for click in clicks]))
            predicted.append(shares.argmax(1))
        return np.concatenate(truth), np.concatenate(predicted)

    def probabilities(self, labels: Labels) -> Iterator[tuple[str, list[Click], Shares]]:
        """Yield name, clicks with a class, and their class probabilities, float32 [N, C], of each
        photograph with labels. Unusable photographs are skipped.
        """
        for name in self.dataset.train.images.names:
            clicks = with_class(labels.of(name))
            if not clicks:
                continue
            try:
                source = self.dataset.train.images.image(name)
                with threads(1):  # as in `learn`, which uses the same cached features
                    vectors, _, _ = self._album.labelled(source, name, clicks)
            except BadImage:
                continue
            yield name, clicks, self._shares(vectors[VIEWS.index(PLAIN)])

    @torch.inference_mode()
    def _shares(self, vectors: Vectors) -> Shares:
        trunk = self.network.trunk
        assert isinstance(trunk, PixelHead)
        plain = torch.from_numpy(vectors).to(device()).float()
        features = trunk.at_pixels(plain)[:, :, None, None]
        logits = self.network.classifier(features)[:, :, 0, 0]
        shares: Shares = logits.softmax(1).cpu().numpy()
        return shares

    def untrained(self) -> tuple[BayesianNetwork, Card]:
        """The network before training, with its card."""
        self.network.load_state_dict(self._start, strict=False)
        return self.network.eval(), self._card(0, 0)

    def _card(self, images: int, labels: int) -> Card:
        height, width = self.dataset.size
        return Card(
            network=self.name,
            dropout=_DROPOUT,
            dropout_kind="channel",
            classes=self.dataset.classes.names,
            colours=self.dataset.classes.colours,
            height=height,
            width=width,
            pretrained=self._origin,
            training={"steps": self.recipe.steps, "images": images, "labels": labels},
        )


def can_learn(labels: Labels, least: int) -> bool:
    """Whether there are at least `least` clicks with a class, and two different classes."""
    found = [
        click.label
        for clicks in labels.clicks.values()
        for click in clicks
        if click.label is not None
    ]
    return len(found) >= least and len(np.unique(found)) > 1
