"""Draw a small pool of street scenes with their class masks, from a seed.

A scene is a straight street in metres (x right, y up, z ahead) seen by a camera above the road. It
consists of flat faces: one stencil paints a face and labels it, so that picture and mask agree in
every pixel. Faces are painted from far to near, at twice the requested size; the picture is then
averaged down, and the mask keeps one pixel of four.
"""

import argparse
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

Floats = NDArray[np.float64]
Texture = Callable[[Floats, Floats], Floats]  # metres along and up a face -> rgb or rgba rows
Paint = Texture | Floats

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
SKY, BUILDING, ROAD, PAVEMENT, GREEN, CAR, LINE, POLE, FENCE, PERSON, SIGN, BICYCLE = range(12)
IGNORE, OVERSAMPLE = 255, 2
NEAR, FAR, KERB = 0.6, 400.0, 0.14  # metres
# Colours of sun, shade, zenith, horizon; sun's degrees; metres of air; clouds, shadow, lit windows.
NOON = ("c8b89c 80889c 4080e0 c2def8", (42, 68), (220, 0.15, 0.55, 0.03))
OVERCAST = ("303030 b8bec6 a8b2be dbdee3", (55, 75), (110, 0.6, 0.25, 0.12))
DUSK = ("f0a058 8078a0 475799 fab27a", (16, 28), (140, 0.3, 0.4, 0.45))


def tones(codes: str) -> Floats:
    """Colours in 0..1 from hex codes."""
    return np.array([list(bytes.fromhex(code)) for code in codes.split()]) / 255


DARK, GLASS, STEEL, WHITE, RED, BLUE = tones("141416 27323d 84888c f0f0ec c81e1e 2256b4")
WALK = np.array([(0.0, 0.9), (0.02, 1.48), (0.16, 0.88), (-0.18, 0.0), (0.18, 0.0)])
RIDE = np.array([(-0.2, 1.0), (0.05, 1.52), (0.42, 1.05), (-0.1, 0.2), (0.05, 0.4)])


def level(left: float, right: float, near: float = NEAR, far: float = FAR, y: float = 0) -> Floats:
    """A level rectangle that runs along the street."""
    return np.array([(left, y, near), (right, y, near), (right, y, far), (left, y, far)])


