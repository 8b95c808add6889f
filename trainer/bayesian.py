"""Makes a Bayesian network of any PyTorch segmentation network that ends in a convolution."""

import importlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scorer.errors import BadInput
from scorer.images.preprocessing import PRESETS
from trainer.graph.dropout import FeatureDropout
from trainer.graph.upsampling import upsample
from trainer.network import LEAST_CORRELATION, BayesianNetwork, correlation

# Operations allowed behind the classifier, by the names of autograd's nodes.
_MOVES = re.compile(
    r"(Upsample\w+|\w*Softmax|Sigmoid|Unsafe\w+|\w*View|Reshape\w*|Permute|Transpose|Slice|Squeeze"
    r"|Unsqueeze|Clone|ToCopy|Alias|ConstantPadNd)Backward\d*"
)
_CONVOLUTION = "ConvolutionBackward0"
_IMAGENET = PRESETS["imagenet"]
_REMEDY = (
    "the network must end in a Conv2d, behind it at most upsampling and softmax; "
    "other networks: export them to ONNX, then: python -m export onnx --from network.onnx"
)


class ReadyTrunk(nn.Module):
    """The trunk of a user's network: from the image to the input of its classifier.

    The operations behind the classifier are never run. `module` keeps its parameter names.
    """

    def __init__(self, module: nn.Module, classifier: str) -> None:
        super().__init__()
        found = module.get_submodule(classifier)
        assert isinstance(found, nn.Conv2d)
        self.channels = found.in_channels
        self.classifier_name = classifier
        parent, _, own = classifier.rpartition(".")
        self._caught = _Caught()
        setattr(module.get_submodule(parent), own, _Seam(self._caught, found.out_channels))
        self.module = module

    @property
    def backbone(self) -> nn.Module:
        """The part with the lower learning rate: `backbone` or `encoder`; empty if there is
        neither.
        """
        for name in ("backbone", "encoder"):
            if isinstance(part := getattr(self.module, name, None), nn.Module):
                return part
        return nn.Module()

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K h w"]:
        with suppress(_Enough):
            self.module(image)
        return self._caught.taken()


class _Enough(Exception):
    """Raised by the replaced classifier to skip the operations behind it."""


class _Caught:
    """Holds the features that the replaced classifier received."""

    def __init__(self) -> None:
        self.features: Tensor | None = None

    def taken(self) -> Tensor:
        """The features of the last run. Raises BadInput if the classifier was not reached."""
        found, self.features = self.features, None
        if found is None:
            raise BadInput("the network ended without its classifier", remedy=_REMEDY)
        return found


class _Seam(nn.Module):
    """Replaces the classifier: stores its input and ends the run."""

    def __init__(self, caught: _Caught, classes: int) -> None:
        super().__init__()
        self._caught, self.classes = caught, classes

    def forward(self, features: Tensor) -> Tensor:
        self._caught.features = features
        if not torch.compiler.is_exporting():
            raise _Enough
        # A tracer needs the module to end; it drops this unused result.
        return features[:, :1].expand(-1, self.classes, -1, -1)


def make_bayesian(
    module: nn.Module, dropout: FeatureDropout | None = None, *, size: tuple[int, int] = (128, 128)
) -> BayesianNetwork:
    """Insert dropout before the last convolution; None: channel dropout at a rate of 0.2.

    module: takes normalised images [B, 3, H, W]. It is changed, as its classifier moves into the
    result. Its attributes mean and std, for pixels from 0 to 1, default to ImageNet's. It is run
    once, on an image of `size` (height, width). Raises BadInput, which names the obstacle, unless
    the class scores are an upsampled convolution.
    """
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    classifier, scores, behind = _classifier(module, image)
    head = module.get_submodule(classifier)
    assert isinstance(head, nn.Conv2d)
    made = BayesianNetwork(
        ReadyTrunk(module, classifier),
        head,
        dropout or FeatureDropout(0.2),
        mean=statistic(module, "mean", _IMAGENET[0]),
        std=statistic(module, "std", _IMAGENET[1]),
    )
    _check(made, module, image, scores, softened=any("Softmax" in name for name in behind))
    return made


def is_factory(name: str) -> bool:
    """Whether a network's name is package.module:factory."""
    return ":" in name


def made(name: str, *given: object) -> nn.Module:
    """Import package.module:factory, with the working directory on the path, and call it with
    `given`.

    Raises BadInput where that fails or does not give a module.
    """
    path, _, function = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        factory = getattr(importlib.import_module(path), function)
    except Exception as error:  # importing runs the user's code
        raise BadInput(
            f"--network {name}: {error or type(error).__name__}",
            remedy="expected package.module:factory, importable from here",
        ) from error
    takes = "the number of classes" if given else "nothing"
    try:
        module = factory(*given)
    except Exception as error:  # the user's code
        raise BadInput(
            f"--network {name} failed: {error!r}",
            remedy=f"it is called with {takes}; --verbose shows where it failed",
        ) from error
    if not isinstance(module, nn.Module):
        raise BadInput(
            f"--network {name} gave a {type(module).__name__}",
            remedy=f"expected a function of {takes} that gives a torch.nn.Module",
        )
    return module


