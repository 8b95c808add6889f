"""scorer doctor: what is here."""

import json
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from click.testing import CliRunner

from scorer.cli import main
from scorer.runtimes import NAMES, doctor

Graph = Callable[..., Path]


def absent(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    for module in modules:
        monkeypatch.setitem(__import__("sys").modules, module, None)


def test_what_is_installed_is_ready() -> None:
    found = doctor.examine()
    assert tuple(finding.runtime for finding in found) == NAMES
    ready = [finding for finding in found if finding.runtime in ("cpu", "openvino")]
    assert all(finding.ready for finding in ready)
    assert ready[0].detail == f"onnxruntime {metadata.version('onnxruntime')}"


def test_a_missing_runtime_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    absent(monkeypatch, "openvino")
    result = CliRunner().invoke(main, ["doctor"])
    assert result.exit_code == 0
    assert "openvino      missing  " in result.stdout
    assert "pip install 'balentacq[openvino]'" in result.stdout
    assert "--runtime auto takes it" in result.stdout.splitlines()[NAMES.index("cpu")]


def test_no_runtime_at_all_is_exit_code_3(monkeypatch: pytest.MonkeyPatch) -> None:
    absent(monkeypatch, "onnxruntime", "openvino")
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert result.exit_code == 3
    assert not any(finding["ready"] for finding in json.loads(result.stdout))


def test_a_half_removed_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taking one of the two builds of ONNX Runtime away leaves an empty folder of that name."""
    absent(monkeypatch, "onnxruntime")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", type(json)("onnxruntime"))
    assert not doctor.finding("cpu").ready


def test_a_tensorrt_too_new_for_the_provider_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"onnxruntime-gpu": "1.31.1", "tensorrt-cu13": "11.4.0.106"}

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(metadata, "version", version)
    ((problem, remedy),) = doctor.clashes()
    assert "TensorRT 11.4.0.106 beside onnxruntime-gpu" in problem
    assert "ort-tensorrt" in remedy
    versions["tensorrt-cu13"] = "10.15.1.29"
    assert doctor.clashes() == []


def test_a_probe_that_crashes_its_process_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import os, sys; print('no GPU', file=sys.stderr); os.abort()"
    monkeypatch.setattr(doctor, "_PROBE", program)
    found = doctor._apart("tensorrt")
    assert not found.ready
    assert "crashed (exit status -6): no GPU" in found.detail


def test_two_builds_in_one_folder_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.clashes() == []
    monkeypatch.setattr(metadata, "version", lambda name: "1.2.3")
    assert "onnxruntime 1.2.3 and onnxruntime-gpu 1.2.3" in doctor.clashes()[0][0]
    result = CliRunner().invoke(main, ["doctor"])
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in result.stderr
