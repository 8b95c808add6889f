"""Colours of classes: as people write them, and well apart where nobody has chosen them."""

Colour = tuple[int, int, int]


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
