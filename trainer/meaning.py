"""Maps mask values or colours to classes, with the names of a legend or guessed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scorer.errors import BadDataset
from scorer.images.colours import Colour, default_colours, hexadecimal
from trainer.legend import Legend
from trainer.masks import IGNORE
from trainer.survey import MOST_COLOURS, MaskValues

_MOST_GUESSED = 64  # most values that are taken for classes without names
_FAR = 20  # a value from here on, far above the others, is no class index
_BLACK = (0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """The classes of masks. values: mask value of each class; None if they count from 0. ignore:
    mask value that means 'not labelled'. remark: assumption to be reported, or "".
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    values: tuple[int, ...] | None = None
    ignore: int = IGNORE
    remark: str = ""

    @property
    def ids(self) -> dict[int, int] | None:
        """Class indices by mask value, as in Split.ids."""
        if self.values is None:
            return None
        known = {value: index for index, value in enumerate(self.values)}
        return {IGNORE: IGNORE, self.ignore: IGNORE} | known


def of(found: MaskValues, legend: Legend | None) -> Meaning:
    """The classes of examined masks. Raises BadDataset where masks and legend contradict each
    other.
    """
    if found.colours:
        return _of_colours(found, legend)
    present = sorted(found.counts)
    if legend is None:
        return _guessed(present)
    if legend.values is not None:
        return _completed(legend.path, legend.names, legend.values, present)
    values, remark = _matched(legend, present)
    return _made(legend.names, values, legend.colours, remark)


def _completed(
    path: Path, names: tuple[str, ...], values: tuple[int, ...], present: Sequence[int]
) -> Meaning:
    """A legend with mask values, extended by classes without names for further values in the
    masks.
    """
    more = [value for value in present if value not in {*values, IGNORE}]
    remark = f"{path.name} does not name the values {_listed(more)}: name them" if more else ""
    pairs = sorted([*zip(values, names, strict=True), *((one, f"class {one}") for one in more)])
    if len({name for _, name in pairs}) < len(pairs):
        raise BadDataset(
            f"{path} does not name the value {more[0]}", remedy="add a line for it to the file"
        )
    return _made(tuple(name for _, name in pairs), [value for value, _ in pairs], None, remark)


def _matched(legend: Legend, present: Sequence[int]) -> tuple[tuple[int, ...] | None, str]:
    """The mask values for a legend without any, and a remark."""
    count, inner = len(legend.names), [value for value in present if value != IGNORE]
    if not inner or (max(inner) < count and set(present) != {0, IGNORE}):
        return None, ""
    if set(present) == {0, IGNORE} and count == 2:
        return (0, IGNORE), _order(legend.names, (0, IGNORE))
    if max(inner) < count:
        return None, ""
    if len(inner) == count:
        return tuple(inner), _order(legend.names, inner)
    if max(inner) == count:
        raise BadDataset(
            f"{legend.path} has {count} names, but the masks hold the values 0 to {count}",
            remedy="if 0 is the background, put the name _background_ before the others; if "
            f"{count} means 'not labelled', run trainer init without names, then remove the name "
            f"of class {count} and set ignore = {count} in [classes] of dataset.toml",
        )
    raise BadDataset(
        f"{legend.path} has {count} names, the masks hold values up to {max(inner)}",
        remedy="one name per line, all different, the first is mask value 0; or the value in front "
        "of each name",
    )


def _order(names: Sequence[str], values: Sequence[int]) -> str:
    pairs = ", ".join(f"{value} {name}" for name, value in zip(names, values, strict=True))
    return f"the names are taken for the values in their order: {pairs}; check this"


def _guessed(present: Sequence[int]) -> Meaning:
    inner = [value for value in present if value != IGNORE]
    if not present:
        return _made(("class 0", "class 1"), None)
    if set(present) == {0, IGNORE}:
        remark = "0 and 255 are taken for two classes, background and foreground"
        return _made(("background", "foreground"), (0, IGNORE), remark=remark)
    if not inner:
        raise BadDataset(
            "the masks hold 255 alone, which means that nothing is labelled",
            remedy="if 255 is a class, store it as 1",
        )
    if len(inner) > _MOST_GUESSED:
        raise BadDataset(
            f"the masks hold {len(inner)} different values, and nothing names them",
            remedy="masks are class indices, not grey levels: store them without smoothing, as PNG "
            "and not as JPEG; many classes are named in classes.txt, one per line",
        )
    if max(inner) < max(2 * len(inner), _FAR):
        return _made(tuple(f"class {n}" for n in range(max(1, *inner) + 1)), None)
    if len(inner) == 1:
        inner = [0, *inner]
    remark = f"the values {_listed(inner)} are taken for a class each"
    return _made(tuple(f"class {value}" for value in inner), tuple(inner), remark=remark)


def _made(
    names: tuple[str, ...],
    values: Sequence[int] | None,
    colours: Sequence[Colour] | None = None,
    remark: str = "",
) -> Meaning:
    count = len(names)
    taken = set(values or range(count))
    plain = taken == set(range(count))
    ignore = next(value for value in (IGNORE, *range(254, -1, -1)) if value not in taken)
    return Meaning(
        names=names,
        colours=tuple(colours or default_colours(count)),
        values=None if values is None or plain else tuple(values),
        ignore=ignore,
        remark=remark,
    )


def _of_colours(found: MaskValues, legend: Legend | None) -> Meaning:
    if legend is None:
        return _guessed_colours(found)
    if legend.colours is None:
        raise BadDataset(
            f"the masks are in colours, and {legend.path} does not say which colour is which name",
            remedy="write label_colors.txt: a line of red, green, blue and name for each class",
        )
    unknown = {hexadecimal(one) for one in set(found.colours) - {*legend.colours, _BLACK}}
    if unknown:
        raise BadDataset(
            f"the masks hold {min(unknown)}, which {legend.path} does not name",
            remedy="add a line for it to the file; black need not be there, it is not labelled",
        )
    return Meaning(names=legend.names, colours=legend.colours)


def _guessed_colours(found: MaskValues) -> Meaning:
    colours = tuple(sorted(found.colours))
    if not 2 <= len(colours) <= MOST_COLOURS:
        raise BadDataset(
            f"the masks hold {len(colours)} colours, expected 2 to {MOST_COLOURS}",
            remedy="write label_colors.txt: a line of red, green, blue and name for each class",
        )
    first = 1 if _BLACK in colours else 0
    names = ("background",) * first + tuple(f"class {n}" for n in range(first, len(colours)))
    black = ", black for the background" if first else ""
    return Meaning(names=names, colours=colours, remark=f"each colour is taken for a class{black}")


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
