"""The contract survives the journey through JSON, and what was edited is refused."""

import json
from dataclasses import FrozenInstanceError, asdict, replace
from typing import Any

import pytest
from contracts import CONTRACT

from scorer.contract import ACQUISITIONS, VERSION, Contract
from scorer.errors import BadGraph
from scorer.plain import described


def test_json_there_and_back_is_the_same_contract() -> None:
    assert Contract.from_json(CONTRACT.to_json(), source="x") == CONTRACT


def test_the_json_is_canonical() -> None:
    text = CONTRACT.to_json()
    assert text.isascii()
    assert ": " not in text
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_the_order_of_versions_does_not_change_the_hash() -> None:
    one = replace(CONTRACT, versions={"a": "1", "b": "2"})
    other = replace(CONTRACT, versions={"b": "2", "a": "1"})
    assert one.sha256 == other.sha256


@pytest.mark.parametrize(
    "change",
    [{"passes": 21}, {"classes": ("sky", "road")}, {"mask_seed": 1}, {"weights_sha256": "cd"}],
    ids=str,
)
def test_every_change_changes_the_hash(change: dict[str, Any]) -> None:
    assert replace(CONTRACT, **change).sha256 != CONTRACT.sha256


def test_a_contract_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        CONTRACT.passes = 3  # type: ignore[misc]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"text"', "{}", '{"passes": 3}'])
def test_what_is_no_contract_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadGraph, match=r"^scorer\.onnx: its contract cannot be read"):
        Contract.from_json(text, source="scorer.onnx")


@pytest.mark.parametrize("version", [0, VERSION + 1, "1", None])
def test_another_version_is_refused_with_both_versions(version: object) -> None:
    text = json.dumps(asdict(CONTRACT) | {"version": version})
    with pytest.raises(BadGraph, match=f"version {version}.*reads version {VERSION}") as caught:
        Contract.from_json(text, source="scorer.onnx")
    assert "export" in caught.value.remedy


@pytest.mark.parametrize("field", sorted(set(asdict(CONTRACT)) - {"version"}))
def test_a_missing_field_is_refused(field: str) -> None:
    values = asdict(CONTRACT)
    del values[field]
    with pytest.raises(BadGraph, match="lacks or adds fields"):
        Contract.from_json(json.dumps(values), source="x")


def test_a_field_too_many_is_refused() -> None:
    with pytest.raises(BadGraph, match="lacks or adds fields"):
        Contract.from_json(json.dumps(asdict(CONTRACT) | {"extra": 1}), source="x")


@pytest.mark.parametrize(
    "change",
    [
        {"acquisition": "guess"},
        {"resize": "stretch"},
        {"classes": 5},
        {"classes": []},
        {"colours": [[1, 2, 3]]},
        {"colours": 7},
        {"top_k": 0},
        {"top_k": "64"},
        {"height": -1},
    ],
    ids=str,
)
def test_a_value_that_no_exporter_writes_is_refused(change: dict[str, Any]) -> None:
    text = json.dumps(asdict(CONTRACT) | change)
    with pytest.raises(BadGraph):
        Contract.from_json(text, source="x")


@pytest.mark.parametrize("acquisition", ACQUISITIONS)
def test_noise_and_random_pool_follow_from_the_acquisition(acquisition: str) -> None:
    contract = replace(CONTRACT, acquisition=acquisition)
    assert contract.stochastic == (acquisition in ("powerbald", "random"))
    assert contract.random_pool(5) == (50 if acquisition == "margin" else None)


def test_the_description_names_every_field_and_the_hash() -> None:
    values = dict(described(CONTRACT))
    assert set(values) == set(asdict(CONTRACT)) | {"sha256"}
    assert values["classes"] == "sky, café"
    assert values["colours"] == "#010203 #ff0010"
    assert values["sha256"] == CONTRACT.sha256
