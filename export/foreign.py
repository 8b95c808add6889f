"""Reads a segmentation network from an ONNX file of any exporter and opset."""

from dataclasses import dataclass
from pathlib import Path

import onnx.inliner
from onnx import ModelProto, TensorProto, ValueInfoProto, version_converter

from export import nodes
from export.join import opset
from export.onnx_file import load
from scorer.errors import CannotGraft

OLDEST_OPSET = 18  # opset of the scoring tail; older files are converted
_CHANNELS = (3, 1)
_MOST_CHANNELS = 16  # a longer axis is taken for a side of the image
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """An ONNX network ready for grafting: opset 18 or newer, no local functions, no external data.

    image: the image input, of `layout` "nchw" or "nhwc". channels: 3, or 1 of a network for grey
    images. size: (height, width), None for a dynamic side. batch: None for a dynamic batch. sha256:
    hash of the file and of its external data.
    """

    path: Path
    model: ModelProto
    image: ValueInfoProto
    layout: str
    channels: int
    size: tuple[int | None, int | None]
    batch: int | None
    sha256: str

    @property
    def kind(self) -> int:
        """ONNX element type of the image input."""
        return int(self.image.type.tensor_type.elem_type)

    @property
    def metadata(self) -> dict[str, str]:
        return {entry.key: entry.value for entry in self.model.metadata_props}

    def sized(self, grid: tuple[int, int]) -> ModelProto:
        """A copy whose image input has the size `grid` (height, width). Raises CannotGraft if the
        size is fixed to another one.
        """
        fixed = tuple(own or wanted for own, wanted in zip(self.size, grid, strict=True))
        if fixed != grid:
            raise CannotGraft(
                f"{self.path} takes images of {fixed[0]}x{fixed[1]} only",
                remedy="leave --size away, or export the network with dynamic height and width",
            )
        model = ModelProto()
        model.CopyFrom(self.model)
        entry = next(e for e in model.graph.input if e.name == self.image.name)
        rows, columns = (2, 3) if self.layout == "nchw" else (1, 2)
        for axis, side in ((rows, grid[0]), (columns, grid[1])):
            entry.type.tensor_type.shape.dim[axis].dim_value = side
        del model.graph.value_info[:]
        return model


def read(path: Path, *, layout: str | None = None) -> Foreign:
    """Read an ONNX network. Raises CannotGraft, naming the file, if it cannot be used."""
    model, digest = load(path)
    model = _modern(model, path)
    image = _image_input(model, path)
    found, channels = _layout(model, image, layout, path)
    batch, *sides = (
        dim.dim_value if dim.dim_value > 0 else None for dim in image.type.tensor_type.shape.dim
    )
    if batch not in (None, 1):
        raise CannotGraft(
            f"{path} takes {batch} images at once",
            remedy="export it with a dynamic batch, or a batch of 1",
        )
    size = (sides[1], sides[2]) if found == "nchw" else (sides[0], sides[1])
    return Foreign(
        path=path,
        model=model,
        image=image,
        layout=found,
        channels=channels,
        size=size,
        batch=batch,
        sha256=digest,
    )


def _modern(model: ModelProto, path: Path) -> ModelProto:
    """The model without local functions, at opset OLDEST_OPSET or newer, and without initializers
    among its inputs.
    """
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    given = nodes.inputs(model.graph)
    if opset(model) < OLDEST_OPSET:
        try:
            model = version_converter.convert_version(model, OLDEST_OPSET)
        except Exception as error:  # the converter raises exceptions of many types
            raise CannotGraft(
                f"{path} is of opset {opset(model)} and cannot be converted to {OLDEST_OPSET}: "
                f"{str(error).splitlines()[0]}",
                remedy=f"export the network with opset {OLDEST_OPSET} or newer",
            ) from error
    del model.graph.input[:]
    model.graph.input.extend(given)
    return model


def _image_input(model: ModelProto, path: Path) -> ValueInfoProto:
    given = nodes.inputs(model.graph)
    pictures = [e for e in given if len(e.type.tensor_type.shape.dim) == 4]
    if len(pictures) != 1 or len(given) != 1:
        names = ", ".join(entry.name for entry in given) or "nothing"
        raise CannotGraft(
            f"{path} takes {names}; expected one input, an image of four axes",
            remedy="export the network with the image as its only input",
        )
    kind = pictures[0].type.tensor_type.elem_type
    if kind not in (*_FLOATS, TensorProto.UINT8):
        raise CannotGraft(
            f"{path}: its input {pictures[0].name!r} is of {TensorProto.DataType.Name(kind)}",
            remedy="expected float or uint8 pixels",
        )
    return pictures[0]


def _layout(
    model: ModelProto, image: ValueInfoProto, wanted: str | None, path: Path
) -> tuple[str, int]:
    """The layout of the image input and its number of channels: 3 of colour, or 1 of grey
    images.
    """
    sides = [dim.dim_value for dim in image.type.tensor_type.shape.dim]
    axes = {
        "nchw": sides[1] if sides[1] > 0 else _read_by_convolution(model, image),
        "nhwc": sides[3],
    }
    known = {name: side for name, side in axes.items() if side in _CHANNELS}
    shape = "x".join(str(side or "?") for side in sides)
    if not known and (others := [side for side in axes.values() if 0 < side <= _MOST_CHANNELS]):
        raise CannotGraft(
            f"{path} takes images of {min(others)} channels ({shape}); supported are three colours "
            "and grey, which photographs have",
            remedy="give a network of three channels or one: what others hold, such as depth or "
            "infrared, the files of a pool do not",
        )
    if wanted is not None:
        if axes[wanted] > 0 and wanted not in known:
            raise CannotGraft(
                f"{path}: its input is {shape}, which is not {wanted}", remedy="leave --layout away"
            )
        return wanted, known.get(wanted, 3)
    # Length 3 wins over length 1: an axis of length 1 may be a side that is dynamic.
    for count in _CHANNELS:
        found = [name for name, side in known.items() if side == count]
        if len(found) == 1:
            return found[0], count
    raise CannotGraft(
        f"{path}: its input is {shape}, which axis are the channels?",
        remedy="say it with --layout nchw or --layout nhwc",
    )


def _read_by_convolution(model: ModelProto, image: ValueInfoProto) -> int:
    """Number of input channels of the Conv that reads the image; 0 if other nodes read it."""
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    readers = [node for node in model.graph.node if image.name in node.input]
    if {node.op_type for node in readers} != {"Conv"}:
        return 0
    return int(weights.get(readers[0].input[1], [0, 3])[1])
