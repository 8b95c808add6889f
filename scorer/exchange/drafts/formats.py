"""The formats of annotation tools for drafts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scorer.exchange.catalogue import Catalogue
from scorer.exchange.drafts import coco, cvat, label_studio, labelme
from scorer.exchange.drafts.region import Picture
from scorer.exchange.labelme import file_name


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format for drafts: write(place, pictures, classes); read(file, its path below the given
    folder, catalogue). file_name: path of an image's file, for formats with one file per image in a
    folder.
    """

    suffix: str
    write: Callable[[Path, Iterable[Picture], Sequence[str]], None]
    read: Callable[[Path, str, Catalogue], Iterator[Picture]]
    file_name: Callable[[str], str] | None = None


FORMATS = {
    "cvat": Format(suffix=".xml", write=cvat.write, read=cvat.read),
    "label-studio": Format(suffix=".json", write=label_studio.write, read=label_studio.read),
    "labelme": Format(suffix=".json", write=labelme.write, read=labelme.read, file_name=file_name),
    "coco": Format(suffix=".json", write=coco.write, read=coco.read),
}
