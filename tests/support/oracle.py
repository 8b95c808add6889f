"""Float64 oracle of Bayesian pixel uncertainty: slow, plain, straight from the equations.

Independent by design: it shares no code with the packages it judges and imports only NumPy and
SciPy, so that an error would have to be made twice to go unseen.

Conventions everywhere: natural logarithms, nats, float64. `passes` is P of shape [m, C, ...]: m
stochastic passes, C classes (each pass sums to 1 over the classes), then any spatial axes. Results
drop the axes that are reduced. Variances are population variances (ddof = 0). NaN stays NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bernoulli, entr, gammaln, psi  # type: ignore[import-untyped]

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

NU_MIN = 1e-6  # smallest alpha + beta under a Floor
NU_MAX = 1e300  # stands for an overflow; needs a mu or 1 - mu below 1e-260, weightless in BalEnt
BETA_MIN = 1e-300  # below it h = -1/beta counts as -inf; a Floor stops beta here
STIRLING_FROM = 16.0  # the 8 terms below are right to 1e-19 from here on
BERNOULLI = bernoulli(16)[2::2]  # B_2, B_4, ..., B_16


@dataclass(frozen=True)
class Floor:
    """What keeps BalEnt finite.

    relative_sd: the standard deviation of a class is at least relative_sd * mu (> 0, no unit).
    balent_min: BalEnt itself is at least this (finite, no unit).
    """

    relative_sd: float
    balent_min: float

    def __post_init__(self) -> None:
        """Raise an error for values under which a result could be infinite."""
        if not (self.relative_sd > 0 and np.isfinite(self.relative_sd)):
            raise ValueError(f"relative_sd must be positive and finite, got {self.relative_sd}")
        if not np.isfinite(self.balent_min):
            raise ValueError(f"balent_min must be finite, got {self.balent_min}")


# --- The network's last stage -----------------------------------------------------------------


def _source_positions(
    size: int, new_size: int, align_corners: bool
) -> tuple[Indices, Indices, Array]:
    """Lower neighbour, upper neighbour and weight of the upper one, for each output index i.

    The source position is (i + 1/2) size / new_size - 1/2 in pixels (half-pixel centres), clamped
    to [0, size - 1]: outside the outermost centres the edge value is repeated. With align_corners
    it is i (size - 1) / (new_size - 1): the outermost centres meet.
    """
    centre = (np.arange(new_size) + 0.5) * (size / new_size) - 0.5
    if align_corners:
        centre = np.arange(new_size) * ((size - 1) / max(new_size - 1, 1))
    position = np.clip(centre, 0.0, size - 1.0)
    lower = np.floor(position).astype(np.intp)
    upper = np.minimum(lower + 1, size - 1)
    return lower, upper, position - lower


def upsample(x: npt.ArrayLike, height: int, width: int, *, align_corners: bool = False) -> Array:
    """Bilinear resize of the last two axes to (height, width), in the unit of x.

    Half-pixel centres unless align_corners, edge clamped, no antialiasing: each axis is
    (1 - w) x[lower] + w x[upper]. The range never exceeds that of x. Shrinking only samples.
    """
    x = np.asarray(x, dtype=np.float64)
    lower, upper, weight = _source_positions(x.shape[-2], height, align_corners)
    weight = weight[:, np.newaxis]
    rows = (1.0 - weight) * x[..., lower, :] + weight * x[..., upper, :]
    lower, upper, weight = _source_positions(x.shape[-1], width, align_corners)
    return (1.0 - weight) * rows[..., lower] + weight * rows[..., upper]


def _classify(features: Array, weight: Array, bias: Array) -> Array:
    """Logits [C, h, w] of features [K, h, w], weight [C, K, kh, kw] and bias [C].

    logit[c, y, x] = bias[c] + sum_kij weight[c, k, i, j] features[k, y + i - kh//2, x + j - kw//2]
    (cross-correlation, stride 1), with zeros outside the image. Odd kernels only.
    """
    kernel_height, kernel_width = weight.shape[2:]
    if kernel_height % 2 == 0 or kernel_width % 2 == 0:
        raise ValueError(f"'same' padding needs an odd kernel, got {weight.shape[2:]}")
    height, width = features.shape[1:]
    top, left = kernel_height // 2, kernel_width // 2
    padded = np.pad(features, ((0, 0), (top, top), (left, left)))
    logits = np.zeros((weight.shape[0], height, width)) + bias[:, np.newaxis, np.newaxis]
    for i in range(kernel_height):
        for j in range(kernel_width):
            window = padded[:, i : i + height, j : j + width]
            logits += np.einsum("ck,kyx->cyx", weight[:, :, i, j], window)
    return logits


def transposed(features: Array, weight: Array, bias: Array, *, stride: int, pad: int = 0) -> Array:
    """Logits [C, H, W] of a transposed convolution of features [K, h, w], weight [K, C, kh, kw].

    Every feature is scattered: logit[c, y s + i - pad, x s + j - pad] += weight[k, c, i, j]
    features[k, y, x]; what falls outside of [0, h s) x [0, w s) is lost.
    """
    sides = [side * stride for side in features.shape[1:]]
    logits = np.zeros((weight.shape[1], *sides)) + bias[:, np.newaxis, np.newaxis]
    for tap in np.ndindex(*weight.shape[2:]):
        places = [
            np.arange(n) * stride + k - pad for n, k in zip(features.shape[1:], tap, strict=True)
        ]
        inside = [(at >= 0) & (at < side) for at, side in zip(places, sides, strict=True)]
        scattered = np.einsum("kc,kyx->cyx", weight[:, :, *tap], features)
        there = np.ix_(*(at[kept] for at, kept in zip(places, inside, strict=True)))
        logits[:, *there] += scattered[:, inside[0]][:, :, inside[1]]
    return logits


def spread(values: Array, side: int, *, class_first: bool = True) -> Array:
    """[C s², h, w] to [C, s h, s w]: channel c s² + i s + j is class c at (s y + i, s x + j); or
    channel (i s + j) C + c, if the class is last.
    """
    classes, height, width = len(values) // side**2, *values.shape[1:]
    result = np.empty((classes, side * height, side * width))
    for c, i, j in np.ndindex(classes, side, side):
        place = i * side + j
        result[c, i::side, j::side] = values[
            c * side**2 + place if class_first else place * classes + c
        ]
    return result


def _softmax(logits: Array) -> Array:
    """exp(z_c) / sum_k exp(z_k) over axis 0, in [0, 1]; the maximum is subtracted first.

    A logit more than 745 below the maximum gives exactly 0.
    """
    powers = np.exp(logits - logits.max(axis=0))
    return powers / powers.sum(axis=0)


def probabilities(
    features: npt.ArrayLike,
    weight: npt.ArrayLike,
    bias: npt.ArrayLike,
    masks: npt.ArrayLike,
    rate: float,
    height: int,
    width: int,
    *,
    align_corners: bool = False,
    classify: Callable[[Array, Array, Array], Array] = _classify,
) -> Array:
    """P [m, C, height, width] in [0, 1], one pass for each row of the 0/1 masks [m, K].

    P[t] = softmax_c upsample(classify(features * masks[t] / (1 - rate), weight, bias)), by default
    with the zero-padded classifier of _classify, and 0 <= rate < 1.
    """
    features, weight = np.asarray(features, np.float64), np.asarray(weight, np.float64)
    bias, masks = np.asarray(bias, np.float64), np.asarray(masks, np.float64)
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"rate must be in [0, 1), got {rate}")
    result = []
    for mask in masks:
        kept = features * mask[:, np.newaxis, np.newaxis] / (1.0 - rate)
        logits = classify(kept, weight, bias)
        result.append(_softmax(upsample(logits, height, width, align_corners=align_corners)))
    return np.stack(result)


# --- Moments, entropies, margin ---------------------------------------------------------------


def mean(passes: npt.ArrayLike) -> Array:
    """mu_c = mean over t of P[t, c], shape [C, ...], in [0, 1]."""
    return np.asarray(passes, np.float64).mean(axis=0)


def _population_variance(x: Array) -> Array:
    """Mean over t of (x[t] - mean)^2, x of shape [m, ...]; identical passes give exactly 0.

    Deviations are taken from the first pass before they are centred: the rounded mean of m equal
    numbers need not be that number.
    """
    deviation = x - x[0]
    deviation -= deviation.mean(axis=0)
    return np.square(deviation).mean(axis=0)


def variance(passes: npt.ArrayLike) -> Array:
    """var_c = mean over t of (P[t, c] - mu_c)^2, shape [C, ...], in [0, 1/4].

    Right to about (1e-16)^2: a class within 1e-16 of certainty shows 0 here (balent does better).
    """
    passes = np.asarray(passes, np.float64)
    return np.stack([_population_variance(passes[:, c]) for c in range(passes.shape[1])])


def entropy_of(p: npt.ArrayLike, axis: int = 0) -> Array:
    """-sum_c p_c ln p_c over the given axis, in [0, ln C] nats, with 0 ln 0 = 0."""
    return np.asarray(entr(np.asarray(p, np.float64)).sum(axis=axis))


def entropy(passes: npt.ArrayLike) -> Array:
    """H = -sum_c mu_c ln mu_c, the entropy of the mean, in [0, ln C] nats."""
    return entropy_of(mean(passes))


def aleatoric(passes: npt.ArrayLike) -> Array:
    """Mean over t of the entropy of P[t], in [0, H] nats."""
    passes = np.asarray(passes, np.float64)
    total = np.zeros(passes.shape[2:])
    for one_pass in passes:
        total += entropy_of(one_pass)
    return total / len(passes)


def bald(passes: npt.ArrayLike) -> Array:
    """BALD = H - aleatoric, in [0, ln C] nats; not clamped, so rounding may leave -1e-15 for 0."""
    return entropy(passes) - aleatoric(passes)


def margin(passes: npt.ArrayLike) -> Array:
    """Largest minus second largest mu_c, in [0, 1]; 0 for a tie. Needs C >= 2."""
    ordered = np.sort(mean(passes), axis=0)
    return ordered[-1] - ordered[-2]


# --- Calibration ------------------------------------------------------------------------------


def calibration_error(p: npt.ArrayLike, label: npt.ArrayLike, bins: int = 15) -> float:
    """ECE of P [C, N] and true classes [N]: sum over the bins of (pixels in it / N) times
    |accuracy - mean confidence|, in [0, 1].

    The confidence is max_c P; bin m of 1..bins is the interval ((m - 1) / bins, m / bins].
    """
    p, label = np.asarray(p, np.float64), np.asarray(label)
    confidence, predicted = p.max(axis=0), p.argmax(axis=0)
    error = 0.0
    for m in range(1, bins + 1):
        inside = (confidence > (m - 1) / bins) & (confidence <= m / bins)
        if inside.any():
            accuracy = (predicted[inside] == label[inside]).mean()
            error += inside.mean() * abs(accuracy - confidence[inside].mean())
    return float(error)


def likelihood_loss(logits: npt.ArrayLike, label: npt.ArrayLike, temperature: float) -> float:
    """Mean of -ln softmax(logits / temperature) of the true class, logits [C, N]; nats."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled = scaled - scaled.max(axis=0)
    true = scaled[np.asarray(label), np.arange(scaled.shape[1])]
    return float((np.log(np.exp(scaled).sum(axis=0)) - true).mean())


# --- The entropy of a Beta distribution -------------------------------------------------------


def _gamma_entropy(x: Array) -> Array:
    """Differential entropy g(x) = x + lnGamma(x) + (1 - x) psi(x) of Gamma(x, 1), x > 0, nats.

    From STIRLING_FROM on, the series of lnGamma and psi are put in and the terms of size x ln x
    and x cancel on paper, which leaves
    g(x) = ln(2 pi e x)/2 - 1/(2x) + sum_n B_2n [x^(1-2n) / (2n - 1) - x^(-2n) / (2n)].
    """
    small = np.minimum(x, STIRLING_FROM)
    textbook = small + gammaln(small) + (1.0 - small) * psi(small)
    inverse = 1.0 / np.maximum(x, STIRLING_FROM)
    series = 0.5 * (np.log(2.0 * np.pi / inverse) + 1.0 - inverse)
    for n, number in enumerate(BERNOULLI, start=1):
        odd = inverse ** (2 * n - 1)
        series += number * (odd / (2 * n - 1) - odd * inverse / (2 * n))
    return np.where(x < STIRLING_FROM, textbook, series)


def beta_entropy(alpha: npt.ArrayLike, beta: npt.ArrayLike) -> Array:
    """Differential entropy h of Beta(a, b), a = alpha + 1, b = beta: h <= 0, in nats, elementwise.

    h = lnB(a, b) - (a-1) psi(a) - (b-1) psi(b) + (a+b-2) psi(a+b). Each lnGamma(x) - (x-1) psi(x)
    in it is a Gamma entropy g(x) less x, and a + b - (a+b) = 0, so
    h = g(a) + g(b) - g(a+b) - psi(a+b):
    four terms no larger than a logarithm, or than 1/b. beta < BETA_MIN gives the limit, -inf.
    """
    alpha, beta = np.asarray(alpha, np.float64), np.asarray(beta, np.float64)
    if np.any(alpha < 0) or np.any(beta < 0):
        raise ValueError("alpha and beta must not be negative")
    vanishing = beta < BETA_MIN
    a, b = alpha + 1.0, np.where(vanishing, 1.0, beta)
    h = _gamma_entropy(a) + _gamma_entropy(b) - _gamma_entropy(a + b) - psi(a + b)
    return np.where(vanishing, -np.inf, h)


# --- Balanced entropy -------------------------------------------------------------------------


def _complement(passes: Array, c: int) -> Array:
    """1 - P[t, c] as the sum of the other classes, in [0, 1]: exact even where P rounds to 1."""
    return passes[:, :c].sum(axis=1) + passes[:, c + 1 :].sum(axis=1)


def _concentration(p: Array, q: Array) -> tuple[Array, Array]:
    """(nu, sd) of one class from p = P[:, c] and q = 1 - p; nu in [0, NU_MAX], sd in [0, 1/2].

    nu = mu (1 - mu) / var - 1 = mean_t[p q] / var, because mu (1 - mu) - var = mean_t[p (1 - p)].
    Where var is 0, nu is undefined and given as 0. Var is taken from the smaller of p and q, which
    keeps the deviations that 1 - p rounds away, scaled by 2^-e: 1e-154 squared would underflow.
    """
    p_is_smaller = p.mean(axis=0) <= q.mean(axis=0)
    smaller, larger = np.where(p_is_smaller, p, q), np.where(p_is_smaller, q, p)
    exponent = np.frexp(smaller.max(axis=0))[1]
    scaled = np.ldexp(smaller, -exponent)
    scaled_var = _population_variance(scaled)  # var 4^-e
    scaled_product = (scaled * larger).mean(axis=0)  # mean_t[p q] 2^-e
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        nu = np.minimum(scaled_product / np.ldexp(scaled_var, exponent), NU_MAX)
    return np.where(scaled_var == 0, 0.0, nu), np.ldexp(np.sqrt(scaled_var), exponent)


def _floored(nu: Array, sd: Array, mu: Array, rest: Array, relative_sd: float) -> Array:
    """Nu under a Floor, in [NU_MIN, NU_MAX], for mean mu > 0 and rest = 1 - mu.

    Where sd < relative_sd mu: nu = mu (1 - mu) / (relative_sd mu)^2 - 1; elsewhere nu as it is.
    """
    with np.errstate(over="ignore"):
        at_floor = rest / mu / relative_sd / relative_sd - 1.0
    return np.clip(np.where(sd < relative_sd * mu, at_floor, nu), NU_MIN, NU_MAX)


def _weighted_class_entropy(passes: Array, c: int, floor: Floor | None) -> Array:
    """mu_c h(P+_c) in nats, with P+_c = Beta(alpha_c + 1, beta_c), alpha = mu nu, beta = rest nu.

    mu = 0 gives 0. Without a floor var = 0 (a point mass) and nu = 0 (all flips) both give -inf,
    the value of beta_entropy at beta = 0; with one the result is finite (beta >= BETA_MIN).
    """
    p, q = passes[:, c], _complement(passes, c)
    absent = p.mean(axis=0) == 0
    mu = np.where(absent, 1.0, p.mean(axis=0))  # any positive number, for an absent class
    rest = q.mean(axis=0)
    nu, sd = _concentration(p, q)
    beta = rest * nu
    if floor is not None:
        nu = _floored(nu, sd, mu, rest, floor.relative_sd)
        beta = np.maximum(rest * nu, BETA_MIN)
    return np.where(absent, 0.0, mu * beta_entropy(mu * nu, beta))


def posterior(passes: npt.ArrayLike, floor: Floor | None = None) -> Array:
    """sum_c mu_c h(P+_c), in [-inf, 0] nats; h is the entropy of Beta(alpha_c + 1, beta_c).

    alpha_c = mu_c nu_c, beta_c = (1 - mu_c) nu_c, nu_c = mu_c (1 - mu_c) / var_c - 1. Without a
    floor a class with mu > 0 and var = 0 (point mass) or nu = 0 (only exact 0 and 1) gives -inf.
    With one, sd_c >= relative_sd mu_c and nu_c >= NU_MIN: finite, but not clamped to balent_min.
    """
    passes = np.asarray(passes, np.float64)
    total = np.zeros(passes.shape[2:])
    for c in range(passes.shape[1]):
        total += _weighted_class_entropy(passes, c, floor)
    return total


def balent(passes: npt.ArrayLike, floor: Floor | None = None) -> Array:
    """BalEnt = (posterior + H) / (H + ln 2), no unit, below 1.

    Without a floor -inf where the posterior is; with one at least floor.balent_min.
    """
    h = entropy(passes)
    value = (posterior(passes, floor) + h) / (h + np.log(2.0))
    return value if floor is None else np.maximum(value, floor.balent_min)


def balentacq(passes: npt.ArrayLike, floor: Floor | None = None) -> Array:
    """1 / BalEnt where BalEnt >= 0 (above 1; +inf at exactly 0), else BalEnt (-inf to 0)."""
    value = balent(passes, floor)
    with np.errstate(divide="ignore"):
        return np.where(value >= 0, 1.0 / np.abs(value), value)


def key(balent: npt.ArrayLike) -> Array:
    """2 - B for B >= 0, in (1, 2]; B for B < 0. Orders pixels as BalEntAcq does, without a pole."""
    value = np.asarray(balent, np.float64)
    return np.where(value >= 0, 2.0 - value, value)
