"""Feature pyramid network for segmentation (Kirillov et al. 2019) on a backbone of four stages."""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from trainer.graph.upsampling import upsample

_LATERAL = 256
_WIDTH = 128
_GROUPS = 32

Size = tuple[int, int]


class Fpn(nn.Module):
    """Trunk: from an image to 128 feature maps at full resolution."""

    channels = _WIDTH

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        channels: Sequence[int] = backbone.channels  # type: ignore[assignment]
        self.lateral = nn.ModuleList(nn.Conv2d(count, _LATERAL, 1) for count in channels)
        # Two doublings for stride 4, three for stride 8.
        self.branches = nn.ModuleList(_Branch(2 if i == 0 else 3) for i in range(len(channels)))

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B K H W"]:
        stages = self.backbone(image)
        full = (image.shape[2], image.shape[3])
        half = (-(-full[0] // 2), -(-full[1] // 2))
        quarter = (stages[0].shape[2], stages[0].shape[3])
        above: Tensor | None = None
        total: Tensor | None = None
        for stage, lateral, branch in zip(
            reversed(stages), reversed(self.lateral), reversed(self.branches), strict=True
        ):
            own = lateral(stage)
            above = own if above is None else own + upsample(above, tuple(own.shape[2:]))
            features = branch(above, (quarter, half, full))
            total = features if total is None else total + features
        assert total is not None
        return total


class _Branch(nn.Module):
    """The upsampling branch of a stage: `doublings` times convolution, GroupNorm, ReLU and
    resizing.
    """

    def __init__(self, doublings: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv2d(_WIDTH if index else _LATERAL, _WIDTH, 3, padding=1, bias=False)
            for index in range(doublings)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(_GROUPS, _WIDTH) for _ in range(doublings))

    def forward(self, x: Float[Tensor, "B M h w"], sizes: Sequence[Size]) -> Tensor:
        last = sizes[-len(self.convolutions) :]
        for convolution, norm, size in zip(self.convolutions, self.norms, last, strict=True):
            x = upsample(F.relu(norm(convolution(x))), size)
        return x
