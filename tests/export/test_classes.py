"""Names and colours of classes in the files that people have."""

from pathlib import Path

import pytest

from export.classes import named
from scorer.errors import BadInput

COLOURS = ((128, 64, 128), (1, 2, 3))


@pytest.mark.parametrize(
    "text",
    [
        "road,128,64,128\nblue sky,1,2,3\n",
        "name,r,g,b\nroad, 128, 64, 128\nblue sky, 1, 2, 3\n",
        "128 64 128\troad\n1 2 3\tblue sky\n",
        "road;128;64;128\n\nblue sky;1;2;3",
    ],
)
def test_colours_beside_the_names_are_colours(text: str, tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text(text)
    found = named(2, {}, path)
    assert found.names == ("road", "blue sky")
    assert found.colours == COLOURS


def test_names_without_colours_may_have_numbers(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("lane 1\nlane 2 3\n")
    assert named(2, {}, path).names == ("lane 1", "lane 2 3")
    assert named(2, {}, path).colours is None


@pytest.mark.parametrize("text", ["road,128,64,128\nsky\n", "road,128,64,128\nsky,1,2,300\n"])
def test_some_colours_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    path.write_text(text)
    with pytest.raises(BadInput, match="not every line has a colour") as caught:
        named(2, {}, path)
    assert "for every class, or for none" in caught.value.remedy