class Canvas:
    """A picture and its mask, drawn together by one camera in one light."""

    def __init__(self, rng: np.random.Generator, height: int, width: int) -> None:
        codes, climb, weather = (NOON, NOON, OVERCAST, DUSK)[int(rng.integers(4))]
        self.glow, self.shade, self.zenith, self.horizon = tones(codes)
        self.air, self.clouds, self.gloom, self.lamps = weather
        way, rise = rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(*climb))
        self.sun = np.array([np.sin(way), np.tan(rise), np.cos(way)]) * np.cos(rise)
        self.eye, self.focal = np.array([0, 1.6, 0]), width * rng.uniform(0.6, 0.8)
        self.vanishing = np.array([width, height]) * rng.uniform((0.36, 0.4), (0.64, 0.52))
        roll = rng.normal(0, 0.02)
        self.tilt = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
        pixels = np.indices((height, width)).reshape(2, -1).T[:, ::-1] + 0.5
        flat = np.einsum("ij,kj", pixels - self.vanishing, self.tilt) / self.focal * (1, -1)
        self.rays = np.column_stack([flat, np.ones(len(flat))])
        rate = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)) + 1e-3
        tile = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((256, 256))) / rate)
        self.rng, self.tile = rng, np.clip((tile - tile.mean()) / tile.std() / 2, -1, 1)
        self.picture, self.mask = self.sky(), np.full(height * width, SKY, np.uint8)
        self.shadow = Image.new("L", (width, height))
        self.faces: list[tuple[float, Floats, int, Paint]] = []
        self.stand(0, 0)

    def noise(self, x: Floats, y: Floats) -> Floats:
        """Seamless fractal noise in -1..1; one unit is one sample."""
        left, low = np.floor(x), np.floor(y)
        i, j, a, b = low.astype(int) % 256, left.astype(int) % 256, x - left, y - low
        near, far = (self.tile[r, j] * (1 - a) + self.tile[r, j - 255] * a for r in (i, i - 255))
        return np.asarray(near * (1 - b) + far * b)

    def sky(self) -> Floats:
        """Gradient, sun glow, and clouds on a ceiling that recedes with the street."""
        rise = np.clip(self.rays[:, 1:2], 0, None)
        blend, ceiling = np.clip(rise / 0.55, 0, 1) ** 0.7, 12 / (rise + 0.15)
        beam = np.clip(self.rays @ self.sun / np.linalg.norm(self.rays, axis=1), 0, 1)[:, None]
        clear = self.horizon * (1 - blend) + self.zenith * blend + self.glow * 0.6 * beam**24
        cover = self.noise(self.rays[:, :1] * ceiling, ceiling) * 0.9 + self.clouds - 0.1
        veil = np.clip(cover * 1.8, 0, 0.9) * np.clip(rise * 9, 0.2, 1)
        return np.asarray(clear + ((0.55 + 0.4 * self.horizon) * (1 - cover / 6) - clear) * veil)

    def pick(self, codes: str) -> Floats:
        """One of the colours, slightly varied."""
        return np.asarray(self.rng.choice(tones(codes)) * self.rng.uniform(0.94, 1.06, 3))

    def stand(self, x: float, z: float, yaw: float = 0.0) -> None:
        """Set the spot in the street, and the rotation, of what is drawn next."""
        # Along a line of sight x grows with z; adding it keeps a long wall behind what occludes it.
        self.spot, self.depth = np.array([x, 0, z]), z + 2 * abs(x)
        cos, sin = np.cos(yaw), np.sin(yaw)
        self.turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
        self.view = (self.eye - self.spot) @ self.turn.T

    def face(self, corners: ArrayLike, label: int, paint: Paint) -> None:
        """Add a flat polygon of (x, y, z) or upright (x, y) corners at the spot, and its shadow."""
        points = np.asarray(corners, dtype=float)
        points = np.pad(points, ((0, 0), (0, 3 - points.shape[1]))) @ self.turn + self.spot
        self.faces.append((self.depth, points, label, paint))
        if points[:, 1].max() > KERB:
            shade = self.outline(points - self.sun / self.sun[1] * points[:, 1:2])
            ImageDraw.Draw(self.shadow).polygon(shade, fill=255)

    def bar(self, a: ArrayLike, b: ArrayLike, wide: float, label: int, paint: Paint) -> None:
        """Add an upright limb or rod between two points."""
        start, stop = np.array(a, dtype=float), np.array(b, dtype=float)
        aside = (stop - start)[::-1] * (wide, -wide) / np.linalg.norm(stop - start) / 2
        self.face([start - aside, start + aside, stop + aside, stop - aside], label, paint)

    def disc(self, at: ArrayLike, size: float, label: int, paint: Paint, sides: int = 16) -> None:
        """Add an upright disc, or with few sides a regular polygon that stands on one."""
        turn = (np.arange(sides) + 0.5) * 2 * np.pi / sides - np.pi / 2
        self.face(np.stack([np.cos(turn), np.sin(turn)], -1) * size + np.asarray(at), label, paint)

    def box(self, low: Floats, high: Floats, label: int, paint: Paint) -> None:
        """Add the visible faces of a block between two level rectangles."""
        sides = (np.array([low[i - 1], low[i], high[i], high[i - 1]]) for i in range(4))
        for quad in (high, *sides):
            axis = np.cross(quad[1] - quad[0], quad[3] - quad[0])
            if ((quad[0] - (low + high).mean(0) / 2) @ axis) * ((self.view - quad[0]) @ axis) > 0:
                self.face(quad, label, paint)

    def outline(self, corners: Floats) -> list[float]:
        """Pixels x, y, x, y, ... of a polygon, pushed out of the camera where it comes too near."""
        seen = np.maximum(corners, (-np.inf, -np.inf, NEAR)) - self.eye
        flat = seen[:, :2] * (1, -1) * self.focal / seen[:, 2:] @ self.tilt + self.vanishing
        return list(flat.flat) if corners[:, 2].max() > NEAR else [-1.0] * 6  # out of sight

    def settle(self) -> None:
        """Draw the shadows on what is painted, then paint the added faces, far to near."""
        dark = np.asarray(self.shadow.filter(ImageFilter.GaussianBlur(1.5))) / 255 * self.gloom
        self.picture *= 1 - dark.reshape(-1, 1) * (1, 0.97, 0.9)
        for _, corners, label, paint in sorted(self.faces, key=lambda face: -face[0]):
            cut = Image.new("L", self.shadow.size)
            ImageDraw.Draw(cut).polygon(self.outline(corners), fill=1)
            pixels = np.flatnonzero(np.asarray(cut, dtype=bool))
            axes, size = np.linalg.qr((corners[1:3] - corners[0]).T)
            along, up = (axes * np.sign(np.diag(size))).T  # QR may flip an axis
            normal, rays = np.cross(along, up), self.rays[pixels]
            gap, lean = float((corners[0] - self.eye) @ normal), rays @ normal
            depth = np.clip(gap / np.where(lean, lean, 1e-9), NEAR, FAR)[:, None]
            at = self.eye + depth * rays - corners[0]
            colour = paint(at @ along, at @ up) if callable(paint) else paint[None]
            light = self.shade + self.glow * max(0.25, self.sun @ normal * -np.sign(gap))
            clear = np.exp(-depth / self.air)
            lit = colour[:, :3] * light * clear + self.horizon * (1 - clear)
            solid = np.broadcast_to(colour[:, 3:].all(1), len(pixels))
            self.picture[pixels[solid]], self.mask[pixels[solid]] = lit[solid], label
        self.faces.clear()


