"""Measure how well scorer rank --why separates strangers from images like the labelled ones:
docs/images.md.

Images of a pool are repeatedly drawn as the labelled ones; the others, and strangers from another
pool, are compared with them.
"""

import click
import numpy as np

from scorer.console import Size
from scorer.images import palette
from scorer.images.photograph import load
from scorer.pools import open_pool
from scorer.ranking.likeness import FEWEST, Likeness


@click.command()
@click.option("--pool", required=True, help="Pool that the labelled images are drawn from.")
@click.option("--strangers", required=True, help="Pool of other images.")
@click.option("--labelled", type=click.IntRange(FEWEST), multiple=True, default=(10, 25, 50, 100))
@click.option("--draws", type=click.IntRange(1), default=20, show_default=True)
@click.option("--mixed", type=click.IntRange(1), default=20, show_default=True)
@click.option("--size", type=Size(), default="192x256", show_default=True)
def main(
    pool: str,
    strangers: str,
    labelled: tuple[int, ...],
    draws: int,
    mixed: int,
    size: tuple[int, int],
) -> None:
    """Print the shares of strangers and of others that are called unlike, as means of the draws."""
    home, away = (_palettes(where, size) for where in (pool, strangers))
    for count in labelled:
        random, found = np.random.default_rng(7), []
        for _ in range(draws):
            places = set(random.choice(len(home), count, replace=False).tolist())
            likeness = Likeness.among([home[place] for place in sorted(places)])
            assert likeness is not None
            mine = [one for place, one in enumerate(home) if place not in places]
            theirs = random.choice(len(away), min(mixed, len(away)), replace=False)
            found.append(
                [
                    np.mean([likeness.unlike(one) > 1 for one in some])
                    for some in ([away[place] for place in theirs], mine)
                ]
            )
        of_strangers, of_others = np.mean(found, axis=0)
        click.echo(
            f"{count} labelled: flagged {of_strangers:.1%} of strangers, {of_others:.1%} of others"
        )


def _palettes(where: str, size: tuple[int, int]) -> list[bytes]:
    pool = open_pool(where)
    return [palette.of(load(pool.read(entry), size)) for entry in pool.entries()]


if __name__ == "__main__":
    main()
