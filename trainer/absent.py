"""What a command reads and is not there: found before PyTorch is loaded, which takes seconds."""

from pathlib import Path

from scorer.errors import BadDataset, BadModel

TRAIN = "train one with: trainer fit"


def check_data(path: Path) -> None:
    """Raise BadDataset unless there is a dataset.toml."""
    if not path.exists():
        raise BadDataset(f"{path} does not exist", remedy="write one with: trainer init")


def check_model(path: Path, remedy: str = TRAIN) -> None:
    """Raise BadModel unless there is a file of weights."""
    if not path.is_file():
        raise BadModel(f"{path} does not exist", remedy=remedy)
