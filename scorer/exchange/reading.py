"""What the files of an import say of images, and what was passed over in them."""

from collections import Counter
from collections.abc import Callable

from scorer.errors import BadLabels
from scorer.exchange.catalogue import Catalogue, parts_of


class Reading:
    """One import, whatever number of files it is of.

    passed: what was passed over, by kind. renamed: images whose names differ from what the files
    call them, and what that is. is_ordered: whether later points are newer ones.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.passed: Counter[str] = Counter()
        self.renamed: dict[str, str] = {}
        self.is_ordered = False
        self._sources: dict[str, tuple[object, str]] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        return self.catalogue.classes

    def image(self, path: str, *, part: str = "", find: Callable[[str], str] | None = None) -> str:
        """The image that a file calls `path`, in a `part` of its project. BadLabels where it is not
        known, and where a path or a part before was found to be the same image: two photographs
        would become one.
        """
        image = (find or self.catalogue.find)(path)
        told = f"{path} of {part}" if part else path
        source = (parts_of(path), part)
        before, name = self._sources.setdefault(image, (source, told))
        if before != source:
            raise BadLabels(
                f"{name} and {told} would both be {image}",
                remedy="if these are two photographs, give the pool their folders; if they are "
                "one, import them from two files, one after the other",
            )
        if path != image:
            self.renamed[image] = path
        return image

    def pass_over(self, kind: str) -> None:
        """Count something of a kind, such as polygon, that says nothing of single pixels."""
        self.passed[kind] += 1
