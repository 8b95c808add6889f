"""What many tests share: a small network, the graph baked from it, and shapes that are checked."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import byhand
import click
import hypothesis
import jaxtyping
import pytest
import remedies
import torch
from byhand import CLASSES, COLOURS

from scorer.contract import METADATA_KEY
from scorer.errors import Failure
from scorer.runtimes.cpu import OnnxRuntime

if TYPE_CHECKING:
    from scorer.contract import Contract
    from trainer.model import Card
    from trainer.network import BayesianNetwork

# Before trainer is imported, here or by a test: shapes in signatures are checked under pytest.
jaxtyping.install_import_hook(["trainer"], "beartype.beartype")
torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)

# A shell has what it starts in the background ignore SIGINT, and so would every process of a test.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run, however slow the machine is.
hypothesis.settings.register_profile("project", deadline=None, derandomize=True)
hypothesis.settings.load_profile("project")

NAME = "deeplabv3plus-mobilenetv2"

Baked = Callable[..., Path]
Edited = Callable[..., Path]


@pytest.fixture(autouse=True)
def _remedies_name_own_options(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whenever a command fails in a test, its remedy may name options of that command only."""
    usual, wrong = click.Command.invoke, []

    def invoke(self: click.Command, context: click.Context) -> Any:
        try:
            return usual(self, context)
        except Failure as error:
            if not isinstance(self, click.Group):
                wrong.extend(remedies.wrong(self, context.command_path, error.remedy))
            raise

    monkeypatch.setattr(click.Command, "invoke", invoke)
    yield
    assert wrong == []


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """The same arithmetic as in processes that are started and killed; and on a busy machine,
    threads that wait for each other take most of the time.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def network() -> BayesianNetwork:
    """DeepLabV3+ on MobileNetV2 with five classes and random weights, always the same."""
    from trainer import networks

    torch.manual_seed(0)
    network = networks.build(NAME, len(CLASSES), rate=0.2, kind="channel")
    _calibrate(network)
    return network.eval()


def _calibrate(network: BayesianNetwork) -> None:
    """Set BatchNorm's statistics to those of one batch: or an untrained network sees nothing."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    noise = torch.nn.functional.interpolate(torch.rand(4, 3, 8, 12) * 255, (64, 96), mode="bicubic")
    with torch.no_grad():
        network.train()(noise.clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8))


@pytest.fixture(scope="session")
def card() -> Card:
    """What a model file would say of `network`."""
    from trainer.model import Card

    return Card(
        network=NAME,
        dropout=0.2,
        dropout_kind="channel",
        classes=CLASSES,
        colours=COLOURS,
        height=64,
        width=96,
        pretrained="none",
    )


@pytest.fixture(scope="session")
def trunks() -> Iterator[dict[Any, Any]]:
    """The networks that have been traced: tracing takes seconds, and many graphs share one.

    clear() it where a test is about tracing.
    """
    from export import trace

    done: dict[Any, Any] = {}
    original = trace.trunk

    def once(network: Any, contract: Contract, opset: int) -> Any:
        key = network.sha256, contract.grid, contract.precision, opset
        if key not in done:
            done[key] = original(network, contract, opset)
        return done[key]

    trace.trunk = once
    yield done
    trace.trunk = original


@pytest.fixture(scope="session")
def baked(
    network: BayesianNetwork,
    card: Card,
    trunks: dict[Any, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Baked:
    """baked("bald", passes=8) → a graph of 64x96, 4 passes and top 16 unless said otherwise.

    Every combination of options is baked once, for all workers. Don't write to the file.
    """
    from export import graph

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "graphs"
    folder.mkdir(exist_ok=True)

    def bake(acquisition: str = "balentacq", **options: Any) -> Path:
        values: dict[str, Any] = {"passes": 4, "top_k": 16} | options
        contract = graph.contract_for(
            network, card, graph.GraphOptions(acquisition=acquisition, **values)
        )
        path = folder / f"{acquisition}-{contract.sha256[:12]}.onnx"
        if not path.exists():
            graph.save(graph.bake(network, contract), path)
        return path

    return bake


@pytest.fixture
def edited(tiny: Baked, tmp_path: Path) -> Edited:
    """edited(top_k=8) → a copy of tiny(top_k=5) whose contract says so; text= replaces it all.

    without=True leaves the contract out. The computation stays what it was.
    """
    import onnx

    def edit(text: str | None = None, *, without: bool = False, **changes: Any) -> Path:
        source = tiny(top_k=5)
        model = onnx.load(source)
        del model.metadata_props[:]
        if not without:
            contract = asdict(OnnxRuntime(source, workers=1).contract)
            entry = model.metadata_props.add()
            entry.key = METADATA_KEY
            entry.value = json.dumps(contract | changes) if text is None else text
        path = tmp_path / "edited.onnx"
        onnx.save(model, path)
        return path

    return edit


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Baked:
    """tiny("margin", top_k=8) → a graph of 8x12 and top 4, by hand: bright pixels score highest.

    It keeps the contract's every rule and runs in a fraction of a millisecond.
    """
    folder = tmp_path_factory.mktemp("tiny")

    def make(acquisition: str = "balentacq", *, top_k: int = 4, has_map: bool = True) -> Path:
        path = folder / f"{acquisition}-{top_k}-{has_map}.onnx"
        if not path.exists():
            byhand.save(path, acquisition, top_k=top_k, has_map=has_map)
        return path

    return make


@pytest.fixture
def ordinary() -> Iterator[Path]:
    """A folder of an ordinary user, whom permissions bind; root becomes one for a while."""
    with tempfile.TemporaryDirectory(prefix="ordinary-", dir="/tmp") as name:
        folder = Path(name)
        if os.geteuid() != 0:
            yield folder
            return
        nobody = 65534
        os.chown(folder, nobody, nobody)
        os.seteuid(nobody)
        try:
            yield folder
        finally:
            os.seteuid(0)
