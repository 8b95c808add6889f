"""The oracle is right: against 80-digit and longer arithmetic, closed forms and hand-made cases."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import mpmath
import numpy as np
import numpy.typing as npt
import oracle
import pytest
from oracle import Floor
from scipy import integrate, ndimage, signal, special, stats

Array = npt.NDArray[np.float64]

LN2 = np.log(2.0)
FLOOR = Floor(relative_sd=1e-3, balent_min=-8.0)


def relative_error(actual: npt.ArrayLike, expected: npt.ArrayLike) -> Array:
    """|actual - expected| / max(1, |expected|): relative, or absolute below 1."""
    expected = np.asarray(expected, np.float64)
    return np.abs(np.asarray(actual) - expected) / np.maximum(1.0, np.abs(expected))


def exact_beta_entropy(alpha: float, beta: float) -> mpmath.mpf:
    """The textbook form in the caller's mpmath precision."""
    a, b = mpmath.mpf(alpha) + 1, mpmath.mpf(beta)
    log_beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
    psi = mpmath.digamma
    return log_beta - (a - 1) * psi(a) - (b - 1) * psi(b) + (a + b - 2) * psi(a + b)


def dirichlet_passes(seed: int, passes: int = 20, classes: int = 11, pixels: int = 500) -> Array:
    """Dirichlet passes [m, C, pixels], from nearly certain to nearly uniform."""
    random = np.random.default_rng(seed)
    concentration = 10.0 ** random.uniform(-2, 3, size=(1, 1, pixels))
    draws = random.gamma(concentration / classes, size=(passes, classes, pixels)) + 1e-300
    return draws / draws.sum(axis=1, keepdims=True)


def test_the_oracle_imports_nothing_of_ours() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("" if node.level else str(node.module).split(".")[0])
    assert found == {"__future__", "collections", "dataclasses", "numpy", "scipy"}


# --- beta_entropy -----------------------------------------------------------------------------

GRID = list(itertools.product(np.logspace(-8, 8, 17), repeat=2))
RANDOM = list(10.0 ** np.random.default_rng(1).uniform(-8, 8, size=(600, 2)))
BEYOND = list(itertools.product([0.0, 1e-20, 1e-8, 1.0, 1e10, 1e15, 1e20], [1e-20, 1.0, 1e9, 1e20]))
NEAR_THE_BRANCH = list(itertools.product([14.0, 14.999999, 15.0, 15.000001, 16.0], repeat=2))


@pytest.mark.parametrize(
    ("pairs", "count"),
    [(GRID, 289), (RANDOM, 600), (BEYOND, 28), (NEAR_THE_BRANCH, 25)],
    ids=["log grid", "random", "beyond", "near the branch"],
)
def test_beta_entropy_equals_the_textbook_form_in_eighty_digits(
    pairs: list[tuple[float, float]], count: int
) -> None:
    with mpmath.workdps(80):
        expected = [float(exact_beta_entropy(alpha, beta)) for alpha, beta in pairs]
    assert len(expected) == count
    actual = oracle.beta_entropy(*np.transpose(pairs))
    assert relative_error(actual, expected).max() < 1e-12


def test_the_textbook_form_in_float64_fails_where_the_oracle_does_not() -> None:
    alpha, beta = 1e13, 3e12
    a, b, psi = alpha + 1.0, beta, special.psi
    naive = special.betaln(a, b) - (a - 1) * psi(a) - (b - 1) * psi(b) + (a + b - 2) * psi(a + b)
    with mpmath.workdps(80):
        expected = float(exact_beta_entropy(alpha, beta))
    assert relative_error(naive, expected) > 1e-6
    assert relative_error(oracle.beta_entropy(alpha, beta), expected) < 1e-12


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [
        (0.0, 1.0, 0.0),  # Beta(1, 1) is uniform
        (1.0, 1.0, 0.5 - LN2),  # Beta(2, 1): density 2x
        (2.0, 1.0, 2.0 / 3.0 - np.log(3.0)),  # Beta(3, 1): density 3x^2
        (0.0, 1e-6, 1.0 - 1e6 + np.log(1e6)),  # Beta(1, b): 1 - 1/b - ln b
        (0.0, 1e20, 1.0 - np.log(1e20)),
        (1e20, 1.0, 1.0 - np.log(1e20)),
        (0.0, 0.0, -np.inf),  # the limit of -1/b
        (3.0, 1e-310, -np.inf),
    ],
)
def test_beta_entropy_has_its_closed_forms(alpha: float, beta: float, expected: float) -> None:
    np.testing.assert_allclose(oracle.beta_entropy(alpha, beta), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("alpha", "beta"), [(1.5, 1.5), (0.0, 2.0), (4.0, 30.0), (20.0, 1.2)])
