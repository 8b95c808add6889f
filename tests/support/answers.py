"""Answers of annotators, for tests."""

from scorer.labels.answer import Answer


def answer(number: int, **changes: object) -> Answer:
    """An answer about the pixel in row `number` and column 2."""
    values: dict[str, object] = {
        "image": "a.jpg", "row": number, "col": 2, "height": 100, "width": 120,
        "grid_height": 64, "grid_width": 96, "answer": "label", "class_name": "road",
        "round": 1, "annotator": "ann", "seconds": 1.5, "time": "2026-01-01T00:00:00+00:00",
        "request": f"request-{number}",
    }  # fmt: skip
    return Answer(**values | changes)  # type: ignore[arg-type]
