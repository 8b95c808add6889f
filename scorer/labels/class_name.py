"""Rules for names of classes."""

from collections.abc import Sequence

from scorer.errors import BadInput
from scorer.labels.answer import ANSWERS, UNLABELED

MOST = 255  # masks are bytes, and 255 means unlabelled
_LONGEST = 100


def check(name: str, before: Sequence[str]) -> None:
    """Raise BadInput for a name that is invalid, or too similar to an earlier one."""
    same = next((one for one in before if one.casefold() == name.casefold()), None)
    if same is not None:
        raise BadInput(f"there is a class {same} already", remedy="choose another name")
    if len(before) >= MOST:
        raise BadInput(
            f"there are {MOST} classes, the most that a mask can hold",
            remedy="use one of the classes that exist",
        )
    if name in (UNLABELED, *ANSWERS[1:]):
        raise BadInput(f"{name} is an answer without a class", remedy="choose another name")
    if not 1 <= len(name) <= _LONGEST or not name.isprintable() or name != name.strip():
        raise BadInput(
            f"{name[:_LONGEST]!r} is no name of a class",
            remedy=f"choose a name of 1 to {_LONGEST} printable letters, without spaces around it",
        )