class Street(Canvas):
    """A canvas with the objects of a street, each drawn at the current spot."""

    def surface(self, codes: str, cell: tuple[float, float] = (9, 9), joint: float = 0) -> Texture:
        """Rows of slabs, bricks or patches, each of its own shade, with grain and blotches."""
        tone = self.pick(codes)

        def paint(s: Floats, t: Floats) -> Floats:
            row = np.floor(t / cell[1])
            column = s / cell[0] + 0.5 * (row % 2)
            shade = 1 + 0.12 * (self.noise(s * 20, t * 20) + self.noise(s * 2 + 70, t * 3))
            shade += 0.12 * self.noise(np.floor(column) * 37, row * 53)
            shade[(column % 1 * cell[0] < joint) | (t % cell[1] < joint)] *= 0.7
            return tone * shade[:, None]

        return paint

    def facade(self, height: float) -> Texture:
        """A wall with storeys of framed windows, and doors or a shop at its foot."""
        frame, accent = self.pick("f0f0ec a8a49c 28282c"), self.pick("264090 bf2626 338059 8c4080")
        wide, bay, shop, joint = self.rng.uniform((0.2, 2.4, -1.5, -0.06), (0.3, 3.4, 1, 0.06))
        plain = self.surface("9e523d ccb88f b3b3ad d9ccb8 8c9ea8 b5654a", (0.5, 0.24), joint)

        def paint(s: Floats, t: Floats) -> Floats:
            wall, house, storey = plain(s, t), np.floor(s / bay), np.floor(t / 3)
            x, y = np.abs((s / bay) % 1 - 0.5), (t / 3) % 1
            room = self.noise(house * 37.3, storey * 91.7) * 0.5 + 0.5
            glass = GLASS * (0.7 + room[:, None]) + self.zenith * 0.25
            glass[room < self.lamps] = self.glow
            upper = (t < height - 0.6) & (storey + (shop < 0) > 0)
            wall[upper & (x < wide + 0.05) & (np.abs(y - 0.56) < 0.32)] = frame
            pane = upper & (x < wide) & (x > 0.02) & (np.abs(y - 0.57) < 0.27)
            pane |= (shop > 0) & (x < 0.45) & (np.abs(t - 1.4) < 1)
            wall[pane] = glass[pane]
            door = (x < 0.17) & (t < 2.2) & (house % 4 == 1)
            wall[door | (shop > 0) & (np.abs(t - 2.75) < 0.3)] = accent
            return np.asarray(wall * np.clip(0.7 + t / 5, 0, 1)[:, None])

        return paint

    def ground(self, left: float, right: float, walk: float) -> None:
        """Grass to the horizon, the road with its markings, and a pavement on either side."""
        rng, slabs = self.rng, self.surface("a09a90 9a9a9a b0a498 9c8878", (0.6, 0.9), 0.05)
        stone, white = self.surface("a8a49c", (1, 1), 0.05), self.surface("e8e8e4")
        self.face(level(-300, 300), GREEN, self.surface("4a7a2c 6c8a38", (3, 3)))
        self.face(level(left, right), ROAD, self.surface("5c5c60 68666a", (1.6, 7)))
        for kerb, out in ((left, -1), (right, 1)):
            for x, paving in ((kerb + out * walk, slabs), (kerb + out * 0.2, stone)):
                self.box(level(kerb, x), level(kerb, x, y=KERB), PAVEMENT, paving)
        edged, crossed = rng.random(2) < 0.5
        near, step = rng.uniform(5, 18), rng.choice([3, 6, 6])
        lines = [((left + right) / 2, 0.09, z, z + 3) for z in np.arange(near % 6, 90, step)]
        lines += [(x, 0.08, NEAR, 120) for x in (left + 0.35, right - 0.35) if edged]
        lines += [(x, 0.3, near, near + 3) for x in np.arange(left + 1, right - 1, 1.1) if crossed]
        for x, half, near, far in lines:
            self.face(level(x - half, x + half, near, far), LINE, white)

    def building(self) -> None:
        """Four walls under a flat, pitched or hipped roof, the street wall at the spot."""
        (x, _, z), (wide, long, height) = self.spot, self.rng.uniform((5, 5, 5), (6, 8, 16))
        self.stand(x + np.sign(x) * wide, z)
        foot, up = level(-wide, wide, -long, long), np.array([0, height, 0])
        self.box(foot, foot + up, BUILDING, self.facade(height))
        if shape := self.rng.integers(3):
            tiles = self.surface("7a3c2c 4a4a50 5c4436", (0.5, 0.4), 0.06)
            hip = min(wide, long / 1.5) * (shape - 1)
            ridge = level(-0.02, 0.02, hip - long, long - hip, height + wide * 0.7)
            self.box(foot * 1.03 + up * 0.98, ridge, BUILDING, tiles)

    def tree(self) -> None:
        """A crown of leaves on a trunk, or down on the ground where it is small."""
        tone, (x, y) = self.pick("4a7a2c 5c8a30 3c6a34 7a8c34"), self.rng.uniform(0, 256, 2)
        size, tall = self.rng.uniform((0.6, 0.8), (2.5, 1.3))
        trunk = max(0.0, size * 1.8 - 1.5)

        def leaves(s: Floats, t: Floats) -> Floats:
            lump, leaf = self.noise(s * 7 + x, t * 7 + y), self.noise(s * 40, t * 40)
            relief = lump - self.noise(s * 7 + x + 3 * self.sun[0], t * 7 + y + 4)
            rise, reach = t / size / tall - 1, s / size - 0.4
            shade = np.clip(0.75 + 0.2 * rise + 1.1 * relief + 0.45 * leaf, 0.15, 1.6)
            inside = reach**2 + rise**2 < 0.85 + 0.7 * lump + 0.4 * leaf
            return np.column_stack([tone * shade[:, None], inside])

        self.bar((0, 0), (0, trunk + size), size * 0.15, GREEN, self.pick("5a4634"))
        octagon = np.array([(3, 0), (7, 0), (10, 3), (10, 7), (7, 10), (3, 10), (0, 7), (0, 3)]) / 5
        self.face(octagon * (size, size * tall) + (-size, trunk - size * 0.2), GREEN, leaves)

    def fence(self) -> None:
        """Boards, railings or a clipped hedge; what shows between the bars counts as fence."""
        height, pitch, gap = self.rng.uniform((0.9, 0.2, 0.06), (1.6, 0.3, 0.12))
        kinds = (FENCE, "8a6a48 40444a d8d4c8"), (FENCE, "8a6a48 5a6a50"), (GREEN, "3c6a34 4a7a2c")
        label, codes = kinds[int(self.rng.integers(3))]
        bars = self.surface(codes, (pitch, height - 0.1), gap)
        self.face([(0, 0, -3.5), (0, 0, 3.5), (0, height, 3.5), (0, height, -3.5)], label, bars)

    def car(self) -> None:
        """A body and a glazed cabin on wheels, in the direction of its side of the road."""
        (x, _, z), rng = self.spot, self.rng
        self.stand(x, z, rng.normal(np.pi * (x < 0), 0.04))
        belt, roof, end = rng.uniform((0.8, 1.4, 1.9), (1.1, 1.7, 2.4))
        boot, bonnet = rng.uniform((0, 0.9), (0.5, 1.5)) - (end, 0)
        tone = self.pick("bf1c1c 203a80 d8d8da 8c9197 2a2a2e 26613f d9a520 669ec0 7a2030")
        side, ahead = np.sign(self.view[0]) * 0.91, np.sign(self.view[2]) * end

        def glazing(s: Floats, t: Floats) -> Floats:
            glass = (np.abs(t - 0.28) < 0.2) & ((s + 0.1) % 0.93 > 0.14)
            return np.where(glass[:, None], GLASS, tone * 0.95)

        sill = level(-0.9, 0.9, -end, end, 0.26)
        self.box(sill * (0.9, 0.1, 0.9), sill * (0.9, 1.5, 0.9), CAR, DARK)
        self.box(sill, level(-0.86, 0.86, -end, end - 0.15, belt), CAR, tone)
        for a, b in ((-0.82, -0.5), (0.5, 0.82)):
            lamp = [(a, 0.6, ahead), (b, 0.6, ahead), (b, 0.8, ahead), (a, 0.8, ahead)]
            self.face(lamp, CAR, WHITE if x < 0 else RED)
        rim = np.array([(0, np.cos(turn), np.sin(turn)) for turn in np.arange(0, 6.2, 0.45)])
        for hub in (0.75 - end, end - 0.8) if abs(self.view[0]) > 0.91 else ():
            self.face(rim * 0.33 + (side, 0.33, hub), CAR, DARK)
            self.face(rim * 0.19 + (side, 0.33, hub), CAR, STEEL)
        gutter = level(-0.68, 0.68, boot + 0.3, bonnet - 0.6, roof)
        self.box(level(-0.84, 0.84, boot, bonnet, belt), gutter, CAR, glazing)
        self.box(gutter, gutter * (1, 1.03, 1), CAR, tone)

    def person(self, pose: Floats = WALK) -> None:
        """A figure with hip, neck, hand and feet at the positions of a pose."""
        hip, neck, hand, *feet = pose * (self.rng.uniform(-1.4, 1.4) if pose is WALK else 1, 1)
        coat, legs = self.pick("bf2626 264090 d9b333 338059 cccac6"), self.pick("28282c 264090")
        for foot in feet:
            self.bar(hip, foot, 0.17, PERSON, legs)
        self.bar(hip - (0, 0.06), neck, 0.4, PERSON, coat)
        self.bar(neck - (0, 0.08), hand, 0.12, PERSON, coat * 0.75)
        self.disc(neck - (0, -0.17), 0.14, PERSON, self.pick("e8bf9c c68f66 6a4430"))
        self.disc(neck - (0.03, -0.24), 0.11, PERSON, self.pick("2a1c14 6a4a28 b8a080"))

    def bicycle(self) -> None:
        """Two wheels and a frame seen from the side; with a rider it is on the road."""
        (x, _, z), ridden, tone = self.spot, self.rng.random() < 0.5, self.pick("bf1c1c 203a80")
        self.stand(x - 3 * np.sign(x) * ridden, z, self.rng.uniform(-0.8, 0.8) - np.pi * (x < 0))
        rear, front, seat, bars = (-0.52, 0.36), (0.52, 0.36), (-0.2, 0.9), (0.36, 1.0)
        for hub in (rear, front):
            self.disc(hub, 0.36, BICYCLE, DARK)
            self.disc(hub, 0.29, BICYCLE, STEEL)
        for a, b in ((rear, seat), (seat, bars), (rear, bars), (bars, front)):
            self.bar(a, b, 0.07, BICYCLE, tone)
        if ridden:
            self.person(RIDE)

    def lamp(self) -> None:
        """A lamp post whose head leans over the road."""
        height, reach = self.rng.uniform(5, 7), -2 * np.sign(self.spot[0])
        self.bar((0, 0), (0, height), 0.17, POLE, STEEL)
        self.bar((0, height), (reach, height), 0.15, POLE, STEEL)

    def sign(self) -> None:
        """A traffic sign on its pole: a warning, a ban, an order or a notice."""
        sides, blue = ((3, False), (16, False), (16, True), (4, True))[int(self.rng.integers(4))]
        self.bar((0, 0), (0, 2.6), 0.1, POLE, STEEL)
        self.disc((0, 2.4), 0.55, SIGN, WHITE if blue else RED, sides)
        self.disc((0, 2.4), 0.4, SIGN, BLUE if blue else WHITE, sides)
        self.bar((0, 2.25), (0, 2.52), 0.1, SIGN, WHITE if blue else DARK)

    def compose(self) -> None:
        """Compose a road with houses on both sides, and objects along it."""
        rng, (wide, walk, left) = self.rng, self.rng.uniform((7.5, 2, -0.63), (11, 4, -0.55))
        left, (built, yard) = left * wide, rng.choice([(0.9, 0), (0.8, 3), (0.5, 5)])
        self.ground(left, left + wide, walk)
        self.settle()
        plan = [  # what; chance on a side, chance at a place; first place, metres between; off kerb
            (self.building, 1, built, -6, 15, walk + yard),
            (self.tree, yard > 0, 0.6, 4, 5, walk + yard / 2),
            (self.fence, yard > 0, 0.7, 6, 7, walk),
            (self.tree, 0.5, 0.6, 6, 11, 0.9),
            (self.lamp, 0.7, 0.9, 5, 20, 0.5),
            (self.sign, 0.35, 0.5, 6, 9, 0.6),
            (self.car, 0.5, 0.6, 7, 6, -1.1),
            (self.car, 0.8, 0.6, 9, 16, -0.3 * wide - 0.5),
            (self.person, 0.35, 0.4, 4, 4, walk / 2),
            (self.bicycle, 0.3, 0.35, 4.5, 5, 0.7),
        ]
        for out, kerb in ((-1, left), (1, left + wide)):
            for draw, present, share, first, step, off in plan:
                for place in np.flatnonzero(rng.random(8) < share * (rng.random() < present)):
                    z = first + step * (place + rng.uniform(0, 0.3))
                    self.stand(kerb + out * (off + rng.uniform(-0.2, 0.2)), z)
                    draw()
        for x in range(-57, 60, 12):
            self.stand(x, 120)
            self.building()
        self.settle()


