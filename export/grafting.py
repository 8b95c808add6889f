"""Presents an ONNX network as a Scorable: features, dropout, linear classifier."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from onnx import ModelProto
from torch import Tensor, nn

from export import border
from export.agreement import agree, check_dropout, kept
from export.branches import decided
from export.cut import cut
from export.foreign import Foreign
from export.head import Head, find
from export.nodes import called
from export.position import elsewhere, looks
from export.probe import Array, Probe
from scorer.errors import CannotGraft
from scorer.images.preprocessing import Preprocessing
from trainer.graph.dropout import FeatureDropout
from trainer.graph.subpixel import layer


class ForeignNetwork(nn.Module):
    """A network in an ONNX file as features, dropout and a linear classifier in PyTorch.

    `features` runs the unchanged file in ONNX Runtime; `trunk` is the part that goes into the
    scoring graph. Raises CannotGraft where the end of the network cannot be replaced by dropout and
    scoring.
    """

    def __init__(
        self,
        foreign: Foreign,
        *,
        preprocessing: Preprocessing,
        grid: tuple[int, int],
        rate: float,
        output: str | None = None,
    ) -> None:
        super().__init__()
        self.foreign, self.preprocessing, self.grid = foreign, preprocessing, grid
        self.model = decided(foreign.sized(grid), foreign.image.name)
        self.head: Head = find(self.model, output)
        self.dropout = FeatureDropout(rate)
        self.probe = Probe(foreign, self.model, self.head, preprocessing, grid)
        self.border = border.find(self.head, self.probe)
        if self.border is not None:
            self.head = self.border.applied(self.head)
        self.classifier = _as_convolution(self.head)
        seen, names = self.probe.seen, self.head.classifier
        scores = self._as_grid(torch.from_numpy(seen[names.logits].astype(np.float32)))
        features = self._features(seen)
        self.kept = agree(self.head, self.classifier, features, scores, seen, self.border)
        check_dropout(self.head, self.classifier, self.dropout, features)
        self._check_position()

    @property
    def sha256(self) -> str:
        return self.foreign.sha256

    @property
    def align_corners(self) -> bool:
        return self.head.align_corners

    @property
    def precision(self) -> str:
        """Precision of the features: float16, bfloat16 or float32."""
        kind = str(self.probe.seen[self.head.classifier.features[0]].dtype)
        return kind if kind in ("float16", "bfloat16") else "float32"

    @property
    def classes(self) -> int:
        """Number of classes, at least 2."""
        return max(2, self.head.classifier.classes)

    def features(self, image: UInt8[Tensor, "B H W 3"]) -> Float[Tensor, "B K h w"]:
        """The classifier's input, computed by the file in ONNX Runtime."""
        return torch.cat([self._features(self.probe.run(one.numpy())) for one in image])

    def trunk(self) -> ModelProto:
        """The graph from IMAGE to FEATURES."""
        found = self.head.classifier
        return cut(self.foreign, self.model, found, self.preprocessing, self._tokens)

    def findings(self) -> list[str]:
        """What was found in the file, as lines for the terminal."""
        found, given = self.head.classifier, self.preprocessing
        kernel = "x".join(map(str, found.weight.shape[2:]))
        behind = f", {found.side}x{found.side} pixels of each feature" if found.side > 1 else ""
        lines = [
            f"output {self.head.output!r}: {kernel} classifier of {found.weight.shape[1]} channels "
            f"in {found.logits!r}{behind}, {self.classes} classes, images of "
            f"{self.grid[0]}x{self.grid[1]}",
            f"images: {given.channels}, (pixel - mean) / std with mean {_short(given.mean)}, std "
            f"{_short(given.std)} of 255: is that how it was trained?",
        ]
        if self.kept is not None:
            lines.append(
                f"{self.kept:.1%} of the pixels of a test image keep the network's own class"
            )
        if self.head.ignored:
            lines.insert(1, f"not looked at: {', '.join(self.head.ignored)}; --output follows one")
        if 1 < (some := len(kept(self.head, self.probe.seen))) < found.classes:
            lines.append(
                f"its output keeps {some} of its {found.classes} classes; the graph has all"
            )
        if found.classes == 1 and not self.head.ends_with("Sigmoid"):
            lines.append("one score per pixel: above 0 is taken as foreground")
        if self.border is not None and self.border.score:
            lines.append(
                f"its threshold is a score of {self.border.score:.3g}, which is taken as the "
                "border between the two classes"
            )
        if all(axis.extent is None for axis in self.looks):
            lines.append("where its scores look cannot be told: each depends on the whole image")
        if self.head.softens_first:
            lines.append("it enlarges probabilities; the graph enlarges scores, and softens then")
        return lines + [
            f"{called(node)} is replaced by bilinear enlarging" for node in self.head.replaced
        ]

    @torch.inference_mode()
    def _check_position(self) -> None:
        """Raise CannotGraft where the score map does not cover the whole image in place."""

        def see(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
            scores: Float[Tensor, "C h w"] = self.classifier(self._features(self.probe.run(image)))[
                0
            ]
            return scores.numpy()

        size = see(self.probe.image).shape[1:]
        self.looks = looks(self.probe.image, see)
        if wrong := elsewhere(self.looks, (size[0], size[1])):
            raise CannotGraft(
                f"{self.foreign.path} does not score the whole image: {wrong}",
                remedy="export it with zeros around its convolutions (padding), and without a crop",
            )

    def _features(self, found: dict[str, Array]) -> Float[Tensor, "1 K h w"]:
        names = self.head.classifier.features
        parts = [torch.from_numpy(found[name].astype(np.float32)) for name in names]
        if len({part.shape[2:] for part in parts}) > 1:
            sizes = ", ".join("x".join(map(str, part.shape[2:])) for part in parts)
            raise CannotGraft(
                f"{self.head.classifier.logits!r} sums classifiers of features of {sizes}",
                remedy="expected features of one size",
            )
        whole = self._as_grid(torch.cat(parts, dim=1) if len(parts) > 1 else parts[0])
        if not self.head.classifier.uneven:
            return whole
        top, left, bottom, right = self.head.classifier.pads
        return F.pad(whole, (left, right, top, bottom))

    def _as_grid(self, values: Float[Tensor, "..."]) -> Float[Tensor, "1 _ h w"]:
        order = self.head.classifier.order
        if order == "grid":
            return values
        rows, columns = self._tokens
        if order == "first":
            return values.reshape(1, -1, rows, columns)
        return values.reshape(1, rows, columns, -1).permute(0, 3, 1, 2)

    @cached_property
    def _tokens(self) -> tuple[int, int]:
        """Rows and columns to which the network reshapes its tokens; 0, 0 for features on a
        grid.
        """
        found = self.head.classifier
        if found.order == "grid":
            return 0, 0
        shapes = {name: value.shape for name, value in self.probe.seen.items()}
        count = math.prod(shapes[found.logits]) // found.classes
        for name in (found.logits, *(node.output[0] for node in self.head.behind)):
            shape = shapes[name]
            for axis, sides in ((1, shape[2:]), (3, shape[1:3])) if len(shape) == 4 else ():
                if shape[axis] == found.classes and math.prod(sides) == count:
                    return sides[0], sides[1]
        raise CannotGraft(
            f"the classifier {found.logits!r} scores {count} tokens, which the network never lays "
            "out as a picture: boxes or queries, perhaps",
            remedy="expected class scores [batch, classes, height, width] or a map of labels",
        )


def _as_convolution(head: Head) -> nn.Conv2d:
    """The classifier in PyTorch. One score z becomes the two scores 0 and z, for sigmoid(z) =
    softmax(0, z)[1].
    """
    found = head.classifier
    weight, bias = (torch.from_numpy(np.array(v)) for v in (found.weight, found.bias))
    if found.classes == 1:
        weight = torch.cat((torch.zeros_like(weight), weight))
        bias = torch.cat((torch.zeros_like(bias), bias))
    made = layer(
        weight.shape[1],
        len(weight),
        factor=found.side,
        kernel_size=tuple(weight.shape[2:]),
        stride=found.strides,
        padding=0 if found.uneven else found.pads[:2],
        dilation=found.dilations,
    )
    made.weight.copy_(weight)
    made.bias.copy_(bias)  # type: ignore[union-attr]
    return made.eval()


def _short(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)
