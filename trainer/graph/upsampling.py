"""Maps enlarged to the size of the image, the same way in training, scoring and graphs."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def upsample(
    maps: Float[Tensor, "B C h w"], size: tuple[int, int], *, align_corners: bool = False
) -> Float[Tensor, "B C H W"]:
    """Bilinear, pixel centres at i + 0.5, or outermost pixels on outermost pixels.

    Said as a factor where it is a whole one: in a graph a size depends on the batch and cannot be
    known before the image is seen, which keeps runtimes from their fast ways.
    """
    if size == tuple(maps.shape[2:]):
        return maps
    factors = [big / small for big, small in zip(size, maps.shape[2:], strict=True)]
    whole = {"scale_factor": factors} if all(f.is_integer() for f in factors) else {"size": size}
    return F.interpolate(maps, mode="bilinear", align_corners=align_corners, **whole)
