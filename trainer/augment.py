"""Random views of a labelled image. The labels are points: they move, they are never resampled.

Scale 0.5 to 2, crop, flip, colour jitter, grey, blur, as in PixelPick (Shin et al. 2021). There
the labels are masks under nearest-neighbour scaling, so that most vanish at scale 0.5; here every
labelled pixel that stays in view stays labelled, exactly once.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageEnhance, ImageFilter

from trainer.clicks import Sample

_SCALES = (0.5, 2.0)
_JITTER, _HUE = 0.8, 0.2
_P_JITTER, _P_GREY, _P_BLUR, _P_FLIP = 0.8, 0.2, 0.5, 0.5
_SIGMAS = (0.1, 2.0)


def augment(sample: Sample, rng: np.random.Generator) -> Sample:
    """One random view on the same grid; depends on the sample and the generator alone."""
    height, width = sample.pixels.shape[:2]
    image, points = _scale(Image.fromarray(sample.pixels), sample.points, rng)
    if rng.random() < _P_FLIP:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        points = points * (1, -1) + (0, width - 1)
    # A point belongs to the pixel it lies in: pixel i covers [i - 1/2, i + 1/2).
    inside = ((points >= -0.5) & (points < (height - 0.5, width - 0.5))).all(axis=1)
    pixels = np.asarray(_colour(image, rng))
    return Sample(sample.name, pixels, points[inside].astype(np.float32), sample.labels[inside])


def _scale(
    image: Image.Image, points: npt.NDArray[np.floating], rng: np.random.Generator
) -> tuple[Image.Image, npt.NDArray[np.floating]]:
    width, height = image.size
    scale = np.exp(rng.uniform(*np.log(_SCALES)))
    if scale >= 1:
        top, left = rng.uniform(0, (height - height / scale, width - width / scale))
        box = (left, top, left + width / scale, top + height / scale)
        view = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
        return view, (points + 0.5 - (top, left)) * scale - 0.5
    small = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (
        int(rng.integers(0, full - part + 1)) for full, part in zip(image.size, small, strict=True)
    )
    view = Image.new("RGB", image.size)
    view.paste(image.resize(small, Image.Resampling.BILINEAR), (left, top))
    factors = np.array((small[1] / height, small[0] / width))
    return view, (points + 0.5) * factors - 0.5 + (top, left)


def _colour(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    if rng.random() < _P_JITTER:
        enhancers = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
        for index in rng.permutation(len(enhancers)):
            image = enhancers[index](image).enhance(rng.uniform(1 - _JITTER, 1 + _JITTER))
        image = _turn_hue(image, rng.uniform(-_HUE, _HUE))
    if rng.random() < _P_GREY:
        image = image.convert("L").convert("RGB")
    if rng.random() < _P_BLUR:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(*_SIGMAS)))
    return image


def _turn_hue(image: Image.Image, turn: float) -> Image.Image:
    hue, saturation, value = image.convert("HSV").split()
    turned = hue.point([round(level + 256 * turn) % 256 for level in range(256)])
    return Image.merge("HSV", (turned, saturation, value)).convert("RGB")
