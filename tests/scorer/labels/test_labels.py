"""A labels file is read exactly or refused with its line, and comes back as it was written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorer import labels
from scorer.errors import BadLabels
from scorer.labels import Click, Labels

CLASSES = ("sky", "road", "car")


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("cell", "label"), [("road", 1), ("2", 2), ("", None), (" sky ", 0), ("  ", None)]
)
def test_a_label_is_a_name_an_index_or_nothing(
    cell: str, label: int | None, tmp_path: Path
) -> None:
    path = written(tmp_path, f"image,row,col,label\na.jpg,0,17,{cell}\n")
    assert labels.read(path, CLASSES).of("a.jpg") == [Click(0, 17, label)]


def test_a_class_whose_name_is_a_number_wins_over_the_index(tmp_path: Path) -> None:
    path = written(tmp_path, "image,row,col,label\na.jpg,0,0,2\n")
    assert labels.read(path, ("2", "x", "y")).of("a.jpg") == [Click(0, 0, 0)]


@pytest.mark.parametrize(
    "text",
    [
        "image,row,col,label\na.jpg,1,2,sky\nb/c.png,3,4,car\na.jpg,5,6,\n",
        "label,col,row,image\nsky,2,1,a.jpg\ncar,4,3,b/c.png\n,6,5,a.jpg\n",
        "\ufeffimage,row,col,label\r\na.jpg,1,2,sky\r\nb/c.png,3,4,car\r\na.jpg,5,6,\r\n",
        "image,row,col,rank,label,note\na.jpg,1,2,9,sky,\nb/c.png,3,4,9,car,x\na.jpg,5,6,9,,\n",
        'image,row,col,label\n"a.jpg",1,2,sky\n\nb/c.png,3,4,car\na.jpg,5,6,\n',
        "image;row;col;label;;\na.jpg;1;2;sky;;\nb/c.png;3;4;car\na.jpg;5;6;;;\n;;;;;\n ; ; ; \n",
    ],
    ids=[
        "plain",
        "columns in another order",
        "from Excel",
        "more columns",
        "quotes, empty line",
        "empty fields behind the last column",
    ],
)
def test_the_ways_to_write_the_same_labels(text: str, tmp_path: Path) -> None:
    read = labels.read(written(tmp_path, text), CLASSES)
    assert dict(read.clicks) == {
        "a.jpg": [Click(1, 2, 0), Click(5, 6, None)],
        "b/c.png": [Click(3, 4, 2)],
    }
    assert len(read) == 3


def test_an_image_without_labels_has_none(tmp_path: Path) -> None:
    read = labels.read(written(tmp_path, "image,row,col,label\n"), CLASSES)
    assert len(read) == 0
    assert read.of("a.jpg") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty, or begins"),
        ("image,row,col\na,1,2\n", r"no column named label; its first line is image \| row \| col"),
        (
            "image,row,,label\na,1,2,sky\n",
            r"no column named col; its first line is image \| row \|  \| label",
        ),
        ("image|row|col|label\na|1|2|sky\n", "no column named"),
        ("a.jpg,1,2,sky\n", r"its first line is a.jpg \| 1 \| 2 \| sky"),
        ("image,row,col,label\na.jpg,1\n", "line 2 has 2 fields, the header 4"),
        ("image,row,col,label\na.jpg,1,2,,1,0.5\n", "line 2 has 6 fields, the header 4"),
        # of a table image,row,col,rank,label,note: the rank is no label
        ("image,row,col,label\na.jpg,1,2,1,,\n", "line 2 has 6 fields, the header 4"),
        ("image,row,col,label,\na.jpg,1,2,1,,\n", "line 2 has 6 fields, the header 4"),
        ("image,row,col,label,row\na.jpg,1,2,sky,3\n", "two columns are named row"),
        ("image,row,col,label\n,1,2,sky\n", "line 2: expected image,row,col,label"),
        ("image,row,col,label\na.jpg,1,2,sky\na.jpg,-1,2,sky\n", "line 3: row is '-1'"),
        ("image,row,col,label\na.jpg,1.5,2,sky\n", "line 2: row is '1.5'"),
        ("image,row,col,label\na.jpg,1,,sky\n", "line 2: col is ''"),
        ("image,row,col,label\na.jpg,1,x,sky\n", "line 2: col is 'x'"),
        ("image,row,col,label\na.jpg,1,2,tree\n", "line 2: unknown label 'tree'"),
        ("image,row,col,label\na.jpg,1,2,3\n", "line 2: unknown label '3'"),
        ("image,row,col,label\na.jpg,1,2,-1\n", "line 2: unknown label '-1'"),
        (b"image,row,col,label\ncaf\xe9.jpg,1,2,sky\n", "it is not UTF-8"),
        ('image,row,col,label\n"a.jpg,1,2,sky\n', "cannot be read"),
        ('image,row,col,label\n"a"b.jpg,1,2,sky\n', "cannot be read"),
    ],
)
def test_a_file_that_is_not_understood_is_refused(
    text: str | bytes, message: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadLabels, match=message) as caught:
        labels.read(path, CLASSES)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 5


def test_an_underscore_is_no_digit(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match="line 2"):
        labels.read(written(tmp_path, "image,row,col,label\na.jpg,1_0,2,sky\n"), CLASSES)


def test_a_dot_before_the_name_names_the_same_image(tmp_path: Path) -> None:
    text = "image,row,col,label\n./a.jpg,1,2,sky\na.jpg,3,4,sky\n"
    found = labels.read(written(tmp_path, text), CLASSES)
    assert dict(found.clicks) == {"a.jpg": [Click(1, 2, 0), Click(3, 4, 0)]}


def test_an_unknown_label_lists_the_classes(tmp_path: Path) -> None:
    with pytest.raises(BadLabels) as caught:
        labels.read(written(tmp_path, "image,row,col,label\na.jpg,1,2,tree\n"), CLASSES)
    assert caught.value.remedy == "classes: 0 sky, 1 road, 2 car"


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match=r"nowhere\.csv does not exist"):
        labels.read(tmp_path / "nowhere.csv", CLASSES)


def test_a_folder_is_no_labels_file(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").mkdir()
    with pytest.raises(BadLabels, match="cannot be read"):
        labels.read(tmp_path / "labels.csv", CLASSES)


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match=r"from \.csv and"):
        labels.read(tmp_path / "labels.xlsx", CLASSES)


names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=12
).filter(lambda name: name.strip() and not name.startswith("./"))
clicks = st.builds(
    Click, st.integers(0, 10**6), st.integers(0, 10**6), st.none() | st.integers(0, 2)
)


def pixel(click: Click) -> tuple[int, int]:
    return click.row, click.col


@given(
    st.dictionaries(names, st.lists(clicks, min_size=1, max_size=4, unique_by=pixel), max_size=5)
)
def test_written_labels_come_back(
    tmp_path_factory: pytest.TempPathFactory, given_clicks: dict[str, list[Click]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "there and back.csv"
    labels.write(path, Labels(given_clicks), CLASSES)
    assert dict(labels.read(path, CLASSES).clicks) == given_clicks


def test_equal_labels_are_equal_bytes(tmp_path: Path) -> None:
    first = Labels({"b": [Click(1, 2, 0)], "a": [Click(3, 4, None)]})
    second = Labels({"a": [Click(3, 4, None)], "b": [Click(1, 2, 0)]})
    labels.write(tmp_path / "1.csv", first, CLASSES)
    labels.write(tmp_path / "2.csv", second, CLASSES)
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()
    assert (tmp_path / "1.csv").read_bytes() == b"image,row,col,label\na,3,4,\nb,1,2,sky\n"