def test_beta_entropy_is_minus_the_integral_of_f_ln_f(alpha: float, beta: float) -> None:
    def integrand(x: float) -> float:
        return float(special.entr(stats.beta.pdf(x, alpha + 1.0, beta)))

    expected, _ = integrate.quad(integrand, 0.0, 1.0, epsabs=1e-11, limit=200)
    assert oracle.beta_entropy(alpha, beta) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("alpha", "beta"), [(1e9, 1e9), (3e12, 1e12), (1e16, 9e18), (1e20, 1e20)])
def test_beta_entropy_tends_to_that_of_a_normal_distribution(alpha: float, beta: float) -> None:
    a, b, s = alpha + 1.0, beta, alpha + beta + 1.0
    sd = np.sqrt(a / s * (b / s) / (s + 1.0))
    normal = np.log(sd) + 0.5 * np.log(2.0 * np.pi * np.e)
    assert oracle.beta_entropy(alpha, beta) == pytest.approx(normal, abs=1e-8)


@pytest.mark.parametrize(("alpha", "beta"), [(-1e-9, 1.0), (1.0, -1e-9)])
def test_beta_entropy_refuses_negative_parameters(alpha: float, beta: float) -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        oracle.beta_entropy(alpha, beta)


# --- upsample and probabilities ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("image", "size", "expected"),
    [
        ([[0, 1]], (1, 4), [[0, 0.25, 0.75, 1]]),
        ([[0], [4]], (3, 1), [[0], [2], [4]]),
        ([[0, 1, 2, 3]], (1, 2), [[0.5, 2.5]]),  # no antialiasing
        ([[0, 0, 0, 8, 0, 0, 0, 0]], (1, 2), [[0, 0]]),
        ([[7]], (2, 3), [[7, 7, 7], [7, 7, 7]]),
        ([[1, 2], [3, 4]], (2, 2), [[1, 2], [3, 4]]),
        ([[0, 4], [8, 12]], (4, 2), [[0, 4], [2, 6], [6, 10], [8, 12]]),
    ],
)
def test_upsample_gives_the_hand_made_case(
    image: list[list[float]], size: tuple[int, int], expected: list[list[float]]
) -> None:
    np.testing.assert_allclose(oracle.upsample(image, *size), expected, atol=1e-15)


@pytest.mark.parametrize(
    ("size", "new_size"),
    [((6, 8), (24, 32)), ((5, 3), (13, 17)), ((1, 7), (4, 9)), ((9, 9), (4, 5))],
)
def test_upsample_equals_linear_interpolation_at_half_pixel_centres(
    size: tuple[int, int], new_size: tuple[int, int]
) -> None:
    image = np.random.default_rng(2).normal(size=(2, 3, *size))
    centres = [
        (np.arange(new) + 0.5) * old / new - 0.5 for old, new in zip(size, new_size, strict=True)
    ]
    where = np.meshgrid(*centres, indexing="ij")
    actual = oracle.upsample(image, *new_size)
    assert actual.shape == (2, 3, *new_size)
    for index in np.ndindex(2, 3):
        expected = ndimage.map_coordinates(image[index], where, order=1, mode="nearest")
        np.testing.assert_allclose(actual[index], expected, atol=1e-12)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (1, 5), (5, 3)])
