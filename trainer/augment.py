"""Random views of a labelled image, in which labels are points and are never resampled.

Scale 0.5 to 2, crop, flip, colour jitter, grey, blur, as in PixelPick (Shin et al. 2021). There the
labels are masks under nearest-neighbour scaling, so that most vanish at scale 0.5; here every
labelled pixel that stays in view stays labelled, exactly once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

from trainer.masks import IGNORE, Mask
from trainer.sample import Masked, Sample

_SCALES = (0.5, 2.0)
_P_JITTER, _P_GREY, _P_BLUR, _P_FLIP = 0.8, 0.2, 0.5, 0.5
_SIGMAS = (0.1, 2.0)


def augment(sample: Sample | Masked, rng: np.random.Generator, *, jitter: float = 0.8) -> Sample:
    """Draw one random view on the same grid; it depends on the sample and the generator alone.

    The mask of a Masked is scaled with its image by nearest neighbour, so that small labelled
    regions vanish or multiply. jitter: strength of the colour jitter, 0 to 1.
    """
    height, width = sample.pixels.shape[:2]
    image, move = _scale(Image.fromarray(sample.pixels), rng)
    flip = rng.random() < _P_FLIP
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(_colour(image, rng, jitter))
    if isinstance(sample, Masked):
        mask = move.mask(sample.mask)
        mask = mask[:, ::-1] if flip else mask
        rows, cols = np.nonzero(mask != IGNORE)
        points = np.stack((rows, cols), axis=1).astype(np.float32)
        return Sample(sample.name, pixels, points, mask[rows, cols].astype(np.int64))
    points = move.points(sample.points)
    if flip:
        points = points * (1, -1) + (0, width - 1)
    # A point belongs to the pixel it lies in: pixel i covers [i - 1/2, i + 1/2).
    inside = ((points >= -0.5) & (points < (height - 0.5, width - 0.5))).all(axis=1)
    return Sample(sample.name, pixels, points[inside].astype(np.float32), sample.labels[inside])


@dataclass(frozen=True)
class _Move:
    """A scale and a crop: `box` (left, top, right, bottom) of the image is resized to `size`
    (width, height) pixels and pasted at `corner` (left, top) of the grid.
    """

    box: tuple[float, float, float, float]
    size: tuple[int, int]
    corner: tuple[int, int]

    def image(self, image: Image.Image) -> Image.Image:
        return self._pasted(image, Image.Resampling.BILINEAR, 0)

    def mask(self, mask: Mask) -> Mask:
        image = Image.fromarray(mask)
        return np.asarray(self._pasted(image, Image.Resampling.NEAREST, IGNORE))

    def points(self, points: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
        left, top, right, bottom = self.box
        factors = np.array((self.size[1] / (bottom - top), self.size[0] / (right - left)))
        moved: npt.NDArray[np.floating] = (points + 0.5 - (top, left)) * factors - 0.5
        return moved + self.corner[::-1]

    def _pasted(self, image: Image.Image, how: Image.Resampling, background: int) -> Image.Image:
        view = image.resize(self.size, how, box=self.box)
        if self.size == image.size:
            return view
        fill = background if image.mode == "L" else (background,) * 3
        whole = Image.new(image.mode, image.size, fill)
        whole.paste(view, self.corner)
        return whole


def _scale(image: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, _Move]:
    width, height = image.size
    scale = np.exp(rng.uniform(*np.log(_SCALES)))
    if scale >= 1:
        top, left = rng.uniform(0, (height - height / scale, width - width / scale))
        box = (left, top, left + width / scale, top + height / scale)
        move = _Move(box, image.size, (0, 0))
    else:
        small = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (
            int(rng.integers(0, full - part + 1))
            for full, part in zip(image.size, small, strict=True)
        )
        move = _Move((0.0, 0.0, float(width), float(height)), small, (left, top))
    return move.image(image), move


def _colour(image: Image.Image, rng: np.random.Generator, jitter: float) -> Image.Image:
    if rng.random() < _P_JITTER:
        enhancers = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
        for index in rng.permutation(len(enhancers)):
            image = enhancers[index](image).enhance(rng.uniform(1 - jitter, 1 + jitter))
        image = _turn_hue(image, rng.uniform(-jitter / 4, jitter / 4))
    if rng.random() < _P_GREY:
        image = image.convert("L").convert("RGB")
    if rng.random() < _P_BLUR:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(*_SIGMAS)))
    return image


def _turn_hue(image: Image.Image, turn: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    turned = hue.point([round(level + 256 * turn) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")
