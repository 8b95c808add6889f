"""The network around a trunk: normalisation, dropout, classifier, and logits between pixels."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.graph.dropout import FeatureDropout
from trainer.graph.upsampling import upsample
from trainer.network import BayesianNetwork, at_points

MEAN, STD = (0.5, 0.25, 0.125), (0.5, 0.25, 2.0)


class Plain(nn.Module):
    """A trunk that can be followed by hand: means of 4x4 blocks, channels repeated."""

    def __init__(self, repeats: int = 4) -> None:
        super().__init__()
        self.channels = 3 * repeats
        self.repeats = repeats
        self.backbone = nn.Identity()

    def forward(self, image: Tensor) -> Tensor:
        return F.avg_pool2d(image, 4).repeat(1, self.repeats, 1, 1)


def plain(rate: float = 0.5, kind: str = "channel", repeats: int = 4) -> BayesianNetwork:
    torch.manual_seed(0)
    trunk = Plain(repeats)
    head = nn.Conv2d(trunk.channels, 5, 1)
    return BayesianNetwork(trunk, head, FeatureDropout(rate, kind), mean=MEAN, std=STD)


def images(batch: int = 2, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(0, 256, (batch, 16, 24, 3)).astype(np.uint8))


SIZES = [
    ((8, 8), (32, 32)),
    ((5, 7), (17, 25)),
    ((1, 1), (4, 4)),
    ((1, 9), (3, 36)),
    ((6, 6), (6, 6)),
    ((16, 12), (5, 7)),
]


@pytest.mark.parametrize(("small", "size"), SIZES)
def test_at_pixel_centres_points_equal_upsampled_logits(
    small: tuple[int, int], size: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, 3, *small, dtype=torch.float64)
    points = torch.from_numpy(np.stack(np.indices(size), -1).reshape(-1, 2)).double()
    found = at_points(logits, points.expand(2, -1, -1), size)
    whole = F.interpolate(logits, size, mode="bilinear", align_corners=False)
    assert found.shape == (2, size[0] * size[1], 3)
    torch.testing.assert_close(found, whole.flatten(2).transpose(1, 2), rtol=0, atol=1e-12)
    torch.testing.assert_close(upsample(logits, size), whole, rtol=0, atol=0)


@pytest.mark.parametrize("seed", range(5))
def test_between_pixels_points_are_bilinear_and_constant_beyond_the_border(seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(4, 6))
    points = rng.uniform((-0.5, -0.5), (15.5, 23.5), (50, 2))
    found = at_points(
        torch.from_numpy(logits)[None, None], torch.from_numpy(points)[None], (16, 24)
    )
    for (row, col), value in zip(points, found[0, :, 0].tolist(), strict=True):
        y, x = np.clip((row + 0.5) / 4 - 0.5, 0, 3), np.clip((col + 0.5) / 4 - 0.5, 0, 5)
        i, j = min(int(y), 2), min(int(x), 4)
        square, v, u = logits[i : i + 2, j : j + 2], y - i, x - j
        expected = np.array([1 - v, v]) @ square @ np.array([1 - u, u])
        assert value == pytest.approx(expected, abs=1e-12)


def test_images_are_normalised_inside_the_network() -> None:
    network = plain()
    pixels = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
    pixels[...] = torch.tensor([255, 51, 0], dtype=torch.uint8)
    features = network.features(pixels)
    assert features.shape == (1, 12, 1, 1)
    expected = [(1 - 0.5) / 0.5, (0.2 - 0.25) / 0.25, (0 - 0.125) / 2.0] * 4
    assert features.flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_an_image_goes_in_as_it_is_stored_rows_first() -> None:
    network = plain()
    pixels = torch.zeros(1, 8, 16, 3, dtype=torch.uint8)
    pixels[0, :4, 12:, 0] = 255  # red, above right
    red = network.features(pixels)[0, 0]
    assert red.shape == (2, 4)
    assert (red > 0).nonzero().tolist() == [[0, 3]]


def test_the_dropout_is_the_last_thing_before_the_classifier() -> None:
    network = plain().train()
    torch.manual_seed(3)
    logits = network(images())
    torch.manual_seed(3)
    features = network.dropout(network.features(images()))
    assert torch.equal(logits, network.classifier(features))
    assert not torch.equal(features, network.features(images()))


def test_the_classifier_is_linear_in_each_pixel() -> None:
    network = plain()
    assert network.classifier.kernel_size == (1, 1)
    assert network.classifier.weight.shape == (5, 12, 1, 1)
    assert network.classifier.bias is not None


@pytest.mark.parametrize("kind", ["channel", "elementwise"])
def test_in_evaluation_nothing_is_random(kind: str) -> None:
    network = plain(kind=kind).eval()
    first, again = network(images()), network(images())
    assert torch.equal(first, again)
    assert torch.equal(first, network.classifier(network.features(images())))


@pytest.mark.parametrize("kind", ["channel", "elementwise"])
def test_in_training_every_pass_is_another(kind: str) -> None:
    network = plain(kind=kind).train()
    assert not torch.equal(network(images()), network(images()))


def dropped(kind: str, rate: float) -> tuple[Tensor, Tensor]:
    """Features of ones after dropout, 2048 maps of 3x5: values, and whether each is kept."""
    torch.manual_seed(0)
    out = FeatureDropout(rate, kind).train()(torch.ones(8, 256, 3, 5))
    return out, out != 0


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_channel_dropout_zeroes_whole_channels_at_its_rate_and_scales_the_rest(rate: float) -> None:
    out, kept = dropped("channel", rate)
    of_channel = kept.flatten(2)
    assert torch.equal(of_channel.all(2), of_channel.any(2))
    # Binomial of 2048 channels: 5 standard deviations are at most 0.056.
    assert 1 - float(of_channel.all(2).float().mean()) == pytest.approx(rate, abs=0.056)
    assert torch.allclose(out[kept], torch.tensor(1 / (1 - rate)))
    assert not torch.equal(of_channel[0], of_channel[1])  # one mask for each image


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_elementwise_dropout_zeroes_elements_at_its_rate_and_scales_the_rest(rate: float) -> None:
    out, kept = dropped("elementwise", rate)
    of_channel = kept.flatten(2)
    assert not torch.equal(of_channel.all(2), of_channel.any(2))
    assert 1 - float(kept.float().mean()) == pytest.approx(rate, abs=0.015)
    assert torch.allclose(out[kept], torch.tensor(1 / (1 - rate)))


def test_the_state_of_a_network_holds_its_normalisation() -> None:
    state = plain().state_dict()
    assert state["image_mean"].flatten().tolist() == pytest.approx([127.5, 63.75, 31.875])
    assert state["image_std"].flatten().tolist() == pytest.approx([127.5, 63.75, 510.0])
