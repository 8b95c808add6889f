"""Checks that a command's input files exist before PyTorch is loaded, which takes seconds."""

from pathlib import Path

from scorer.errors import BadDataset, BadModel

TRAIN = "train one with: trainer fit"


def check_data(path: Path) -> None:
    """Raise BadDataset unless the dataset.toml at `path` exists."""
    if not path.exists():
        raise BadDataset(f"{path} does not exist", remedy="write one with: trainer init")


def check_model(path: Path, remedy: str = TRAIN) -> None:
    """Raise BadModel unless the model file at `path` exists. remedy: what the error recommends."""
    if not path.is_file():
        raise BadModel(f"{path} does not exist", remedy=remedy)
