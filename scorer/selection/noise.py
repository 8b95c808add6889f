"""Pseudo-random numbers that are the same on every machine, for any order of images."""

import hashlib

import numpy as np
import numpy.typing as npt

_BITS = 23  # (k + 1/2) / 2^23 is exact in float32 and never 0 or 1


def uniform(seed: int, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Uniform numbers in the open interval (0, 1) that depend on `seed` and `name` alone.

    The raw 64-bit stream of NumPy's Philox generator is stable across versions and machines, but
    its float functions may change; hence the explicit shift.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogateescape")).digest()
    raw = np.random.Philox(key=int.from_bytes(digest[:16], "little")).random_raw(
        int(np.prod(shape))
    )
    whole = (np.atleast_1d(raw) >> np.uint64(64 - _BITS)).astype(np.float64)
    return ((whole + 0.5) * 2.0**-_BITS).astype(np.float32).reshape(shape)
