"""Run by the Python of labelme: opens our files, labels them sky, and saves them elsewhere.

    python labelme_files.py IMAGES OUT

IMAGES holds images with our files beside them. OUT is the folder that labelme --output was given.
"""

import os
import sys
from pathlib import Path

from labelme import LabelFile


def main(images: Path, out: Path) -> None:
    out.mkdir()
    for path in sorted(images.rglob("*.json")):
        file = LabelFile(str(path))
        shapes = [{k: v for k, v in one.items() if k != "other_data"} for one in file.shapes]
        for one in shapes:
            one["label"] = "sky"
        image = path.parent / file.image_path
        assert image.is_file(), image
        target = out / path.name
        file.save(
            str(target),
            shapes=shapes,
            image_path=os.path.relpath(image, target.parent),  # as labelme's window does
            image_data=file.image_data,
            image_height=32,
            image_width=48,
            flags={},
        )


main(Path(sys.argv[1]), Path(sys.argv[2]))
