"""The state of an import: names that the files give to images, and skipped objects."""

from collections import Counter
from collections.abc import Callable

from scorer.errors import BadLabels
from scorer.exchange.catalogue import Catalogue, parts_of


class Reading:
    """The state of one import, of one or several files.

    passed: number of skipped objects, by kind. renamed: images whose name in the files differs,
    with that name. is_ordered: whether later points are newer.
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
        """The image that a file calls `path`, in a `part` of its project.

        Raises BadLabels if it is unknown, or if another path or part was matched to the same image:
        two photographs would be merged.
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
        """Count a skipped object of a kind, such as polygon, that does not label single pixels."""
        self.passed[kind] += 1
