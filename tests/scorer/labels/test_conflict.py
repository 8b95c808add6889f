"""Different answers to one pixel are refused, or resolved by a rule; the same wherever they lie."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from scorer import labels
from scorer.errors import BadLabels
from scorer.labels import Click
from scorer.labels.conflict import settle
from scorer.labels.store import Store

CLASSES = ("sky", "road", "car")


@dataclass(frozen=True)
class Said:
    """An answer: a word, or None while there is none."""

    word: str
    pixel: tuple[str, int, int] = ("a", 1, 2)

    @property
    def answered(self) -> tuple[str | None, str | None]:
        return self.word or None, None


def said(words: Sequence[str]) -> list[Said]:
    return [Said(word) for word in words]


@pytest.mark.parametrize("rule", ["refuse", "newest", "majority"])
@pytest.mark.parametrize("words", [[""], ["", ""], ["sky"], ["sky", "sky"], ["", "sky", ""]])
def test_what_does_not_differ_is_kept_once(words: list[str], rule: str) -> None:
    settled = settle(said(words), rule, is_ordered=False)
    assert settled.kept == [Said(max(words))]
    assert settled.disputed == []


@pytest.mark.parametrize(
    ("words", "rule", "chosen"),
    [
        (["sky", "car"], "newest", "car"),
        (["sky", "car", "", "sky"], "newest", "sky"),
        (["sky", "unsure"], "newest", "unsure"),
        (["sky", "car", "sky"], "majority", "sky"),
        (["car", "sky", "", "", "", "sky"], "majority", "sky"),
        (["skip", "sky", "skip"], "majority", "skip"),
    ],
)
def test_a_rule_decides(words: list[str], rule: str, chosen: str) -> None:
    other = Said("car", ("b", 0, 0))
    settled = settle([*said(words), other], rule)
    assert settled.kept == [Said(chosen), other]
    assert len(settled.disputed) == 1
    assert settled.disputed[0].startswith("a row 1, col 2 is ")


@pytest.mark.parametrize(
    ("words", "rule", "is_ordered"),
    [
        (["sky", "car"], "refuse", True), (["sky", "skip"], "refuse", True),
        (["sky", "car"], "newest", False), (["sky", "car"], "majority", True),
        (["sky", "car", "sky", "car", "road"], "majority", True),
    ],
)  # fmt: skip
def test_what_no_rule_decides_is_refused(words: list[str], rule: str, is_ordered: bool) -> None:
    with pytest.raises(BadLabels, match=r"1 pixels have .*a row 1, col 2 is sky") as caught:
        settle(said(words), rule, is_ordered=is_ordered)
    assert "--on-conflict" in caught.value.remedy


def test_many_are_counted_and_some_are_named() -> None:
    differ = [Said(word, ("a", row, 0)) for row in range(8) for word in ("sky", "car")]
    with pytest.raises(BadLabels, match=r"8 pixels .*row 4, col 0 is sky, car; and 3 more"):
        settle(differ)


LINES = "image,row,col,label,answer\n"


def csv(folder: Path, *lines: str) -> Path:
    path = folder / "l.csv"
    path.write_text(LINES + "".join(f"{line}\n" for line in lines))
    return path


def test_a_csv_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    path = csv(tmp_path, "a.jpg,1,2,sky,", "./a.jpg,1,2,car,", "a.jpg,3,4,road,", "a.jpg,1,2,sky,")
    with pytest.raises(BadLabels, match=r"l\.csv: 1 pixels .*a\.jpg row 1, col 2 is sky \(2x\), c"):
        labels.read(path, CLASSES)
    for rule in ("newest", "majority"):
        found = labels.read(path, CLASSES, on_conflict=rule)
        assert found.of("a.jpg") == [Click(1, 2, 0), Click(3, 4, 1)]


def test_unsure_and_skip_are_answers_too(tmp_path: Path) -> None:
    path = csv(tmp_path, "a.jpg,1,2,sky,", "a.jpg,1,2,,unsure")
    with pytest.raises(BadLabels, match="is sky, unsure"):
        labels.read(path, CLASSES)
    assert labels.read(path, CLASSES, on_conflict="newest").of("a.jpg") == [Click(1, 2, None)]
    skipped = csv(tmp_path, "a.jpg,1,2,sky,", "a.jpg,1,2,,skip")
    assert labels.read(skipped, CLASSES, on_conflict="newest").of("a.jpg") == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.jpg,1,2,sky,skip", "line 2: skip and sky at once"),
        ("a.jpg,1,2,,maybe", "line 2: 'maybe' is no answer"),
        ("a.jpg,1,2,,label", "line 2: the answer is label, and label is empty"),
    ],
)
def test_a_line_that_contradicts_itself_is_refused(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadLabels, match=message):
        labels.read(csv(tmp_path, line), CLASSES)


def test_the_same_answer_twice_is_one(tmp_path: Path) -> None:
    path = csv(tmp_path, "a.jpg,1,2,sky,", "a.jpg,1,2,0,", "a.jpg,1,2,,")
    assert labels.read(path, CLASSES).of("a.jpg") == [Click(1, 2, 0)]


def test_a_store_has_a_rule_of_its_own(tmp_path: Path) -> None:
    Store(tmp_path / "labels.db", CLASSES).close()
    assert len(labels.read(tmp_path / "labels.db", CLASSES)) == 0
    with pytest.raises(BadLabels, match="for a CSV") as caught:
        labels.read(tmp_path / "labels.db", CLASSES, on_conflict="newest")
    assert "the last answer to a pixel stands" in caught.value.remedy


def test_the_sizes_that_labels_were_given_at_are_known(tmp_path: Path) -> None:
    path = tmp_path / "l.csv"
    path.write_text("image,row,col,label,height,width\na,1,2,sky,20,30\na,3,4,sky,,\nb,1,2,sky,,\n")
    found = labels.read(path, CLASSES)
    assert found.sizes == {"a": (20, 30)}
    assert found.other_size("a", (20, 30)) is None
    assert found.other_size("a", (40, 60)) == (20, 30)
    assert found.other_size("b", (40, 60)) is None
    path.write_text("image,row,col,label,height,width\na,1,2,sky,20,30\na,1,3,sky,40,60\n")
    with pytest.raises(BadLabels, match=r"line 3: a is 40x60 .*before 20x30"):
        labels.read(path, CLASSES)