def test_probabilities_are_a_softmax_of_the_masked_and_padded_correlation(
    kernel: tuple[int, int],
) -> None:
    random = np.random.default_rng(3)
    features, weight = random.normal(size=(4, 6, 7)), random.normal(size=(3, 4, *kernel))
    bias, masks = random.normal(size=3), np.array([[1, 0, 1, 1], [0, 1, 1, 0]])
    actual = oracle.probabilities(features, weight, bias, masks, 0.25, 6, 7)
    assert actual.shape == (2, 3, 6, 7)
    for t, c in np.ndindex(2, 3):
        logits = [
            bias[k] + sum(
                signal.correlate2d(features[i] * masks[t, i] / 0.75, weight[k, i], mode="same")
                for i in range(4)
            )
            for k in range(3)
        ]  # fmt: skip
        np.testing.assert_allclose(actual[t, c], special.softmax(logits, axis=0)[c], rtol=1e-12)


def test_dropout_scales_what_it_keeps() -> None:
    features = np.array([0.5 * np.log(3.0), 0.0]).reshape(2, 1, 1)
    weight = np.eye(2).reshape(2, 2, 1, 1)
    actual = oracle.probabilities(features, weight, [0, 0], [[1, 1], [0, 1]], 0.5, 1, 1)
    np.testing.assert_allclose(actual[:, :, 0, 0], [[0.75, 0.25], [0.5, 0.5]], rtol=1e-15)


def test_logits_and_not_probabilities_are_upsampled() -> None:
    features = np.array([[[0.0, np.log(81.0)]]])
    weight = np.array([1.0, 0.0]).reshape(2, 1, 1, 1)
    actual = oracle.probabilities(features, weight, [0, 0], [[1]], 0.0, 1, 4)[0, 0, 0]
    np.testing.assert_allclose(actual, [1 / 2, 3 / 4, 27 / 28, 81 / 82], rtol=1e-14)


