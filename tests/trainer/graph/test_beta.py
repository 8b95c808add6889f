"""The Beta fit and its entropy against 50-digit arithmetic."""

import mpmath as mp
import numpy as np
import pytest
import torch

from scorer.contract import RELATIVE_SD_FLOOR
from trainer.graph import beta

mp.mp.dps = 50


def exact(alpha: float, b: float) -> float:
    """Differential entropy of Beta(alpha + 1, b), by the textbook form, with digits to spare."""
    a, b = mp.mpf(alpha) + 1, mp.mpf(b)
    log_beta = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    digammas = (a - 1) * mp.digamma(a) + (b - 1) * mp.digamma(b) - (a + b - 2) * mp.digamma(a + b)
    return float(log_beta - digammas)


def relative_error(alphas: np.ndarray, betas: np.ndarray) -> np.ndarray:
    """Error of the float32 form, relative where the entropy is beyond 1, else absolute."""
    alphas, betas = alphas.astype(np.float32), betas.astype(np.float32)
    expected = np.array([exact(float(a), float(b)) for a, b in zip(alphas, betas, strict=True)])
    got = beta.entropy(torch.from_numpy(alphas), torch.from_numpy(betas)).numpy()
    return np.abs(got - expected) / np.maximum(1, np.abs(expected))


def test_the_entropy_is_right_to_1e_5_at_random_parameters() -> None:
    rng = np.random.default_rng(0)
    errors = relative_error(10 ** rng.uniform(-8, 8, 3000), 10 ** rng.uniform(-8, 8, 3000))
    assert errors.max() <= 1e-5


def test_the_entropy_is_right_to_1e_5_on_a_grid_of_powers_of_ten() -> None:
    powers = 10.0 ** np.arange(-8, 9)
    alphas, betas = (axis.ravel() for axis in np.meshgrid(powers, powers))
    assert len(alphas) == 17 * 17
    assert relative_error(alphas, betas).max() <= 1e-5


@pytest.mark.parametrize(
    ("alpha", "b", "entropy"),
    [
        (0.0, 1.0, 0.0),  # uniform
        (1.0, 1.0, 0.5 - np.log(2)),  # Beta(2, 1): density 2x
    ],
)
def test_known_entropies(alpha: float, b: float, entropy: float) -> None:
    got = beta.entropy(torch.tensor(alpha), torch.tensor(b))
    assert float(got) == pytest.approx(entropy, abs=1e-5)


@pytest.mark.parametrize("tail", [beta.OF_A, beta.OF_Y], ids=["a", "y"])
def test_the_fits_of_binets_remainders_err_by_no_more_than_they_say(tail: beta.Tail) -> None:
    def f(x: mp.mpf) -> mp.mpf:
        r = mp.loggamma(x) - ((x - 0.5) * mp.log(x) - x + mp.log(2 * mp.pi) / 2)
        s = mp.log(x) - 1 / (2 * x) - mp.digamma(x)
        return r + (x - tail.k) * s - tail.lead / x

    points = [1 + mp.mpf(10) ** (mp.mpf(k) / 30) / 1000 for k in range(300)]
    errors = []
    for x in points:
        t = float(1 / (x + tail.shift))
        fitted = tail.power * mp.log(1 + tail.shift / x) + float(
            tail.polynomial(torch.tensor(t, dtype=torch.float64))
        )
        errors.append(abs(fitted - f(x)))
    assert tail.error / 2 < max(errors) <= tail.error


def one_pixel(*values: float) -> torch.Tensor:
    return torch.tensor(values).view(1, -1, 1)


def test_fit_gives_the_papers_alpha_and_beta() -> None:
    mean, variance = 0.3, 0.01
    alpha, b = beta.fit(one_pixel(mean, 1 - mean), one_pixel(variance, variance))
    alpha, b = alpha[:, 0], b[:, 0]
    expected = mean**2 * (1 - mean) / variance - mean
    assert float(alpha) == pytest.approx(expected, rel=1e-5)
    assert float(b) == pytest.approx((1 / mean - 1) * expected, rel=1e-5)


def test_fit_floors_the_standard_deviation_relative_to_the_mean() -> None:
    mean = 0.3
    alpha, b = beta.fit(one_pixel(mean, 1 - mean), one_pixel(0.0, 0.0))
    alpha, b = alpha[:, 0], b[:, 0]
    floor = (RELATIVE_SD_FLOOR * mean) ** 2
    assert float(alpha + b) == pytest.approx(mean * (1 - mean) / floor - 1, rel=1e-4)


@pytest.mark.parametrize(
    "mean", [(1.0, 0.0), (0.0, 1.0), (1.0, 1e-30), (0.5, 0.5)], ids=["one", "zero", "tiny", "tied"]
)
@pytest.mark.parametrize("between", [0.0, 0.25], ids=["equal passes", "flipping passes"])
def test_fit_stays_finite_at_the_edges(mean: tuple[float, float], between: float) -> None:
    parameters = beta.fit(one_pixel(*mean), one_pixel(between, between))
    assert all(bool(torch.isfinite(value).all()) for value in parameters)
    assert bool(torch.isfinite(beta.entropy(*parameters)).all())
