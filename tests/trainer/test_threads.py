"""Threads that wait sleep; a whole network takes no more of them than there are idle cores."""

import os
import subprocess
import sys

import pytest
import torch

from scorer.console import cores
from trainer import threads


def run(program: str, **environment: str) -> str:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "KMP_"))}
    command = [sys.executable, "-c", program]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=clean | environment
    ).stdout.strip()


def test_programs_say_how_to_wait_before_pytorch_is_there() -> None:
    program = (
        "import os, sys, click\n"
        "from trainer.cli import main\n"
        "@main.command('look')\n"
        "def look():\n"
        "    click.echo(f\"{os.environ['OMP_WAIT_POLICY']} {'torch' in sys.modules}\")\n"
        "main(['look'])"
    )
    assert run(program) == "PASSIVE False"
    assert run(program, OMP_WAIT_POLICY="ACTIVE") == "ACTIVE False", "what somebody said holds"


def test_busy_cores_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(threads, "cores", lambda: 4)
    monkeypatch.setattr(threads.torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: {1, 2, 3, 5}, raising=False)
    for busy, expected in (
        ([0, 0, 0, 0, 0, 0], 4),
        ([100, 0, 0, 0, 100, 0], 4),  # those of others do not count
        ([0, 100, 100, 0, 0, 0], 2),
        ([0, 100, 100, 100, 0, 100], 1),
    ):
        monkeypatch.setattr(threads.psutil, "cpu_percent", lambda busy=busy, **_: busy)
        assert threads.idle() == expected
    monkeypatch.setattr(threads.torch, "get_num_threads", lambda: 1)
    assert threads.idle() == 1, "as somebody has set it"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.idle() == 3


def test_the_number_of_threads_is_as_it_was_afterwards() -> None:
    before = torch.get_num_threads()
    with threads.threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
    assert 1 <= threads.idle() <= max(cores(), int(os.environ.get("OMP_NUM_THREADS", "1")))
