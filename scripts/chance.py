"""Measure how many held-out pixels a calibration needs, and how often it accepts chance as an
improvement: the table of docs/calibration.md, in Markdown.

python scripts/chance.py --data dataset.toml --model model.safetensors
"""

import argparse
from pathlib import Path

import torch

from trainer import dataset, model
from trainer.calibration.held_out import HeldOut, gather, of_validation
from trainer.calibration.temperature import fit
from trainer.calibration.verdict import judge
from trainer.pytorch import device

COUNTS = 20, 30, 50, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default="dataset.toml")
    parser.add_argument("--model", type=Path, default="model.safetensors")
    parser.add_argument("--draws", type=int, default=200)
    given = parser.parse_args()
    network, card = model.load(given.model)
    held = gather(network.to(device()), card.size, of_validation(dataset.read(given.data)))
    temperature = fit(held.logits, held.classes)
    assert temperature is not None, "this model cannot be calibrated"
    torch.set_num_threads(1)
    print(f"| pixels | written, T {temperature:.2f} | written, T 1 |\n|---|---|---|")
    for count in COUNTS:
        rng = torch.Generator().manual_seed(count)
        shares = [
            sum(judge(draw(held, count, given_t, rng)).helps for _ in range(given.draws))
            for given_t in (None, temperature)
        ]
        print(f"| {count} | " + " | ".join(f"{one / given.draws:.1%}" for one in shares) + " |")


def draw(held: HeldOut, count: int, temperature: float | None, rng: torch.Generator) -> HeldOut:
    """Draw `count` random pixels, each for a photograph of its own.

    temperature: applied to the model, whose probabilities then generate the classes; None: the true
    classes, and the model as it is.
    """
    chosen = torch.randperm(len(held.classes), generator=rng)[:count]
    logits, classes = held.logits[chosen], held.classes[chosen]
    if temperature is not None:
        logits = logits / temperature
        classes = torch.multinomial(logits.softmax(1), 1, generator=rng)[:, 0]
    return HeldOut(logits, classes, torch.arange(count))


if __name__ == "__main__":
    main()