def statistic(module: nn.Module, name: str, default: tuple[float, float, float]) -> Any:
    """A module's attribute mean or std for pixels from 0 to 1, or the default. Raises BadInput."""
    found = getattr(module, name, default)
    values = tuple(float(value) for value in torch.as_tensor(found).flatten())
    if len(values) != 3 or not all(0 <= value <= 1 for value in values):
        raise BadInput(
            f"{type(module).__name__}.{name} is {values}",
            remedy="expected three numbers from 0 to 1, of pixels from 0 to 1",
        )
    return values


def _check(
    made: BayesianNetwork, module: nn.Module, image: Tensor, scores: Tensor, *, softened: bool
) -> None:
    """Raise BadInput unless the module's output is the upsampled scores of its classifier, after
    softmax if `softened`.
    """
    with _watched(module):
        logits = made.classifier(made.trunk(image)).detach()
    same = scores.ndim == 4 and scores.shape[1] == logits.shape[1]
    if same:
        size = (scores.shape[2], scores.shape[3])
        readings = [upsample(logits, size, align_corners=corners) for corners in (False, True)]
        if softened:
            readings = [*(r.softmax(1) for r in readings), *(r.log_softmax(1) for r in readings)]
            sums = [scores.sum(dim=1), scores.exp().sum(dim=1)]
            same = any(torch.allclose(one, one.new_ones(()), atol=1e-3) for one in sums)
        # Constant scores, as of a classifier of zeros, have no correlation and are accepted.
        unlike = all(correlation(one, scores) <= LEAST_CORRELATION for one in readings)
        same = same and not unlike
    if not same:
        raise BadInput(
            f"{type(module).__name__} changes the scores of its last convolution: "
            f"{tuple(logits.shape[1:])} become {tuple(scores.shape[1:])}, "
            "and not by enlarging or softmax over the classes",
            remedy=_REMEDY,
        )


def _classifier(module: nn.Module, image: Tensor) -> tuple[str, Tensor, list[str]]:
    """Find the convolution that gives the class scores, by following gradients backwards.

    Returns its name, the scores of `image`, and the operations behind the convolution. Raises
    BadInput.
    """
    weights = {id(m.weight): n for n, m in module.named_modules() if isinstance(m, nn.Conv2d)}
    try:
        with _watched(module):
            scores = _scores(module(image))
    except BadInput:
        raise
    except Exception as error:  # the user's code
        raise BadInput(
            f"{type(module).__name__} does not run on images {tuple(image.shape)}: {error}",
            remedy=_REMEDY,
        ) from error
    node: Any = scores.grad_fn
    behind: list[str] = []
    while node is not None and node.name() != _CONVOLUTION:
        behind.append(node.name().removesuffix("0").removesuffix("Backward"))
        if not _MOVES.fullmatch(node.name()):
            raise BadInput(
                f"{type(module).__name__}: {behind[-1]} changes the scores behind the last "
                "convolution",
                remedy=_REMEDY,
            )
        node = node.next_functions[0][0]
    if "Sigmoid" in behind and scores.shape[1] > 1:
        raise BadInput(
            f"{type(module).__name__} ends in a Sigmoid over {scores.shape[1]} classes",
            remedy=f"expected classes that exclude each other; {_REMEDY}",
        )
    if node is None:
        raise BadInput(f"{type(module).__name__} has no convolution at its end", remedy=_REMEDY)
    weight = getattr(node.next_functions[1][0], "variable", None)
    own = module.get_submodule(weights[id(weight)]) if id(weight) in weights else None
    if isinstance(own, nn.Conv2d) and (own.padding_mode != "zeros" or own.groups != 1):
        raise BadInput(
            f"{type(module).__name__}: its last convolution, {weights[id(weight)]}, has groups "
            f"{own.groups} and pads {own.padding_mode}",
            remedy=_REMEDY,
        )
    if own is None:
        raise BadInput(
            f"{type(module).__name__}: its last convolution is no Conv2d of its own, with a weight "
            "used as it is",
            remedy=_REMEDY,
        )
    return str(weights[id(weight)]), scores.detach(), behind


def _scores(output: Any) -> Tensor:
    """The class scores in a network's output: a tensor, or the main tensor of several."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Mapping):  # includes outputs of transformers
        named = (output[key] for key in ("out", "logits") if key in output)
        return _scores(next(named, next(iter(output.values()))))
    if isinstance(output, Sequence) and output:
        return _scores(output[0])
    raise BadInput(f"the network gives a {type(output).__name__}", remedy=_REMEDY)


@contextmanager
def _watched(module: nn.Module) -> Iterator[None]:
    """In evaluation mode, with gradients for all weights; the module's state is restored
    afterwards.
    """
    training = module.training
    frozen = [parameter for parameter in module.parameters() if not parameter.requires_grad]
    try:
        for parameter in frozen:
            parameter.requires_grad_(True)
        module.eval()
        with torch.enable_grad():
            yield
    finally:
        for parameter in frozen:
            parameter.requires_grad_(False)
        module.train(training)