def test_huge_logits_do_not_overflow() -> None:
    weight = np.array([1.0, -1.0]).reshape(2, 1, 1, 1)
    actual = oracle.probabilities([[[1e5]]], weight, [0, 0], [[1]], 0.0, 1, 1)
    assert actual.ravel().tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("kernel", "rate", "message"),
    [((2, 3), 0.5, "odd kernel"), ((1, 1), 1.0, "rate"), ((1, 1), -0.1, "rate")],
)
def test_probabilities_refuse_what_has_no_meaning(
    kernel: tuple[int, int], rate: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        oracle.probabilities(
            np.ones((1, 3, 3)), np.ones((2, 1, *kernel)), [0, 0], [[1]], rate, 3, 3
        )


# --- Moments, entropies, margin ---------------------------------------------------------------

PEAKED, FLAT, TILTED = [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.25, 0.25]


@pytest.mark.parametrize(
    ("p", "expected"), [(PEAKED, 0.0), (FLAT, np.log(3.0)), (TILTED, 1.5 * LN2), ([0.5, 0.5], LN2)]
)
def test_entropy_of_known_distributions(p: list[float], expected: float) -> None:
    assert oracle.entropy_of(p) == pytest.approx(expected, abs=1e-15)
    np.testing.assert_allclose(oracle.entropy_of([p, p], axis=1), [expected] * 2, atol=1e-15)


@pytest.mark.parametrize(
    ("passes", "entropy", "aleatoric", "margin"),
    [
        ([PEAKED, PEAKED], 0.0, 0.0, 1.0),
        ([FLAT, FLAT], np.log(3.0), np.log(3.0), 0.0),
        ([[1.0, 0.0], [0.0, 1.0]], LN2, 0.0, 0.0),
        ([[1.0, 0.0], [0.5, 0.5]], 2.0 * LN2 - 0.75 * np.log(3.0), 0.5 * LN2, 0.5),
        ([PEAKED, TILTED], 2.25 * LN2 - 0.75 * np.log(3.0), 0.75 * LN2, 0.625),
    ],
)
def test_uncertainties_of_known_passes(
    passes: list[list[float]], entropy: float, aleatoric: float, margin: float
) -> None:
    assert oracle.entropy(passes) == pytest.approx(entropy, abs=1e-15)
    assert oracle.aleatoric(passes) == pytest.approx(aleatoric, abs=1e-15)
    assert oracle.bald(passes) == pytest.approx(entropy - aleatoric, abs=1e-15)
    assert oracle.margin(passes) == pytest.approx(margin, abs=1e-15)


@pytest.mark.parametrize(
    ("passes", "expected"),
    [
        ([[0.125, 0.625, 0.25]], 0.375),
        ([[0.5, 0.0, 0.5], [0.0, 0.25, 0.75]], 0.375),  # means 1/4, 1/8, 5/8
        ([[1.0, 0.0], [0.0, 1.0]], 0.0),
    ],
)
def test_margin_is_between_the_two_largest_means(
    passes: list[list[float]], expected: float
) -> None:
    assert oracle.margin(passes) == expected


def test_mean_and_variance_are_those_of_the_population() -> None:
    passes = [[0.2, 0.8], [0.4, 0.6], [0.9, 0.1]]
    np.testing.assert_allclose(oracle.mean(passes), [0.5, 0.5], rtol=1e-15)
    np.testing.assert_allclose(oracle.variance(passes), [0.26 / 3, 0.26 / 3], rtol=1e-15)


def test_identical_passes_have_a_variance_of_exactly_zero() -> None:
    passes = np.tile([0.1, 0.2, 0.7], (20, 1))
    assert np.var(passes, axis=0).max() > 0  # what rounding does to the plain two-pass form
    assert oracle.variance(passes).tolist() == [0.0, 0.0, 0.0]


def test_identical_passes_have_zero_bald() -> None:
    passes = np.repeat(dirichlet_passes(seed=4)[:1], 20, axis=0)
    np.testing.assert_allclose(oracle.bald(passes), 0.0, atol=1e-14)


def test_bald_is_the_mean_divergence_from_the_mean_and_not_negative() -> None:
    passes = dirichlet_passes(seed=5)
    divergence = special.rel_entr(passes, oracle.mean(passes)).sum(axis=1).mean(axis=0)
    bald = oracle.bald(passes)
    np.testing.assert_allclose(bald, divergence, atol=1e-14)
    assert bald.min() > -1e-14
    assert np.median(bald) > 0.1  # the cases are not all trivial


def test_maps_keep_their_spatial_axes() -> None:
    passes = dirichlet_passes(seed=6, pixels=6)
    for function in (oracle.entropy, oracle.aleatoric, oracle.bald, oracle.margin, oracle.balent):
        as_map = function(passes.reshape(20, 11, 2, 3))
        np.testing.assert_array_equal(as_map, function(passes).reshape(2, 3))
    assert oracle.mean(passes.reshape(20, 11, 2, 3)).shape == (11, 2, 3)
    assert oracle.variance(passes.reshape(20, 11, 2, 3)).shape == (11, 2, 3)


# --- Balanced entropy -------------------------------------------------------------------------

FLIPS = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
POINT_MASS = [[0.25, 0.75], [0.25, 0.75], [0.25, 0.75]]
SATURATED = [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]


def exact_softmax(logits: Array) -> list[list[mpmath.mpf]]:
    """Softmax of each row in the caller's mpmath precision."""
    powers = [[mpmath.exp(mpmath.mpf(float(z))) for z in row] for row in logits]
    return [[x / mpmath.fsum(row) for x in row] for row in powers]


def exact_posterior(passes: list[list[mpmath.mpf]], floor: Floor | None) -> mpmath.mpf:
    """sum_c mu_c h(P+_c) in the caller's mpmath precision, written as the published equation."""
    total = mpmath.mpf(0)
    for column in zip(*passes, strict=True):
        mu = mpmath.fsum(column) / len(column)
        var = mpmath.fsum((p - mu) ** 2 for p in column) / len(column)
        if floor is not None:
            var = max(var, (floor.relative_sd * mu) ** 2)
        nu = mu * (1 - mu) / var - 1
        if floor is not None:
            nu = max(nu, mpmath.mpf(oracle.NU_MIN))
        total += mu * exact_beta_entropy(mu * nu, (1 - mu) * nu)
    return total


@pytest.mark.parametrize("floor", [None, FLOOR], ids=["no floor", "floor"])
@pytest.mark.parametrize("spread", [1e-6, 1e-3, 0.1, 1.0, 20.0])
@pytest.mark.parametrize("gap", [0.0, 3.0, 15.0, 40.0, 200.0, 400.0])
def test_posterior_and_balent_are_exact_from_flat_to_saturated_pixels(
    gap: float, spread: float, floor: Floor | None
) -> None:
    logits = np.random.default_rng(7).normal(size=(5, 3)) * spread + np.array([gap, 0.0, -1.0])
    with mpmath.workdps(450):  # the textbook form of nu = 1e180 cancels 180 digits
        exact = exact_softmax(logits)
        expected = exact_posterior(exact, floor)
        mean = [mpmath.fsum(column) / 5 for column in zip(*exact, strict=True)]
        h = -mpmath.fsum(mu * mpmath.log(mu) for mu in mean)
        expected_balent = (expected + h) / (h + mpmath.log(2))
    passes = np.array(exact, dtype=np.float64)
    lowest = -np.inf if floor is None else floor.balent_min
    assert relative_error(oracle.posterior(passes, floor), float(expected)) < 1e-8
    assert relative_error(oracle.balent(passes, floor), max(lowest, float(expected_balent))) < 1e-8


def test_a_uniform_two_class_posterior_has_its_closed_form() -> None:
    sd = np.sqrt(1 / 12)  # mu = 1/2, var = 1/12: nu = 2, alpha = beta = 1, P+ = Beta(2, 1)
    passes = [[0.5 - sd, 0.5 + sd], [0.5 + sd, 0.5 - sd]]
    assert oracle.posterior(passes) == pytest.approx(0.5 - LN2, abs=1e-14)
    assert oracle.balent(passes) == pytest.approx(0.25 / LN2, abs=1e-14)
    assert oracle.balentacq(passes) == pytest.approx(4.0 * LN2, abs=1e-13)


def test_balent_is_below_one_and_takes_both_signs() -> None:
    balent = oracle.balent(dirichlet_passes(seed=8))
    assert balent.max() < 1.0
    assert (balent > 0).sum() > 50
    assert (balent < 0).sum() > 50


def test_an_absent_class_contributes_nothing() -> None:
    passes = dirichlet_passes(seed=9, classes=4)
    wider = np.insert(passes, [0, 2, 4], 0.0, axis=1)
    np.testing.assert_allclose(oracle.posterior(wider), oracle.posterior(passes), rtol=1e-12)
    np.testing.assert_allclose(
        oracle.posterior(wider, FLOOR), oracle.posterior(passes, FLOOR), rtol=1e-12
    )


@pytest.mark.parametrize("passes", [FLIPS, POINT_MASS, SATURATED, [FLAT] * 20])
def test_without_a_floor_flips_and_point_masses_are_minus_infinity(
    passes: list[list[float]],
) -> None:
    assert oracle.posterior(passes) == -np.inf
    assert oracle.balent(passes) == -np.inf
    assert oracle.balentacq(passes) == -np.inf


@pytest.mark.parametrize("passes", [FLIPS, SATURATED])
def test_with_a_floor_flips_and_saturated_pixels_get_balent_min(
    passes: list[list[float]],
) -> None:
    assert oracle.balent(passes, FLOOR) == FLOOR.balent_min
    assert oracle.balentacq(passes, FLOOR) == FLOOR.balent_min
    assert np.isfinite(oracle.posterior(passes, FLOOR))
    assert oracle.posterior(passes, FLOOR) < FLOOR.balent_min * 10  # not clamped


def test_flips_under_a_floor_have_the_smallest_nu() -> None:
    passes = [[1.0, 0.0], [0.0, 1.0]]
    expected = oracle.beta_entropy(0.5 * oracle.NU_MIN, 0.5 * oracle.NU_MIN)
    assert oracle.posterior(passes, FLOOR) == pytest.approx(expected, rel=1e-14)
    assert expected == pytest.approx(-2e6, rel=1e-4)


@pytest.mark.parametrize("relative_sd", [0.5, 1e-2, 1e-4])
def test_the_floor_gives_identical_passes_its_standard_deviation(relative_sd: float) -> None:
    half = 0.5 * relative_sd
    spread = [[0.5 - half, 0.5 + half], [0.5 + half, 0.5 - half]]
    identical = [[0.5, 0.5], [0.5, 0.5]]
    floored = oracle.posterior(identical, Floor(relative_sd, -1e9))
    assert floored == pytest.approx(oracle.posterior(spread), abs=1e-9)


def test_the_floor_is_relative_to_the_mean_of_each_class() -> None:
    mu, relative_sd = np.array([0.6, 0.3, 0.1]), 0.05
    nu = mu * (1 - mu) / (relative_sd * mu) ** 2 - 1
    expected = sum(
        m * stats.beta.entropy(m * n + 1, (1 - m) * n) for m, n in zip(mu, nu, strict=True)
    )
    actual = oracle.posterior(np.tile(mu, (4, 1)), Floor(relative_sd, -1e9))
    assert actual == pytest.approx(expected, abs=1e-9)


def test_the_floor_leaves_pixels_above_it_untouched() -> None:
    passes = dirichlet_passes(seed=10)
    sd, mu = np.sqrt(oracle.variance(passes)), oracle.mean(passes)
    above = (sd > 2e-3 * mu).all(axis=0) & (oracle.balent(passes) > -8.0)
    assert above.sum() > 100
    free, floored = oracle.balent(passes[..., above]), oracle.balent(passes[..., above], FLOOR)
    np.testing.assert_array_equal(free, floored)


@pytest.mark.parametrize(
    "passes",
    [
        FLIPS,
        POINT_MASS,
        SATURATED,
        [FLAT],
        [[1.0, 1e-200], [1.0, 3e-200]],
        [[1.0, 0.0], [1.0, 1e-300]],
        [[1e-160, 1.0], [1.0, 1e-160]],
        [[1.0, 1e-310]] * 2,
        [[1.0, 5e-324]] * 2,
    ],
)
def test_everything_is_finite_under_a_floor(passes: list[list[float]]) -> None:
    values = [
        function(passes, FLOOR) for function in (oracle.posterior, oracle.balent, oracle.balentacq)
    ]
    assert len(values) == 3
    assert np.isfinite(values).all()


@pytest.mark.parametrize("floor", [None, FLOOR], ids=["no floor", "floor"])
def test_nan_stays_nan(floor: Floor | None) -> None:
    passes = [[np.nan, 0.5], [0.5, 0.5]]
    assert np.isnan(oracle.balent(passes, floor))
    assert np.isnan(oracle.balentacq(passes, floor))


@pytest.mark.parametrize(
    ("relative_sd", "balent_min"),
    [(0.0, -8.0), (-1.0, -8.0), (np.nan, -8.0), (np.inf, -8.0), (0.1, -np.inf), (0.1, np.nan)],
)
def test_a_floor_that_bounds_nothing_is_refused(relative_sd: float, balent_min: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Floor(relative_sd, balent_min)


# --- Acquisition and key ----------------------------------------------------------------------


def test_balentacq_inverts_only_what_is_not_negative(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [0.5, 1.0, 0.0, -0.0, -0.5, -8.0, -np.inf]
    expected = [2.0, 1.0, np.inf, np.inf, -0.5, -8.0, -np.inf]
    monkeypatch.setattr(oracle, "balent", lambda passes, floor: np.array(values))
    assert oracle.balentacq([]).tolist() == expected


@pytest.mark.parametrize(
    ("balent", "expected"),
    [(0.0, 2.0), (-0.0, 2.0), (0.25, 1.75), (1.0, 1.0), (-0.25, -0.25), (-np.inf, -np.inf)],
)
def test_key_folds_balent_at_zero(balent: float, expected: float) -> None:
    assert oracle.key(balent) == expected


def test_key_orders_pixels_as_balentacq_does() -> None:
    passes = dirichlet_passes(seed=11)
    key = oracle.key(oracle.balent(passes))
    assert len(set(key)) > 400
    np.testing.assert_array_equal(np.argsort(key), np.argsort(oracle.balentacq(passes)))
