"""Upsampling of maps, the same in training, scoring and graphs."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def upsample(
    maps: Float[Tensor, "B C h w"], size: tuple[int, int], *, align_corners: bool = False
) -> Float[Tensor, "B C H W"]:
    """Upsample bilinearly to `size` (height, width), with pixel centres at i + 0.5 or aligned
    corners.

    A whole factor is passed as a factor: in a graph, a size would be computed from the batch and be
    unknown before the run, which keeps runtimes from their fast kernels.
    """
    if size == tuple(maps.shape[2:]):
        return maps
    factors = [big / small for big, small in zip(size, maps.shape[2:], strict=True)]
    whole = {"scale_factor": factors} if all(f.is_integer() for f in factors) else {"size": size}
    return F.interpolate(maps, mode="bilinear", align_corners=align_corners, **whole)
