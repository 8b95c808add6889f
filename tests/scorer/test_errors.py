"""Errors: each has a remedy, and goes from a process to another as it is."""

import pickle

import pytest

from scorer.errors import BadGraph, BadImage, CannotWrite, Failure, NoGpu


@pytest.mark.parametrize("kind", [Failure, BadGraph, CannotWrite, NoGpu])
def test_an_error_of_a_worker_is_the_same_here(kind: type[Failure]) -> None:
    found = pickle.loads(pickle.dumps(kind("what happened", remedy="what to do")))
    assert type(found) is kind
    assert (str(found), found.remedy) == ("what happened", "what to do")
    assert found.exit_code == kind.exit_code


def test_the_reason_of_a_bad_image_is_kept() -> None:
    found = pickle.loads(pickle.dumps(BadImage("corrupt", "at byte 7")))
    assert (str(found), found.reason, found.detail) == (
        "corrupt: at byte 7",
        "corrupt",
        "at byte 7",
    )
    assert found.remedy
