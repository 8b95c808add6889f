"""The lines of a live session: written by what learns, read by the service."""

import json
from pathlib import Path

import pytest

from scorer.labels import learned
from scorer.labels.learned import Doubt, Learned

AUDIT = {"pixels": 12, "accuracy": 0.5, "accuracy_low": 0.2, "accuracy_high": 0.8, "miou": 0.4,
         "miou_low": 0.1, "miou_high": 0.7}  # fmt: skip
MODEL = Learned(
    rows=30, labels=25, images=9, gathered_and_fitted=1.5, exported=0.5, audit=AUDIT, confirmed=0.6
)


def test_models_come_back_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / learned.LOG
    assert learned.read(path) == []
    lines = [learned.append(path, one) for one in (MODEL, Learned(**{**vars(MODEL), "labels": 40}))]
    assert [one.labels for one in learned.read(path)] == [25, 40]
    assert learned.read(path)[0] == MODEL
    assert [json.loads(line)["labels"] for line in lines] == [25, 40]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "7", "{}", '{"rows": 1}', json.dumps({**vars(MODEL), "rows": -1}),
     json.dumps({**vars(MODEL), "audit": {"pixels": 3}}),
     json.dumps({**vars(MODEL), "labels": "many"}),
     json.dumps({**vars(MODEL), "audit": {**AUDIT, "pixels": "12"}}),
     json.dumps({**vars(MODEL), "audit": {**AUDIT, "accuracy": float("nan")}}),
     json.dumps({**vars(MODEL), "exported": float("inf")})],
)  # fmt: skip
def test_a_line_that_is_none_is_passed_over(line: str, tmp_path: Path) -> None:
    path = tmp_path / learned.LOG
    learned.append(path, MODEL)
    with path.open("a") as file:
        file.write(line + "\n")
    assert learned.read(path) == [MODEL]


def test_a_line_that_a_kill_has_cut_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / learned.LOG
    learned.append(path, MODEL)
    with path.open("a") as file:
        file.write('{"rows": 40, "lab')
    learned.append(path, MODEL)
    assert learned.read(path) == [MODEL, MODEL]


def test_doubts_come_back_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / learned.DOUBTS
    doubt = Doubt(image="a.jpg", row=1, col=2, given="sky", predicted="road", probability=0.97)
    assert learned.read_doubts(path) == []
    learned.write_doubts(path, [doubt])
    assert learned.read_doubts(path) == [doubt]
    for text in ("{", "[7]", '[{"image": "a.jpg"}]', "7"):
        path.write_text(text)
        assert learned.read_doubts(path) == []
