"""What a network must have so that a graph can score with it."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from scorer.images.preprocessing import Preprocessing
from trainer.graph.dropout import FeatureDropout


@runtime_checkable
class Scorable(Protocol):
    """A network whose dropout passes can be baked: one dropout layer before a linear classifier.

    align_corners: how its class scores are enlarged. precision: of its features. sha256: of its
    weights.
    """

    @property
    def classifier(self) -> nn.Conv2d: ...
    @property
    def dropout(self) -> FeatureDropout: ...
    @property
    def preprocessing(self) -> Preprocessing: ...
    @property
    def align_corners(self) -> bool: ...
    @property
    def precision(self) -> str: ...
    @property
    def sha256(self) -> str: ...

    def features(self, image: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B K h w"]:
        """What the dropout and the classifier see."""
        ...
