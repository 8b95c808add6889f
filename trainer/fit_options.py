"""The options of a training job."""

from dataclasses import dataclass, field
from pathlib import Path

from scorer.errors import BadInput
from scorer.labels.conflict import REFUSE
from trainer import networks
from trainer.recipe import HeadRecipe, Recipe

KEPT_GB = 8.0


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What to train, and on which labels.

    pixels: drawn per mask if there are no other labels. store: a label store that is read, if it
    exists, where neither `labels` nor the dataset names a file. on_conflict: how contradictory
    answers of a CSV are resolved. dense_labels: folder of masks of some images. audits: also train
    on audit answers. dense: train on whole masks instead. recipe: a HeadRecipe for a network with a
    frozen backbone, which `finetune` then trains as a whole; a Recipe for other networks. kept:
    size of the feature cache beside the model, in GB; 0: none. measurements: evaluations of the
    validation split per run, the last at its end; 0: only after the run, so that an interrupted run
    gives the same result. statistics: mean and standard deviation of the pixels, in place of the
    backbone's.
    """

    network: str = networks.NAMES[0]
    weights: str = "auto"
    labels: Path | None = None
    dense_labels: Path | None = None
    store: Path | None = None
    on_conflict: str = REFUSE
    audits: bool = False
    pixels: int = 5
    dense: bool = False
    statistics: networks.Statistics | None = None
    dropout: float = 0.2
    dropout_kind: str = "channel"
    recipe: Recipe | HeadRecipe = field(default_factory=HeadRecipe)
    finetune: Recipe | None = None
    kept: float = KEPT_GB
    resume: bool = True
    measurements: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.dropout < 1:
            raise BadInput(
                f"dropout is {self.dropout}, expected a number between 0 and 1",
                remedy="choose such a number, or leave it away for the default",
            )
        frozen = self.network.startswith(networks.HEAD)
        if frozen != isinstance(self.recipe, HeadRecipe) or (self.finetune and not frozen):
            raise BadInput(
                f"{self.network} does not learn by a {type(self.recipe).__name__}",
                remedy="HeadRecipe is for the networks pixelhead, Recipe for all others",
            )
