"""The interface that a network needs for a scoring graph."""

from typing import Protocol, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from scorer.images.preprocessing import Preprocessing
from trainer.graph.dropout import FeatureDropout


@runtime_checkable
class Scorable(Protocol):
    """A network for Monte Carlo dropout scoring: one dropout layer before a linear classifier.

    align_corners: of the upsampling of its class scores. precision: of its features. sha256: hash
    of its weights.
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
        """The input of dropout and classifier."""
        ...
