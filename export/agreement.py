"""Checks that a network's classifier was read correctly: its scores must equal the network's
own.
"""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor, nn

from export.border import Border
from export.head import Head
from export.nodes import called
from export.probe import Array
from export.readings import of_scores
from scorer.errors import CannotGraft
from trainer.graph.dropout import FeatureDropout, masks, widen
from trainer.graph.upsampling import upsample
from trainer.network import LEAST_CORRELATION, correlation

# Largest relative error of the scores: of networks in float32, and in lower precisions.
_LARGEST_ERROR, _LARGEST_ERROR_IN_HALF = 1e-3, 2e-2
_LARGEST_SCORE = 1e4  # nats
# Least share of the pixels of a test image that must keep the class of the whole network: with the
# network's own upsampling, and with upsampling that was replaced.
_LEAST, _LEAST_IF_REPLACED = 0.98, 0.6


@torch.inference_mode()
def agree(
    head: Head,
    classifier: nn.Conv2d,
    features: Float[Tensor, "1 K h w"],
    scores: Float[Tensor, "1 _ h w"],
    seen: Mapping[str, Array],
    border: Border | None,
) -> float | None:
    """Compare classifier(features) with the network's own scores, both at the classifier's output
    and after upsampling, before softmax or ArgMax.

    seen: tensors of the network for the test image, by name. Returns the share of pixels of the
    test image that keep their class, or None where the network's output is not a class map. Raises
    CannotGraft where the scores differ.
    """
    logits = classifier(features)
    _check_range(head, features, logits)
    error = _error(head, logits, scores)
    if not error <= _most(head, seen):
        raise CannotGraft(
            f"the classifier {head.classifier.logits!r} was not understood: its scores are not the "
            f"network's (off by {error:.1%})",
            remedy="expected a plain Conv, MatMul or Gemm: export the network anew, at opset 18",
        )
    if max(logits.shape[2:]) == 1:
        raise CannotGraft(
            f"the classifier {head.classifier.logits!r} gives one label for the whole image",
            remedy="expected class scores [batch, classes, height, width] or a map of labels",
        )
    _check_crops(head, seen)
    _check_enlarged(head, logits, seen, border)
    expected = _labels(head, seen, border)
    if expected is None:
        return None
    if border is None and len(classes := kept(head, seen)) < head.classifier.classes:
        logits = logits[:, classes]
    share = max(
        float((_classes(head, logits, one.shape) == one).mean()) for one in (expected, expected.T)
    )
    if share < (_LEAST_IF_REPLACED if head.replaced else _LEAST):
        raise _changed(head, f"changes the class of {1 - share:.0%} of the pixels of a test image")
    return share


@torch.inference_mode()
def check_dropout(
    head: Head,
    classifier: nn.Conv2d,
    dropout: FeatureDropout,
    features: Float[Tensor, "1 K h w"],
) -> None:
    """Raise CannotGraft unless two dropout masks give different scores somewhere in the test
    image.
    """
    keep = masks(2, classifier.in_channels, dropout.rate, seed=0)
    keep[1] = 1 - keep[0]  # with few channels two random masks are often equal
    one, other = widen(classifier, keep, dropout.rate)(features).chunk(2, dim=1)
    if torch.equal(one, other):
        raise CannotGraft(
            f"dropping channels of {head.classifier.features[0]!r} changes no score of a test "
            "image: dropout there would have no effect",
            remedy="is the network trained, and --preset the way its images are prepared?",
        )


def _check_range(
    head: Head, features: Float[Tensor, "1 K h w"], logits: Float[Tensor, "1 C h w"]
) -> None:
    """Raise CannotGraft unless the scores of a test image are finite and small enough for float32
    to resolve thousandths of a nat.
    """
    if not np.isfinite(head.classifier.weight).all() or not np.isfinite(head.classifier.bias).all():
        raise CannotGraft(
            f"the classifier {head.classifier.logits!r} has weights that are no finite numbers",
            remedy="its training has failed, or the file is damaged: use an earlier state of it",
        )
    largest = float(logits.abs().max())  # NaN if any score is NaN
    if largest <= _LARGEST_SCORE:
        return
    what = (
        f"class scores of up to {largest:.1g}" if math.isfinite(largest) else "scores that overflow"
    )
    if not bool(features.isfinite().all()):
        what = "features that are no finite numbers"
    raise CannotGraft(
        f"an ordinary image gives {what} in {head.classifier.logits!r}: such a network is certain "
        "of everything, or of nothing",
        remedy="most likely its images are prepared in another way than in its training: choose "
        "--preset, or --mean and --std, of its training",
    )


