"""Colours of classes: their notation, and well separated default colours."""

from functools import cache

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]

_LEVELS = range(0, 256, 17)  # values of each channel
_LIGHTNESS = (30.0, 92.0)  # L*: lighter than the black of unlabelled pixels, and darker than white
# sRGB to XYZ relative to the white point D65: IEC 61966-2-1.
_XYZ = np.array(
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
) / np.array([[0.9505], [1.0], [1.0890]])


def hexadecimal(colour: Colour) -> str:
    """The notation of dataset.toml, #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


@cache
def default_colours(count: int) -> tuple[Colour, ...]:
    """Colours for `count` classes; those for fewer classes are the first ones.

    Each is as far as possible, in CIELAB, from black, white and the nearest previous colour.
    """
    sides = np.array(_LEVELS)
    grid = np.stack(np.meshgrid(sides, sides, sides, indexing="ij"), -1).reshape(-1, 3)
    places = lab(grid)
    grid, places = (
        one[(places[:, 0] > _LIGHTNESS[0]) & (places[:, 0] < _LIGHTNESS[1])]
        for one in (grid, places)
    )
    apart = np.full(len(grid), np.inf)
    for place in lab(np.array([[0, 0, 0], [255, 255, 255]])):
        apart = np.minimum(apart, np.linalg.norm(places - place, axis=1))
    found = []
    for _ in range(count):
        farthest = int(apart.argmax())
        red, green, blue = grid[farthest].tolist()
        found.append((red, green, blue))
        apart = np.minimum(apart, np.linalg.norm(places - places[farthest], axis=1))
    return tuple(found)


def lab(colours: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """CIELAB [N, 3] of sRGB colours from 0 to 255: L* from 0 to 100, a*, b*. CIE 15."""
    shares = colours / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _XYZ.T
    root = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = root.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
