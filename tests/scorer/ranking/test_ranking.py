"""A ranking is the same in every format, byte for byte when repeated, whole or absent."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from scorer.errors import BadInput, CannotWrite
from scorer.images.geometry import Geometry
from scorer.ranking import table as ranking
from scorer.selection.result import Pixel, Ranked

CLASSES = ("sky", "road, wet", 'the "car"')
RESULTS = [
    Ranked(
        "city/a, b.png",
        Geometry((720, 960), (360, 480)),
        (Pixel(3, 900, 1, 0.1, 0), Pixel(719, 0, 2, -3.3617995, 2)),
        nonnegative=0.25,
    ),
    Ranked("empty.png", Geometry((1, 1), (360, 480)), ()),
    Ranked("café\n.png", Geometry((5, 7), (360, 480)), (Pixel(4, 6, 1, 1e30, 1),)),
]
SUFFIXES = (".csv", ".jsonl", ".parquet")


def all_rows() -> list[ranking.Row]:
    return list(ranking.rows(RESULTS, CLASSES))


def test_a_row_says_where_in_the_original_and_on_the_grid() -> None:
    assert all_rows()[0] == {
        "image": "city/a, b.png",
        "row": 3,
        "col": 900,
        "rank": 1,
        "score": 0.1,
        "predicted": "sky",
        "height": 720,
        "width": 960,
        "grid_height": 360,
        "grid_width": 480,
        "nonnegative": 0.25,
    }
    assert [row["image"] for row in all_rows()] == ["city/a, b.png"] * 2 + ["café\n.png"]
    assert all(tuple(row) == ranking.COLUMNS for row in all_rows())


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".CSV", ".Parquet"])
def test_what_is_written_is_read_back(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"r{suffix}"
    ranking.write(path, all_rows())
    read = list(ranking.read(path))
    assert len(read) == 3
    for found, expected in zip(read, all_rows(), strict=True):
        assert found == expected | {"score": pytest.approx(expected["score"], rel=1e-7)}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_repeating_gives_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    for name in "ab":
        ranking.write(tmp_path / f"{name}{suffix}", all_rows())
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_ranking_has_its_columns(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"r{suffix}"
    ranking.write(path, [])
    assert list(ranking.read(path)) == []
    if suffix == ".csv":
        assert path.read_text() == ",".join(ranking.COLUMNS) + "\n"
    if suffix == ".parquet":
        assert tuple(pq.read_schema(path).names) == ranking.COLUMNS


def test_the_files_are_plain_for_other_programs(tmp_path: Path) -> None:
    ranking.write(tmp_path / "r.csv", all_rows())
    ranking.write(tmp_path / "r.jsonl", all_rows())
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))
    assert table[0] == list(ranking.COLUMNS)
    assert table[1][:6] == ["city/a, b.png", "3", "900", "1", "0.1", "sky"]
    lines = (tmp_path / "r.jsonl").read_text().splitlines()
    assert [json.loads(line)["predicted"] for line in lines] == ["sky", 'the "car"', "road, wet"]


def test_a_score_keeps_all_that_float32_holds() -> None:
    import numpy as np

    for value in np.float32([0.1, 1 / 3, -3.3617995, 1e-30, 16777217, 3.0e38]):
        result = Ranked("a", Geometry((1, 1), (1, 1)), (Pixel(0, 0, 1, float(value), 0),))
        (row,) = ranking.rows([result], CLASSES)
        assert np.float32(row["score"]) == value


@pytest.mark.parametrize("name", ["r.txt", "r", "csv", "r.csv.gz", ".csv"])
def test_a_name_that_says_no_format_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\.csv, \.jsonl, \.parquet") as caught:
        ranking.write(tmp_path / name, all_rows())
    assert "--out" in caught.value.remedy
    assert not list(tmp_path.iterdir())


class Interrupted:
    """Rows that end in an error; knows whether it came to that."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.hit = False

    def __iter__(self) -> Iterator[ranking.Row]:
        yield from all_rows()
        self.hit = True
        raise self.error


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_older_ranking(
    suffix: str, error: BaseException, tmp_path: Path
) -> None:
    path = tmp_path / f"r{suffix}"
    path.write_bytes(b"older")
    rows = Interrupted(error)
    expected = CannotWrite if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        ranking.write(path, rows)
    assert rows.hit
    assert path.read_bytes() == b"older"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_parquet_of_many_rows_is_whole(tmp_path: Path) -> None:
    one = all_rows()[0]
    ranking.write(tmp_path / "r.parquet", (one | {"rank": index} for index in range(70_000)))
    ranks = [row["rank"] for row in ranking.read(tmp_path / "r.parquet")]
    assert ranks == list(range(70_000))
