"""Which image of the pool a tool means."""

from pathlib import Path

import pytest
from PIL import Image

from scorer.errors import BadLabels
from scorer.exchange.catalogue import Catalogue
from scorer.pools import list_pool


@pytest.fixture
def north(tmp_path: Path) -> Catalogue:
    """Of the folder north, which has x.jpg and deep/y.jpg; beside it lies south, with both, too."""
    for name in ("north/x.jpg", "north/deep/y.jpg", "south/x.jpg", "south/deep/y.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6)).save(tmp_path / name)
    return Catalogue(("sky", "road"), {}, list_pool(tmp_path / "north"))


@pytest.mark.parametrize(
    ("path", "image"),
    [
        ("x.jpg", "x.jpg"),
        ("data/north/x.jpg", "x.jpg"),
        ("upload/1/x.jpg", "x.jpg"),  # nobody knows that folder
        (r"C:\photos\x.jpg", "x.jpg"),
        ("north/deep/y.jpg", "deep/y.jpg"),
        ("y.jpg", "deep/y.jpg"),
    ],
)
def test_an_image_is_found_where_its_folders_fit(north: Catalogue, path: str, image: str) -> None:
    assert north.find(path) == image


@pytest.mark.parametrize("path", ["south/x.jpg", "data/south/x.jpg", "south/deep/y.jpg"])
def test_an_image_of_a_folder_beside_the_pool_is_another(north: Catalogue, path: str) -> None:
    with pytest.raises(BadLabels, match=r"is not .* of the pool"):
        north.find(path)