def write(folder: Path, height: int, width: int, key: tuple[int, int, int]) -> None:
    """Draw the scene of a key (seed, split, index) with sensor noise, and its mask."""
    street = Street(np.random.default_rng(key), height * OVERSAMPLE, width * OVERSAMPLE)
    street.compose()
    small = street.picture.reshape(height, OVERSAMPLE, width, OVERSAMPLE, 3).mean((1, 3))
    fade = 1 - 0.13 * (np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j] ** 2).sum(0)
    small *= fade[..., None] * street.rng.normal(street.rng.uniform(0.9, 1.1), 0.02, 3)
    small += street.rng.normal(0, 0.012, small.shape)
    picture = Image.fromarray((np.clip(small, 0, 1) * 255).astype(np.uint8))
    picture.save(folder / "images" / f"street_{key[2]:04d}.jpg", quality=92)
    labels = street.mask.reshape(height, OVERSAMPLE, width, OVERSAMPLE)[:, 0, :, 0].copy()
    thin = np.isin(labels, (PERSON, BICYCLE)).astype(np.uint8)
    labels[np.asarray(Image.fromarray(thin).filter(ImageFilter.MaxFilter(3))) > thin] = IGNORE
    mask = Image.fromarray(labels)
    void = [(0, 0, 0)] * (256 - len(CLASSES))
    mask.putpalette(np.ravel([colour for _, colour in CLASSES] + void).tolist())
    mask.save(folder / "masks" / f"street_{key[2]:04d}.png")


def main() -> None:
    """Read the command line and draw the pool."""
    parser = argparse.ArgumentParser(description="Draw street scenes with class masks.")
    parser.add_argument("out", type=Path)
    for name, default in (("train", 60), ("val", 16), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--size", default="192x256", help="HEIGHTxWIDTH")
    args = parser.parse_args()
    height, width = map(int, args.size.split("x"))
    jobs = [(args.out, height, width, (args.seed, 0, i)) for i in range(args.train)]
    jobs += [(args.out / "val", height, width, (args.seed, 1, i)) for i in range(args.val)]
    for folder in {job[0] / kind for job in jobs for kind in ("images", "masks")}:
        folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as workers:
        list(workers.map(write, *zip(*jobs, strict=True)))
    (args.out / "classes.txt").write_text("".join(f"{name}\n" for name, _ in CLASSES))
    print(f"{len(jobs)} images of {len(CLASSES)} classes in {args.out}")


if __name__ == "__main__":
    main()
