"""Small dataset trees on disk, in the two kinds of layout that dataset.toml supports.

Classes of the toy pictures differ only in colours that survive the training's colour jitter: dark
grey, red, bright cyan. A working network learns them in a few steps.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

NAMES = ("ground", "fire", "ice")
PAINTS = ((40, 40, 40), (220, 40, 40), (60, 220, 220))
TOML = """\
version = 1
size = "{height}x{width}"
[train]
images = "images"
masks = "masks"
{val}
[classes]
names = ["ground", "fire", "ice"]
colours = ["#282828", "#dc2828", "#3cdcdc"]
ignore = 255
"""
VAL = """\
[val]
images = "val/images"
masks = "val/masks"
"""
CAMVID_NAMES = [
    "Sky",
    "Building",
    "Pole",
    "Road",
    "Pavement",
    "Tree",
    "SignSymbol",
    "Fence",
    "Car",
    "Pedestrian",
    "Bicyclist",
]
CAMVID_VOID = 11
FOREIGN_PREFIX = "/home/somebody/SegNet/CamVid"


def regions(key: Sequence[int], size: tuple[int, int], classes: int) -> Pixels:
    """A mask of `classes` regions, one for each class: every pixel belongs to its nearest seed."""
    rng = np.random.default_rng(key)
    seeds = rng.permutation(np.mgrid[1:4:2, 1:4:2].reshape(2, -1).T)[:classes] / 4
    if classes > len(seeds):
        seeds = rng.random((classes, 2))
    seeds = seeds + rng.uniform(-0.05, 0.05, seeds.shape)
    places = np.stack(np.meshgrid(*((np.arange(n) + 0.5) / n for n in size), indexing="ij"), -1)
    distance = np.linalg.norm(places[:, :, None] - seeds, axis=-1)
    return distance.argmin(-1).astype(np.uint8)


def paint(mask: Pixels, paints: Sequence[Sequence[int]], key: Sequence[int]) -> Pixels:
    """A noisy photograph of a mask."""
    noise = np.random.default_rng((*key, 1)).normal(0, 6, (*mask.shape, 3))
    return np.clip(np.array(paints)[mask] + noise, 0, 255).astype(np.uint8)


def save(path: Path, pixels: npt.NDArray[np.generic]) -> Path:
    """Write an array with Pillow, in the format that the suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def folders(
    root: Path,
    *,
    images: int = 6,
    val: int = 2,
    size: tuple[int, int] = (64, 64),
    toml: bool = True,
) -> Path:
    """images/, masks/, val/images, val/masks and dataset.toml; returns `root`."""
    for split, count in ((root, images), (root / "val", val)):
        for index in range(count):
            key = (int(split != root), index)
            mask = regions(key, size, len(NAMES))
            save(split / "images" / f"toy_{index:02d}.png", paint(mask, PAINTS, key))
            save(split / "masks" / f"toy_{index:02d}.png", mask)
    if toml:
        write_toml(root, size=size, val=val > 0)
    return root


def write_toml(root: Path, *, size: tuple[int, int] = (64, 64), val: bool = True) -> Path:
    """dataset.toml for what `folders` writes."""
    text = TOML.format(height=size[0], width=size[1], val=VAL if val else "")
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset.toml").write_text(text, encoding="utf-8")
    return root / "dataset.toml"


def camvid(root: Path, *, images: int = 3, size: tuple[int, int] = (48, 64)) -> Path:
    """CamVid in SegNet's form: three splits, palette-less grey masks 0..11, lists with foreign
    paths.

    The lists omit the last file of each split, so that code which ignores them fails.
    """
    paints = np.random.default_rng(0).integers(0, 256, (len(CAMVID_NAMES), 3)).tolist()
    for number, split in enumerate(("train", "val", "test")):
        lines = []
        for index in range(images):
            key = (number, index)
            mask = regions(key, size, len(CAMVID_NAMES))
            picture = paint(mask, paints, key)
            mask[0] = CAMVID_VOID
            name = f"{split}_{index:03d}.png"
            save(root / split / name, picture)
            save(root / f"{split}annot" / name, mask)
            lines.append(f"{FOREIGN_PREFIX}/{split}/{name} {FOREIGN_PREFIX}/{split}annot/{name}")
        (root / f"{split}.txt").write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    return root


def write_camvid_toml(root: Path, extra: str = "") -> Path:
    """The shortest dataset.toml for what `camvid` writes."""
    path = root / "dataset.toml"
    path.write_text(f'version = 1\nlayout = "camvid"\nsize = "48x64"\n{extra}', encoding="utf-8")
    return path
