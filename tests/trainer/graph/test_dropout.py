"""Dropout in training, and the fixed masks that take its place."""

import numpy as np
import pytest
import torch

from trainer.graph.dropout import FeatureDropout, dropped, masks, widen


def test_masks_depend_on_the_seed_alone() -> None:
    assert torch.equal(masks(20, 256, 0.2, seed=3), masks(20, 256, 0.2, seed=3))
    assert not torch.equal(masks(20, 256, 0.2, seed=3), masks(20, 256, 0.2, seed=4))


def test_masks_are_the_same_on_every_machine() -> None:
    first = masks(2, 8, 0.5, seed=0).int().tolist()
    assert first == GOLDEN, "graphs exported before would score differently"


GOLDEN = [[0, 1, 1, 1, 0, 0, 1, 1], [1, 1, 0, 1, 0, 0, 0, 0]]


def test_masks_drop_at_the_rate() -> None:
    assert float(1 - masks(200, 512, 0.2, seed=0).mean()) == pytest.approx(0.2, abs=0.005)


@pytest.mark.parametrize("kernel", [1, 3])
def test_the_widened_classifier_is_every_pass_at_once(kernel: int) -> None:
    torch.manual_seed(0)
    classifier = torch.nn.Conv2d(16, 3, kernel, padding=kernel // 2)
    features, keep = torch.randn(2, 16, 5, 6), masks(4, 16, 0.3, seed=1)
    with torch.no_grad():
        wide = widen(classifier, keep, 0.3)(features)
        passes = [classifier(features * mask.view(1, -1, 1, 1) / 0.7) for mask in keep]
        expected = torch.cat(passes, dim=1)
    np.testing.assert_allclose(wide, expected, atol=1e-5)


def test_the_widened_classifier_is_where_the_classifier_is() -> None:
    elsewhere = torch.nn.Conv2d(4, 2, 1, device="meta")
    assert widen(elsewhere, masks(2, 4, 0.5, 0), 0.5).weight.is_meta


def test_a_classifier_without_bias_stays_without() -> None:
    assert widen(torch.nn.Conv2d(4, 2, 1, bias=False), masks(2, 4, 0.5, 0), 0.5).bias is None


def test_channel_dropout_drops_whole_channels_and_elementwise_does_not() -> None:
    torch.manual_seed(0)
    ones = torch.ones(8, 64, 6, 6)
    channel, element = (
        FeatureDropout(0.2, kind).train()(ones) for kind in ("channel", "elementwise")
    )
    assert set(channel.flatten(2).std(dim=2).flatten().tolist()) == {0.0}
    assert float(element.flatten(2).std(dim=2).median()) > 0.3
    for values in (channel, element):
        assert float(values.mean()) == pytest.approx(1, abs=0.05)
        assert float(values.max()) == pytest.approx(1.25)


@pytest.mark.parametrize(("rate", "kind"), [(0.0, "channel"), (1.0, "channel"), (0.2, "spatial")])
def test_impossible_dropout_is_refused(rate: float, kind: str) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        FeatureDropout(rate, kind)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.9])
def test_dropped_values_are_zero_at_the_rate_and_keep_their_expectation(rate: float) -> None:
    torch.manual_seed(0)
    values = torch.full((301, 333), 2.0, requires_grad=True)  # no multiple of four
    found = dropped(values, rate)
    kept = found > 0
    # Five standard deviations, of all and of every row and column: none is favoured.
    for part in (kept.flatten()[None], kept, kept.T):
        bound = 5 * (rate * (1 - rate) / part.shape[1]) ** 0.5
        assert float((part.float().mean(dim=1) - (1 - rate)).abs().max()) < bound
    torch.testing.assert_close(found[kept], torch.full_like(found[kept], 2 / (1 - rate)))
    found.sum().backward()
    torch.testing.assert_close(values.grad, kept.float() / (1 - rate))


def test_the_seed_says_what_is_dropped() -> None:
    first, second, again = (
        (torch.manual_seed(seed), dropped(torch.ones(64, 8), 0.5))[1] for seed in (1, 2, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
