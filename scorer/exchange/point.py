"""A pixel in exchange with annotation tools: a question, and its answer if there is one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from scorer.errors import BadLabels
from scorer.images.place import Place
from scorer.labels.answer import ANSWERS, UNLABELED

UNSURE_OR_SKIP = ("unsure", "skip")
MAX_SIDE = 100_000  # pixels; up to this side, coordinates in per cent are exact


@dataclass(frozen=True, kw_only=True)
class Point(Place):
    """A pixel with its answer.

    answer: None while unanswered; class_name: if the answer is "label". Raises BadLabels for
    impossible values.
    """

    answer: str | None = None
    class_name: str | None = None
    rank: int | None = None
    score: float | None = None

    def __post_init__(self) -> None:
        check_name(self.image)
        if self.rank is not None and not _whole(self.rank):
            raise BadLabels(
                f"{self.image}: {self.rank!r} is not a rank",
                remedy="correct the file, or export it from the tool again",
            )
        for side in (self.height, self.width, self.grid_height, self.grid_width):
            if side is not None and not (_whole(side) and 0 < side <= MAX_SIDE):
                raise BadLabels(
                    f"{self.image} has a side of {side!r} pixels, not 1 to {MAX_SIDE}",
                    remedy="correct the file, or export it from the tool again",
                )
        for place, side in ((self.row, self.height), (self.col, self.width)):
            if not (_whole(place) and 0 <= place < side):
                raise BadLabels(
                    f"row {self.row!r}, col {self.col!r} is not in {self.image} of"
                    f" {self.height}x{self.width}",
                    remedy="labels are of the image at its own size, upright, counted from 0",
                )
        if self.answer not in {None, *ANSWERS} or (self.answer == "label") != bool(self.class_name):
            raise BadLabels(
                f"{self.answer!r} of class {self.class_name!r} is not an answer",
                remedy="correct the file, or export it from the tool again",
            )

    @property
    def answered(self) -> tuple[str | None, str | None]:
        return self.answer, self.class_name

    @property
    def word(self) -> str:
        """The class, unsure, skip or unlabeled, for formats with one name per point."""
        return self.class_name or self.answer or UNLABELED


def answer_of(word: str, classes: Sequence[str]) -> tuple[str | None, str | None]:
    """The (answer, class_name) of a point's `word`. Raises BadLabels for other words."""
    if word == UNLABELED:
        return None, None
    if word in UNSURE_OR_SKIP:
        return word, None
    if word in classes:
        return "label", word
    raise BadLabels(f"there is no class {word!r}", remedy=f"classes: {', '.join(classes)}")


def check_words(classes: Sequence[str]) -> None:
    """Raise BadLabels for class names that equal the word of an answer without a class."""
    for word in (UNLABELED, *UNSURE_OR_SKIP):
        if word in classes:
            raise BadLabels(
                f"a class named {word} cannot be told from a pixel that is {word}",
                remedy="use --format csv or masks",
            )


def check_name(name: str) -> None:
    """Raise BadLabels for names that lead out of a folder, or that label files cannot contain."""
    try:
        name.encode()
        path = PurePosixPath(name)
        safe = (
            name not in {"", "."}
            and path.as_posix() == name
            and ".." not in path.parts
            and not path.is_absolute()
            and not PureWindowsPath(name).is_absolute()
            and "\\" not in name
            and min(name) >= " "
        )
    except (UnicodeEncodeError, AttributeError):
        safe = False
    if not safe:
        raise BadLabels(
            f"{name!a} is not a name of an image",
            remedy="names are paths below the pool's folder, with forward slashes and without ..",
        )


def is_unportable(name: str) -> bool:
    """Whether a name is valid for a file on Linux, but not in label files."""
    return "\\" in name or min(name, default=" ") < " "


def placed(position: float, side: int) -> int:
    """The index of the pixel that contains a position, in pixels from the border; the far border
    belongs to the last pixel. Raises BadLabels for positions outside.
    """
    if not 0 <= position <= side:  # also true for nan
        raise BadLabels(
            f"a point at {position} is not on a side of {side} pixels",
            remedy="correct the file, or export it from the tool again",
        )
    return min(int(position), side - 1)


def clicked(  # the fields of a tool's point, and of its image
    x: float, y: float, *, image: str, height: int, width: int, word: str, classes: Sequence[str]
) -> Point:
    """The point at a position, in pixels from the left and the upper border, with its answer."""
    answer, class_name = answer_of(word, classes)
    return Point(
        image=image,
        row=placed(y, height),
        col=placed(x, width),
        height=height,
        width=width,
        answer=answer,
        class_name=class_name,
    )


@contextmanager
def within(where: str) -> Iterator[None]:
    """Prefix the message of any BadLabels raised in this block with `where`."""
    try:
        yield
    except BadLabels as error:
        raise BadLabels(f"{where}: {error}", remedy=error.remedy) from error


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
