"""What happens to an image between the file and the network: recorded in every contract."""

from dataclasses import dataclass
from typing import Self

CHANNELS = ("rgb", "bgr", "grey")
# The brightness of red, green and blue, ITU-R BT.601, in Pillow's fractions: of bytes their sum is
# exact in float32.
LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)
LAYOUTS = ("nchw", "nhwc")

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """The network sees (pixel - mean) / std of values from 0 to 255, in its own order of channels.

    channels: the order in which the network takes them, and in which mean and std are given; "grey"
    is one channel, of LUMA, whose mean and std stand three times.
    layout: of the network's input, "nchw" or "nhwc".
    """

    mean: Triple
    std: Triple
    channels: str = "rgb"
    layout: str = "nchw"

    def __post_init__(self) -> None:
        """Refuse what no network can have been trained with."""
        if len(self.mean) != 3 or len(self.std) != 3 or not all(value > 0 for value in self.std):
            raise ValueError("mean and std need three values each, std positive ones")
        if self.channels not in CHANNELS or self.layout not in LAYOUTS:
            raise ValueError(f"channels {self.channels!r}, layout {self.layout!r}")
        if self.channels == "grey" and len({*self.mean}) + len({*self.std}) > 2:
            raise ValueError("a grey image has one mean and one std")

    @classmethod
    def scaled(cls, mean: Triple, std: Triple, **others: str) -> Self:
        """From mean and std as they are usually written down: for values from 0 to 1, or to 255.

        Those of values from 0 to 1 are never above 1. A std of ones goes with its mean. Raises
        ValueError for means that no pixels have.
        """
        of_bytes = max(mean) > 1
        factor = 255.0 if not of_bytes else 1.0
        own = max(std) > 1 or (of_bytes and set(std) == {1.0})
        if not all(0 <= factor * value <= 255 for value in mean):
            raise ValueError(f"a mean of {mean} is not a mean of pixel values")
        return cls(mean=_times(mean, factor), std=_times(std, 1.0 if own else 255.0), **others)


def _times(values: Triple, factor: float) -> Triple:
    first, second, third = (round(factor * value, 9) for value in values)
    return first, second, third


AS_IT_IS = Preprocessing(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

# As (mean, std, channels).
PRESETS: dict[str, tuple[Triple, Triple, str]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "rgb"),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "rgb"),  # -1 to 1
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "rgb"),  # 0 to 1
    "raw": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255), "rgb"),  # 0 to 255
    "caffe": ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "bgr"),
}
