"""What to train, and on which labels."""

from dataclasses import dataclass, field
from pathlib import Path

from scorer.errors import BadInput
from scorer.labels.conflict import REFUSE
from trainer import networks
from trainer.recipe import HeadRecipe, Recipe

KEPT_GB = 8.0


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What to train, on which labels. `pixels` are drawn per mask if there is no labels file.

    store: a label store that is read where neither this nor the dataset names labels, if it is
    there. on_conflict: what is done with a pixel that a CSV of labels gives different answers.
    dense_labels: a folder of masks of some images, to learn from, too. audits: also answers that
    have measured models. dense: on whole masks instead. recipe: a HeadRecipe for a network with a
    frozen backbone, which `finetune` may then train as a whole; a Recipe for the others. kept: GB
    of what a frozen backbone sees that are kept beside the model; 0: nothing. measurements: how
    often in a run, its end always, the validation split is evaluated; 0: behind its end, where a
    run that was cut is as one that was not. statistics: of the pixels,
    where the backbone's own don't hold.
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
