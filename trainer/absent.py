"""Checks that a command's input files exist before PyTorch is loaded, which takes seconds."""

from pathlib import Path

from scorer.errors import BadDataset, BadLabels, BadModel

TRAIN = "train one with: trainer fit"


def check_data(path: Path) -> None:
    """Raise BadDataset unless the dataset.toml at `path` exists."""
    if not path.exists():
        raise BadDataset(f"{path} does not exist", remedy="write one with: trainer init")


def check_model(path: Path, remedy: str = TRAIN) -> None:
    """Raise BadModel unless the model file at `path` exists. remedy: what the error recommends."""
    if not path.is_file():
        raise BadModel(f"{path} does not exist", remedy=remedy)


def check_labels(path: Path | None) -> None:
    """Raise BadLabels unless the file of labels exists, if one is given."""
    if path is not None and not path.is_file():
        raise BadLabels(
            f"{path} does not exist",
            remedy="labels are a CSV image,row,col,label, or a labels.db, which scorer serve and "
            "scorer labels import write",
        )


def check_folder(path: Path | None, option: str) -> None:
    """Raise BadDataset unless the folder exists, if one is given."""
    if path is not None and not path.is_dir():
        raise BadDataset(f"{path} is not a folder", remedy=f"give {option} a folder of masks")


def check_weights(choice: str) -> None:
    """Raise BadModel unless the file of weights exists, if the choice is a file."""
    if choice not in ("auto", "none") and not Path(choice).is_file():
        raise BadModel(
            f"{choice} does not exist",
            remedy="--weights takes auto, none, or a .pth or .safetensors file",
        )