def _check_crops(head: Head, seen: Mapping[str, Array]) -> None:
    before = head.classifier.logits
    late = {node.output[0] for node in head.behind_ending}
    for node in head.behind:
        old, new = seen[before].shape, seen[node.output[0]].shape
        loses = node.op_type in ("Slice", "Pad", "Gather") and _sides(old) != _sides(new)
        if loses and not (node.output[0] in late and _fewer_classes(head, old, new)):
            raise CannotGraft(
                f"{called(node)} behind the classifier makes {_sizes(seen[node.output[0]])} of "
                f"{_sizes(seen[before])}: pixels or classes would be lost or moved",
                remedy="expected nothing but enlarging, softmax and argmax, and the choice of a "
                "class behind softmax; a crop or a pad is gone at a --size that the network need "
                "not pad",
            )
        before = node.output[0]


def _sides(shape: tuple[int, ...]) -> list[int]:
    return [side for side in shape if side > 1]


def _fewer_classes(head: Head, old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    """Whether the shapes differ only in the axis of the classes, which is shorter or gone."""
    classes = head.classifier.classes
    return any(
        side == classes and _sides((*old[:axis], kept, *old[axis + 1 :])) == _sides(new)
        for axis, side in enumerate(old)
        for kept in range(1, classes)
    )


def _check_enlarged(
    head: Head,
    logits: Float[Tensor, "1 C h w"],
    seen: Mapping[str, Array],
    border: Border | None,
) -> None:
    """Raise CannotGraft unless the scores before softmax, ArgMax or the output are the upsampled
    scores of the classifier.
    """
    own = logits[:, -head.classifier.classes :]
    own = own if border is None else border.undone(own)
    readings = list(of_scores(seen[head.before_ending], own.shape[1], (own.shape[2], own.shape[3])))
    if not readings:
        raise _changed(
            head,
            f"makes {_sizes(seen[head.before_ending])} of the scores of {own.shape[1]} classes: "
            "they are not classes of pixels any more",
        )
    enlarged = [
        (
            upsample(own, (shown.shape[1], shown.shape[2]), align_corners=head.align_corners)[0],
            shown,
        )
        for shown in readings
    ]
    if head.replaced:
        if not any(correlation(*pair) >= LEAST_CORRELATION for pair in enlarged):
            raise _changed(head, "moves or mixes the scores of a test image")
        return
    off = min(_relative(full, shown) for full, shown in enlarged)
    if not off <= _most(head, seen):
        raise _changed(head, f"changes the scores of a test image by {off:.1%}")


def _most(head: Head, seen: Mapping[str, Array]) -> float:
    single = seen[head.classifier.features[0]].dtype in (np.float32, np.float64)
    return _LARGEST_ERROR if single else _LARGEST_ERROR_IN_HALF


def _relative(own: Tensor, expected: Tensor) -> float:
    return float((own - expected).abs().max() / expected.abs().max().clamp(min=1e-6))


def _changed(head: Head, what: str) -> CannotGraft:
    behind = ", ".join(called(node) for node in head.behind)
    return CannotGraft(
        f"what the network does behind its classifier {what}: {behind}",
        remedy="expected nothing but enlarging, softmax and argmax",
    )


def _sizes(values: Array) -> str:
    return "x".join(map(str, values.shape))


def _classes(head: Head, logits: Float[Tensor, "1 C h w"], size: tuple[int, ...]) -> Array:
    full = upsample(logits, (size[0], size[1]), align_corners=head.align_corners)
    return np.asarray(full[0].argmax(dim=0).numpy())


def _error(head: Head, logits: Float[Tensor, "1 C h w"], scores: Float[Tensor, "1 _ h w"]) -> float:
    scale, shift = (torch.from_numpy(v)[:, None, None] for v in (head.scale, head.shift))
    expected = scores * scale + shift
    # where one score stands for two classes, the second
    own = logits[:, -head.classifier.classes :]
    if own.shape != expected.shape:
        return math.inf
    return _relative(own, expected)


def kept(head: Head, seen: Mapping[str, Array]) -> npt.NDArray[np.int64]:
    """The classes in the network's output, which may keep only some of them behind a softmax."""
    found = np.arange(head.classifier.classes)
    late = {node.output[0] for node in head.behind_ending}
    before = head.classifier.logits
    for node in head.behind:
        here, shape = node.output[0], seen[before].shape
        chosen = head.choices.get(here) if here in late else None
        if chosen is not None and _fewer_classes(head, shape, seen[here].shape):
            found = found[chosen.of(len(found))]
        before = here
    return found


def _labels(
    head: Head, seen: Mapping[str, Array], border: Border | None
) -> npt.NDArray[np.int64] | None:
    """The class map [H, W] in the network's output, with indices among the classes that it keeps;
    None where the output is not a class map.
    """
    flat = np.squeeze(seen[head.output])
    classes = len(kept(head, seen))
    if border is not None:
        return border.labels(flat, head.classifier.classes)
    if head.ends_with("ArgMax"):
        return flat.astype(np.int64) if flat.ndim == 2 else None
    if flat.ndim != 3 or [*flat.shape].count(classes) != 1:
        return None  # it is ambiguous which axis holds the classes; the scores have been compared
    return np.asarray(flat.argmax(flat.shape.index(classes)), np.int64)
