"""Describes an ONNX network as the options of --from do: the file, and its preprocessing."""

from dataclasses import dataclass
from pathlib import Path

from onnx import TensorProto

from export.classes import named
from export.foreign import Foreign, read
from export.grafting import ForeignNetwork
from scorer.contract import ORIGINS, Contract
from scorer.errors import BadGraph, BadInput, CannotGraft
from scorer.images.colours import default_colours
from scorer.images.preprocessing import PRESETS, Preprocessing, Triple
from scorer.plain import PlainContract
from trainer.model import Card


@dataclass(frozen=True, kw_only=True)
class Source:
    """An ONNX network and what its file does not say. None: as in the preset, or as the file
    implies.

    mean, std: in the channel order of the network, for values from 0 to 1 or from 0 to 255.
    """

    path: Path
    output: str | None = None
    preset: str | None = None
    mean: Triple | None = None
    std: Triple | None = None
    channels: str | None = None
    layout: str | None = None
    classes: Path | None = None
    dropout: float = 0.2

    def preprocessing(self, foreign: Foreign) -> Preprocessing:
        """The preprocessing of images for the network. Raises BadInput, CannotGraft."""
        by_itself = foreign.kind == TensorProto.UINT8
        grey = self._grey(foreign)
        default = "raw" if by_itself else "unit" if grey else "imagenet"
        mean, std, channels = PRESETS[self.preset or default]
        if grey:
            channels = "grey"
        elif self.channels not in (None, channels):
            mean, std = mean[::-1], std[::-1]  # in the channel order of the network
        if self.mean == (0, 0, 0) and self.std == (1, 1, 1):
            raise BadInput(
                "--mean 0,0,0 --std 1,1,1: of values from 0 to 1, or from 0 to 255?",
                remedy="say --preset unit (0 to 1) or --preset raw (0 to 255)",
            )
        try:
            found = Preprocessing.scaled(
                self.mean or mean,
                self.std or std,
                channels=self.channels or channels,
                layout=foreign.layout,
            )
        except ValueError as error:
            raise BadInput(
                f"--mean, --std: {error}", remedy="such as --mean 0.485,0.456,0.406"
            ) from error
        if by_itself and (any(found.mean) or set(found.std) != {1.0}):
            raise CannotGraft(
                f"{self.path} takes pixels of uint8 and must normalise them by itself",
                remedy="leave --preset, --mean and --std away",
            )
        return found

    def _grey(self, foreign: Foreign) -> bool:
        """Whether the network takes grey images. Raises CannotGraft where options contradict it."""
        grey = foreign.channels == 1
        if self.channels is not None and grey != (self.channels == "grey"):
            raise CannotGraft(
                f"--channels {self.channels}: {self.path} takes images of {foreign.channels} "
                f"channel{'' if grey else 's'}",
                remedy="leave --channels away",
            )
        if (
            grey
            and len(set(PRESETS[self.preset or "unit"][0])) > 1
            and not (self.mean and self.std)
        ):
            raise CannotGraft(
                f"--preset {self.preset} has a mean for each of three colours; {self.path} takes "
                "grey images",
                remedy="choose --preset unit, half or raw, or give one number to --mean and --std",
            )
        return grey


def open_network(source: Source, size: tuple[int, int] | None) -> tuple[ForeignNetwork, Card, str]:
    """Open a network; returns it with its model card and the origin of its class names.

    size: (height, width) of its input, needed where the file leaves it open. Raises CannotGraft.
    """
    foreign = read(source.path, layout=source.layout)
    grid = size or foreign.size
    if grid[0] is None or grid[1] is None:
        raise CannotGraft(
            f"{source.path} takes images of any size",
            remedy="say at which one to score with --size HEIGHTxWIDTH, best that of its training",
        )
    network = ForeignNetwork(
        foreign,
        preprocessing=source.preprocessing(foreign),
        grid=(grid[0], grid[1]),
        rate=source.dropout,
        output=source.output,
    )
    names, origin, colours = named(network.classes, foreign.metadata, source.classes)
    card = Card(
        network=source.path.name,
        dropout=source.dropout,
        dropout_kind="channel",
        classes=names,
        colours=colours or default_colours(len(names)),
        height=grid[0],
        width=grid[1],
        pretrained="",
    )
    return network, card, origin


def reopen(path: Path, contract: Contract | PlainContract) -> ForeignNetwork:
    """Open the network that a graph with this contract was exported from.

    Raises BadInput where it was not an ONNX network, BadGraph where the file is another one.
    """
    if isinstance(contract, Contract) and contract.origin != ORIGINS[1]:
        raise BadInput(
            "the graph was made from a trained model, not from somebody's network",
            remedy="give the model with --model, and no --from",
        )
    foreign = read(path, layout=contract.preprocessing.layout)
    if foreign.sha256 != contract.weights_sha256:
        raise BadGraph(
            f"the graph was not made from {path}, but from a file called {contract.network}",
            remedy="give the file that it came from with --from, or export again",
        )
    return ForeignNetwork(
        foreign,
        preprocessing=contract.preprocessing,
        grid=contract.grid,
        rate=contract.dropout if isinstance(contract, Contract) else Source(path=path).dropout,
        output=contract.output if isinstance(contract, Contract) else None,
    )
