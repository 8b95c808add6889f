"""Draw a small pool of street scenes with their class masks, from nothing but a seed.

A scene is a straight street in metres (x right, y up, z ahead) seen by a camera above the road.
Everything in it is a flat face in that space: the canvas projects a face, paints the picture and
labels the mask through the same stencil, so the two agree to the pixel. Faces are drawn far to
near, at twice the asked size; the picture is then averaged down and the mask takes the majority.

    python scripts/streets.py OUT --train 60 --val 16 --size 192x256 --seed 0
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

CLASSES: list[tuple[str, tuple[int, int, int]]] = [
    ("sky", (70, 130, 180)),
    ("building", (90, 80, 80)),
    ("road", (128, 64, 128)),
    ("pavement", (244, 90, 220)),
    ("vegetation", (90, 150, 40)),
    ("car", (20, 30, 190)),
    ("lane marking", (245, 245, 245)),
    ("pole", (170, 170, 150)),
    ("fence", (190, 130, 90)),
    ("person", (220, 20, 60)),
    ("traffic sign", (240, 220, 0)),
    ("bicycle", (0, 200, 190)),
]
SKY, BUILDING, ROAD, PAVEMENT, VEGETATION, CAR, MARKING, POLE, FENCE, PERSON, SIGN, BICYCLE = range(
    len(CLASSES)
)
IGNORE = 255
OVERSAMPLE = 2
NEAR, FAR = 0.6, 400.0
KERB = 0.14

Floats = NDArray[np.float64]
Rgb = tuple[float, float, float]
Paint = Callable[[Floats, Floats], Floats]  # metres along and up a face -> rgb or rgba rows
Faces = dict[str, Floats]
Details = Mapping[str, Sequence[tuple[tuple[float, float, float, float], Rgb]]]

DARK, GLASS, CHROME = (0.07, 0.07, 0.08), (0.14, 0.18, 0.22), (0.75, 0.76, 0.78)
RED, WHITE, BLUE, TYRE = (0.8, 0.1, 0.1), (0.95, 0.95, 0.93), (0.1, 0.3, 0.7), (0.09, 0.09, 0.1)
DOORS = [((0.0, 1.0, 0.0, 0.14), DARK), ((0.5, 0.51, 0.2, 0.95), DARK)]
BODY: Details = {
    "rear": [((0.03, 0.2, 0.55, 0.85), RED), ((0.8, 0.97, 0.55, 0.85), RED),
             ((0.36, 0.64, 0.4, 0.62), WHITE), ((0.0, 1.0, 0.0, 0.2), DARK)],
    "front": [((0.04, 0.22, 0.55, 0.8), WHITE), ((0.78, 0.96, 0.55, 0.8), WHITE),
              ((0.28, 0.72, 0.42, 0.72), DARK), ((0.0, 1.0, 0.0, 0.2), DARK)],
    "left": DOORS,
    "right": DOORS,
}  # fmt: skip
SIDE_WINDOWS = [((0.06, 0.47, 0.1, 0.86), GLASS), ((0.53, 0.94, 0.1, 0.86), GLASS)]
SCREEN = [((0.08, 0.92, 0.12, 0.88), GLASS)]
CABIN: Details = {"rear": SCREEN, "front": SCREEN, "left": SIDE_WINDOWS, "right": SIDE_WINDOWS}
CAR_COLOURS = [(0.75, 0.1, 0.1), (0.12, 0.22, 0.5), (0.85, 0.85, 0.86), (0.55, 0.57, 0.6),
               (0.12, 0.12, 0.13), (0.15, 0.38, 0.25), (0.85, 0.65, 0.12), (0.4, 0.62, 0.75)]  # fmt: skip
WALLS = [(0.62, 0.32, 0.24), (0.8, 0.72, 0.56), (0.7, 0.7, 0.68), (0.85, 0.8, 0.72),
         (0.52, 0.38, 0.3), (0.66, 0.55, 0.5), (0.55, 0.62, 0.66), (0.82, 0.6, 0.42)]  # fmt: skip
CLOTHES = [(0.75, 0.15, 0.15), (0.15, 0.25, 0.55), (0.15, 0.15, 0.17), (0.85, 0.7, 0.2),
           (0.2, 0.5, 0.35), (0.8, 0.8, 0.78), (0.55, 0.25, 0.5), (0.45, 0.35, 0.25)]  # fmt: skip


@dataclass(frozen=True)
class Light:
    """The weather and hour: where light comes from, its colours, and how the air takes it."""

    sun: Floats
    glow: Floats
    ambient: Floats
    zenith: Floats
    horizon: Floats
    haze: float
    clouds: float
    shadow: float
    lamps: float

    @classmethod
    def pick(cls, rng: np.random.Generator) -> "Light":
        """Noon, overcast or dusk, each with its own small variation."""
        azimuth = rng.uniform(0, 2 * np.pi)
        kind = rng.choice(["noon", "overcast", "dusk"], p=[0.5, 0.25, 0.25])
        height = np.radians(rng.uniform(16, 28) if kind == "dusk" else rng.uniform(42, 68))
        flat = np.cos(height)
        sun = np.array([flat * np.sin(azimuth), np.sin(height), flat * np.cos(azimuth)])
        glow, ambient, zenith, horizon, rest = {
            "noon": ((0.75, 0.7, 0.6), (0.5, 0.54, 0.62), (0.25, 0.5, 0.88), (0.76, 0.87, 0.97),
                     (220.0, 0.15, 0.55, 0.03)),
            "overcast": ((0.16, 0.16, 0.16), (0.74, 0.77, 0.8), (0.66, 0.7, 0.75),
                         (0.86, 0.87, 0.89), (110.0, 0.6, 0.25, 0.12)),
            "dusk": ((0.85, 0.52, 0.28), (0.44, 0.4, 0.48), (0.28, 0.34, 0.6),
                     (0.98, 0.7, 0.48), (140.0, 0.3, 0.45, 0.45)),
        }[str(kind)]  # fmt: skip
        colours = (np.array(c) * rng.uniform(0.93, 1.07, 3) for c in (glow, ambient))
        return cls(sun, *colours, np.array(zenith), np.array(horizon), *rest)


class Noise:
    """A tile of fractal noise that repeats without a seam, read at any point."""

    SIZE = 256

    def __init__(self, rng: np.random.Generator) -> None:
        rate = np.hypot(np.fft.fftfreq(self.SIZE)[:, None], np.fft.rfftfreq(self.SIZE)[None])
        rate[0, 0] = np.inf
        tile = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((self.SIZE, self.SIZE))) / rate)
        self.tile: Floats = np.clip(tile / tile.std() / 2, -1, 1)

    def __call__(self, x: Floats, y: Floats) -> Floats:
        """Values in -1..1, interpolated; one unit is one sample of the tile."""
        left, low = np.floor(x), np.floor(y)
        right_share, high_share = x - left, y - low
        i, j = low.astype(int) % self.SIZE, left.astype(int) % self.SIZE
        i_next, j_next = (i + 1) % self.SIZE, (j + 1) % self.SIZE
        near = self.tile[i, j] * (1 - right_share) + self.tile[i, j_next] * right_share
        far = self.tile[i_next, j] * (1 - right_share) + self.tile[i_next, j_next] * right_share
        return np.asarray(near * (1 - high_share) + far * high_share)


class Canvas:
    """A picture and its mask, drawn at once by one camera."""

    def __init__(self, rng: np.random.Generator, height: int, width: int, light: Light) -> None:
        self.light = light
        self.picture = np.zeros((height, width, 3))
        self.mask = np.full((height, width), SKY, np.uint8)
        self.focal = width * rng.uniform(0.62, 0.8)
        self.eye = np.array([0.0, rng.uniform(1.4, 1.9), 0.0])
        self.vanishing = np.array([width * rng.uniform(0.36, 0.64), height * rng.uniform(0.4, 0.52)])
        roll = np.radians(rng.normal(0, 1.0))
        self.turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
        rows, columns = np.mgrid[:height, :width] + 0.5
        flat = (np.stack([columns, rows], -1) - self.vanishing) @ self.turn.T / self.focal
        self.rays = np.stack([flat[..., 0], -flat[..., 1], np.ones((height, width))], -1)

    def project(self, corners: Floats) -> Floats:
        """Pixel (x, y) of points in front of the camera, after the near plane has cut them."""
        kept: list[Floats] = []
        for here, there in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            if here[2] >= NEAR:
                kept.append(here)
            if (here[2] < NEAR) != (there[2] < NEAR):
                kept.append(here + (there - here) * (NEAR - here[2]) / (there[2] - here[2]))
        seen = np.array(kept).reshape(-1, 3) - self.eye
        flat = seen[:, :2] * (1, -1) * self.focal / seen[:, 2:]
        return np.asarray(flat @ self.turn + self.vanishing)

    def stencil(self, corners: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows and columns of the pixels a polygon in space covers."""
        outline = self.project(corners)
        empty = np.empty(0, np.intp)
        if len(outline) < 3:
            return empty, empty
        size = np.array(self.mask.shape[::-1])
        low = np.clip(np.floor(outline.min(0)), 0, size).astype(int)
        high = np.clip(np.ceil(outline.max(0)) + 1, 0, size).astype(int)
        if (high <= low).any():
            return empty, empty
        cut = Image.new("L", (int(high[0] - low[0]), int(high[1] - low[1])))
        ImageDraw.Draw(cut).polygon((outline - low).ravel().tolist(), fill=1)
        rows, columns = np.nonzero(np.asarray(cut))
        return rows + low[1], columns + low[0]

    def face(self, points: ArrayLike, label: int, paint: Paint | Rgb, soft: bool = False) -> None:
        """Paint and label one flat polygon; a soft one is lit as if it had no direction."""
        corners = np.asarray(points, dtype=float)
        rows, columns = self.stencil(corners)
        if not len(rows):
            return
        along = unit(corners[1] - corners[0])
        slant = corners[2] - corners[0]
        up = unit(slant - along * (slant @ along))
        normal = np.cross(along, up)
        gap = (corners[0] - self.eye) @ normal
        rays = self.rays[rows, columns]
        lean = rays @ normal
        depth = np.clip(gap / np.where(np.abs(lean) < 1e-6, 1e-6, lean), NEAR, FAR)
        at = self.eye + depth[:, None] * rays - corners[0]
        colour = paint(at @ along, at @ up) if callable(paint) else np.tile(paint, (len(rows), 1))
        facing = 0.55 if soft else max(0.0, float(self.light.sun @ normal * -np.sign(gap)))
        lit = colour[:, :3] * (self.light.ambient + self.light.glow * facing)
        clear = np.exp(-depth / self.light.haze)[:, None]
        lit = lit * clear + self.light.horizon * (1 - clear)
        alpha = colour[:, 3:] if colour.shape[1] == 4 else np.ones((len(rows), 1))
        self.picture[rows, columns] += alpha * (lit - self.picture[rows, columns])
        drawn = alpha[:, 0] > 0
        self.mask[rows[drawn], columns[drawn]] = label

    def solid(
        self, faces: Faces, label: int, paint: Paint | Rgb, details: Details | None = None
    ) -> None:
        """Draw the faces of a convex block that look at the camera, then what lies on them."""
        centre = np.mean([quad.mean(0) for quad in faces.values()], axis=0)
        for name, quad in faces.items():
            normal = np.cross(quad[1] - quad[0], quad[2] - quad[0])
            if ((quad[0] - centre) @ normal) * ((self.eye - quad[0]) @ normal) <= 0:
                continue
            self.face(quad, label, paint)
            for (left, right, low, high), colour in (details or {}).get(name, ()):
                across = np.array([left, right, right, left])[:, None]
                rise = np.array([low, low, high, high])[:, None]
                bottom = quad[0] + (quad[1] - quad[0]) * across
                top = quad[3] + (quad[2] - quad[3]) * across
                self.face(bottom + (top - bottom) * rise, label, colour)

    def sky(self, noise: Noise) -> None:
        """Gradient, sun glow, and clouds on a ceiling that recedes with the street."""
        light = self.light
        rise = np.clip(self.rays[..., 1], 0, None)
        blend = np.clip(rise / 0.55, 0, 1)[..., None] ** 0.7
        sky = light.horizon * (1 - blend) + light.zenith * blend
        beam = np.clip(self.rays @ light.sun / np.linalg.norm(self.rays, axis=-1), 0, 1) ** 24
        sky = sky + light.glow * 0.6 * beam[..., None]
        ceiling = 14 / (rise + 0.12)
        cover = noise(self.rays[..., 0] * ceiling + 90, ceiling) * 0.9 + light.clouds - 0.1
        veil = np.clip(cover * 1.8, 0, 0.9)[..., None] * np.clip(rise * 9, 0.2, 1)[..., None]
        bright = 0.95 - 0.18 * np.clip(cover, 0, 1)[..., None]
        white = (0.55 + 0.45 * light.horizon) * bright
        self.picture[:] = sky * (1 - veil) + white * veil

    def shade(self, casts: Sequence[tuple[Floats, float, float]]) -> None:
        """Darken the ground where footprints between two heights keep the sun off it."""
        height, width = self.mask.shape
        cut = Image.new("L", (width, height))
        drift = -self.light.sun / self.light.sun[1]
        for foot, low, high in casts:
            near, far = foot + drift * low, foot + drift * high
            sides = zip(near, np.roll(near, -1, 0), np.roll(far, -1, 0), far, strict=True)
            for quad in [near, far, *map(np.array, sides)]:
                flat = self.project(quad * (1, 0, 1))
                if len(flat) > 2:
                    ImageDraw.Draw(cut).polygon(flat.ravel().tolist(), fill=255)
        dark = np.asarray(cut.filter(ImageFilter.GaussianBlur(1.5))) / 255 * self.light.shadow
        self.picture *= 1 - dark[..., None] * (1, 0.97, 0.9)


def unit(vector: Floats) -> Floats:
    """The vector at length one."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))
