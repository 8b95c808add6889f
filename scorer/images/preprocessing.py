"""The preprocessing between an image file and a network, recorded in every contract."""

from dataclasses import dataclass
from typing import Self

CHANNELS = ("rgb", "bgr", "grey")
# Luma weights of red, green and blue, ITU-R BT.601, as Pillow's fractions: with bytes the sum is
# exact in float32.
LUMA = (19595 / 65536, 38470 / 65536, 7471 / 65536)
LAYOUTS = ("nchw", "nhwc")

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Preprocessing:
    """The network sees (pixel - mean) / std of values from 0 to 255, in its own channel order.

    channels: channel order of the network, and of mean and std; "grey": one channel, LUMA, with
    mean and std repeated three times. layout: of the network's input, "nchw" or "nhwc".
    """

    mean: Triple
    std: Triple
    channels: str = "rgb"
    layout: str = "nchw"

    def __post_init__(self) -> None:
        """Raise ValueError for impossible values."""
        if len(self.mean) != 3 or len(self.std) != 3 or not all(value > 0 for value in self.std):
            raise ValueError("mean and std need three values each, std positive ones")
        if self.channels not in CHANNELS or self.layout not in LAYOUTS:
            raise ValueError(f"channels {self.channels!r}, layout {self.layout!r}")
        if self.channels == "grey" and len({*self.mean}) + len({*self.std}) > 2:
            raise ValueError("a grey image has one mean and one std")

    @classmethod
    def scaled(cls, mean: Triple, std: Triple, **others: str) -> Self:
        """From mean and std as usually published: for values from 0 to 1, or from 0 to 255.

        A mean of values from 0 to 1 has no component above 1. A std of ones belongs to the range of
        its mean. Raises ValueError for means outside the range of pixels.
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

# (mean, std, channels)
PRESETS: dict[str, tuple[Triple, Triple, str]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "rgb"),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "rgb"),  # range -1 to 1
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "rgb"),  # range 0 to 1
    "raw": ((0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255), "rgb"),  # range 0 to 255
    "caffe": ((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "bgr"),
}
