"""Checks that a command's input files exist before PyTorch and onnx are loaded, which takes
seconds.
"""

from pathlib import Path

from scorer.errors import BadInput, CannotGraft
from scorer.runtimes.base import check_file as check_graph
from trainer.absent import check_model

__all__ = ["check_classes", "check_graph", "check_model", "check_network"]


def check_network(path: Path) -> None:
    """Raise CannotGraft unless the ONNX network at `path` exists."""
    if not path.is_file():
        raise CannotGraft(f"{path} does not exist", remedy="--from takes an ONNX file")


def check_classes(path: Path | None) -> None:
    """Raise BadInput unless the file of class names exists, if one is given."""
    if path is not None and not path.is_file():
        raise BadInput(
            f"{path} does not exist",
            remedy="--classes takes a file: one name per line, or JSON, such as a config.json with "
            "id2label",
        )
