"""Somebody's segmentation network: an ONNX file that may be of any exporter and age."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnx
import onnx.inliner
from google.protobuf.message import DecodeError
from onnx import ModelProto, TensorProto, ValueInfoProto, external_data_helper, version_converter

from export import nodes
from export.join import opset
from scorer.contract import METADATA_KEY
from scorer.errors import CannotGraft

OLDEST_OPSET = 18  # the scoring tail's; older files are converted
_LARGEST = 2**31 - 2**26  # protobuf ends at 2 GB, and the head must fit, too
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """A file, ready to be cut: one opset, no local functions, tensors in the model itself.

    image: the input that takes the image, of `layout` "nchw" or "nhwc". size: (height, width), None
    for a side that is not fixed. batch: None where any batch will do. sha256: of the file and of
    its external data.
    """

    path: Path
    model: ModelProto
    image: ValueInfoProto
    layout: str
    size: tuple[int | None, int | None]
    batch: int | None
    sha256: str

    @property
    def kind(self) -> int:
        """Element type of the image input."""
        return int(self.image.type.tensor_type.elem_type)

    @property
    def metadata(self) -> dict[str, str]:
        return {entry.key: entry.value for entry in self.model.metadata_props}

    def sized(self, grid: tuple[int, int]) -> ModelProto:
        """A copy whose image input has the size `grid`; raises CannotGraft if it has another."""
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
    """Read a file; raises CannotGraft, naming it, for whatever cannot be used."""
    model = _loaded(path)
    if any(entry.key == METADATA_KEY for entry in model.metadata_props):
        raise CannotGraft(
            f"{path} is a scoring graph already", remedy="give the network that it came from"
        )
    digest = _sha256(path, model)
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        raise CannotGraft(
            f"the weights of {path} cannot be read: {str(error).splitlines()[0]}",
            remedy="they must lie in its folder, whole: copy them again",
        ) from error
    model = _modern(model, path)
    image = _image_input(model, path)
    found = _layout(model, image, layout, path)
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
        size=size,
        batch=batch,
        sha256=digest,
    )


def _loaded(path: Path) -> ModelProto:
    """The file without its external data, whose presence is checked."""
    if not path.is_file():
        raise CannotGraft(f"{path} does not exist", remedy="--from takes an ONNX file")
    if path.stat().st_size > _LARGEST:
        raise CannotGraft(f"{path} is larger than 2 GB", remedy="an ONNX file must be smaller")
    try:
        model = onnx.load(path, format="protobuf", load_external_data=False)
    except (DecodeError, OSError) as error:
        raise CannotGraft(
            f"{path} is no ONNX file: {error}", remedy="check that the file is complete"
        ) from error
    domains = {entry.domain for entry in model.opset_import}
    if not model.graph.output or not domains & {"", "ai.onnx"}:
        raise CannotGraft(
            f"{path} is no ONNX network: it has no outputs or operators",
            remedy="check that the file is complete",
        )
    sizes = [path.stat().st_size]
    for data in _external(path, model):
        # onnx refuses a path that leaves the folder when it loads the data
        if not data.is_file():
            raise CannotGraft(
                f"{path} keeps its weights in {data.name}, which is not beside it",
                remedy=f"put {data.name} into {path.parent}",
            )
        sizes.append(data.stat().st_size)
    if sum(sizes) > _LARGEST:
        raise CannotGraft(
            f"{path} and its weights are {sum(sizes) / 1e9:.1f} GB",
            remedy="a graph is one file of 2 GB at most: export the network in float16",
        )
    return model


def _external(path: Path, model: ModelProto) -> list[Path]:
    """The files beside it that hold tensors."""
    tensors = external_data_helper._get_all_tensors(model)
    names = {
        external_data_helper.ExternalDataInfo(tensor).location
        for tensor in tensors
        if external_data_helper.uses_external_data(tensor)
    }
    return [path.parent / name for name in sorted(names)]


def _sha256(path: Path, model: ModelProto) -> str:
    digest = hashlib.sha256()
    for part in (path, *_external(path, model)):
        with part.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def _modern(model: ModelProto, path: Path) -> ModelProto:
    """Without local functions, of OLDEST_OPSET or newer, initializers not among the inputs."""
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    given = nodes.inputs(model.graph)
    if opset(model) < OLDEST_OPSET:
        try:
            model = version_converter.convert_version(model, OLDEST_OPSET)
        except Exception as error:  # it raises whatever its C++ does
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


def _layout(model: ModelProto, image: ValueInfoProto, wanted: str | None, path: Path) -> str:
    sides = [dim.dim_value for dim in image.type.tensor_type.shape.dim]
    found = [name for name, axis in (("nchw", 1), ("nhwc", 3)) if sides[axis] == 3]
    if wanted is not None:
        axis = 1 if wanted == "nchw" else 3
        if sides[axis] not in (0, 3):
            raise CannotGraft(
                f"{path}: its input is {'x'.join(map(str, sides))}, which is not {wanted}",
                remedy="leave --layout away",
            )
        return wanted
    readers = {node.op_type for node in model.graph.node if image.name in node.input}
    if not found and readers == {"Conv"} and sides[1] <= 0:
        return "nchw"  # a convolution reads the image itself
    if len(found) == 1:
        return found[0]
    raise CannotGraft(
        f"{path}: its input is {'x'.join(str(side or '?') for side in sides)}, which axis are the "
        "three colours?",
        remedy="say it with --layout nchw or --layout nhwc; grey images are not supported",
    )
