"""Run by the Python of datumaro: reads our CVAT file, labels it sky, and writes it.

    python cvat_files.py FOLDER

FOLDER holds queries.xml as exported, and images/. It writes the folder labelled/.
"""

import sys
from pathlib import Path

from datumaro.components.annotation import Points
from datumaro.components.dataset import Dataset


def main(folder: Path) -> None:
    dataset = Dataset.import_from(str(folder / "queries.xml"), "cvat")
    count = 0
    for item in dataset:
        for one in item.annotations:
            assert isinstance(one, Points), one
            assert one.attributes["class"] == "unlabeled", one.attributes
            one.attributes["class"] = "sky"
            count += 1
    assert count, "no points were read"
    dataset.export(str(folder / "labelled"), "cvat", save_media=False)


main(Path(sys.argv[1]))
