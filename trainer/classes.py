"""What is told apart: names, colours, and the mask value that means 'not labelled'."""

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class Classes:
    """Names and colours by class index, and the mask value that means 'not labelled'."""

    names: tuple[str, ...]
    colours: tuple[Colour, ...]
    ignore: int

    def __len__(self) -> int:
        return len(self.names)


def hexadecimal(colour: Colour) -> str:
    """As dataset.toml has it: #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def default_colours(count: int) -> tuple[Colour, ...]:
    """Well separated colours for any number of classes: the bits of the index, spread out."""
    colours = []
    for index in range(1, count + 1):
        channels = [0, 0, 0]
        for bit in range(8):
            channels[bit % 3] |= (index >> bit & 1) << (7 - bit // 3)
        colours.append((channels[0], channels[1], channels[2]))
    return tuple(colours)
