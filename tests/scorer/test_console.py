"""Progress where there is no terminal."""

import pytest

from scorer import console


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds; a test moves them on."""
    now = [0.0]
    monkeypatch.setattr(console, "monotonic", lambda: now[0])
    return now


def test_progress_is_a_line_every_ten_seconds(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress("images") as bar:
        task = bar.add_task("ranking", total=100)
        for clock[0] in range(1, 36):
            bar.advance(task)
    assert capsys.readouterr().err.splitlines() == [
        "ranking: 10 of 100", "ranking: 20 of 100", "ranking: 30 of 100",
    ]  # fmt: skip


def test_a_task_without_an_end_is_also_said(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with console.progress("images") as bar:
        task = bar.add_task("listing", total=None)
        clock[0] = 11
        bar.update(task, completed=7)
        clock[0] = 12
        bar.update(task, completed=8)
    assert capsys.readouterr().err == "listing: 7\n"


@pytest.mark.parametrize(("number", "words"), [(0, "0 images"), (1, "1 image"), (2, "2 images")])
def test_a_number_has_its_noun(number: int, words: str) -> None:
    assert console.quantity(number, "image") == words
