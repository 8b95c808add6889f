"""The classes of a dataset: names, colours, and the mask value that means 'not labelled'."""

from dataclasses import dataclass

from scorer.images.colours import Colour


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Names and colours by class index, and the mask value that means 'not labelled'."""

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    ignore: int

    def __len__(self) -> int:
        return len(self.names)
