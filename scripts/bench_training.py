"""Compare training with the same loop in its usual form, alternating in one process.

The usual form: logits at full size, cross-entropy with ignore_index on masks that were scaled with
the image, float32, images decoded again in every epoch. Both use the same images, network and
batch. The last line is JSON.

scripts/bench --train
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
import torch.nn.functional as F

from scorer.bench.timing import peak_memory
from scorer.images.photograph import load
from trainer import clicks, dataset, networks
from trainer.augment import augment
from trainer.dataset import Dataset
from trainer.loop import fit, precision
from trainer.network import BayesianNetwork
from trainer.pytorch import device
from trainer.recipe import Recipe
from trainer.sample import Sample

SIZE = (360, 480)
NETWORK = "deeplabv3plus-mobilenetv2"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=16, help="of a round")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = _drawn(Path(name), asked.images)
        labels, _ = clicks.draw(found.train, found.classes, pixels=5, seed=0)
        samples = [s for s in clicks.gather(found.train, labels, SIZE) if isinstance(s, Sample)]
        ways: dict[str, Callable[[], float]] = {
            "ours": lambda: _ours(samples),
            "ours, float32": lambda: _ours(samples, "32-true"),
            "the usual way": lambda: _usual(found, samples),
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for way in ways.values():
            way()
        for _ in range(asked.rounds):
            for what, way in ways.items():
                rates[what].append(way())
    print(f"| {SIZE[0]}x{SIZE[1]}, {NETWORK}, batch 4 | images/s | x usual |")
    print("|---|---|---|")
    pairs = list(zip(*rates.values(), strict=True))
    told = {}
    for index, what in enumerate(rates):
        ratio = median(one[index] / one[-1] for one in pairs)
        told[what] = {"images/s": median(rates[what]), "ratio": ratio}
        print(f"| {what} | {median(rates[what]):.2f} | {ratio:.2f} |")
    peak = (peak_memory() or 0) / 1e6
    print(
        json.dumps(
            {"device": device(), "precision": precision("auto"), "peak_mb": peak, "ways": told}
        )
    )


def _drawn(folder: Path, images: int) -> Dataset:
    subprocess.run(
        [sys.executable, Path(__file__).parent / "streets.py", folder, "--train", str(images),
         "--val", "1", "--size", f"{SIZE[0]}x{SIZE[1]}"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    command = [sys.executable, "-m", "trainer", "init", str(folder)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return replace(dataset.read(folder / "dataset.toml"), size=SIZE)


def _ours(samples: list[Sample], precision: str = "auto") -> float:
    """Images per second of an epoch, without the preparation."""
    network = _network(samples)
    times: list[float] = []
    fit(
        network,
        samples,
        Recipe(epochs=1, batch=4, precision=precision),
        size=SIZE,
        on_start=lambda _: times.append(perf_counter()),
        on_epoch=lambda _: times.append(perf_counter()),
    )
    return len(samples) / (times[1] - times[0])


def _usual(found: Dataset, samples: list[Sample]) -> float:
    network = _network(samples).train().to(device())
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-4, weight_decay=2e-4)
    begin = perf_counter()
    for batch in _batches(samples, 4):
        pictures, masks = [], []
        for place, sample in enumerate(batch):
            pixels = load(found.train.images.image(sample.name), SIZE).pixels
            view = augment(replace(sample, pixels=pixels).masked(), np.random.default_rng(place))
            pictures.append(view.pixels)
            masks.append(view.masked().mask)
        logits = network(torch.from_numpy(np.stack(pictures)).to(device()))
        full = F.interpolate(logits, SIZE, mode="bilinear", align_corners=False)
        target = torch.from_numpy(np.stack(masks)).long().to(device())
        loss = F.cross_entropy(full, target, ignore_index=255, reduction="sum")
        (loss / (target != 255).sum().clamp(min=1)).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    loss.item()  # waits for a GPU
    return len(samples) / (perf_counter() - begin)


def _network(samples: list[Sample]) -> BayesianNetwork:
    torch.manual_seed(0)
    classes = 1 + max(max(sample.present) for sample in samples)
    return networks.build(NETWORK, max(classes, 12), rate=0.2, kind="channel")


def _batches(samples: list[Sample], size: int) -> Iterator[list[Sample]]:
    stream = iter(samples)
    while batch := list(islice(stream, size)):
        yield batch


if __name__ == "__main__":
    main()
