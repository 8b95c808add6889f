"""Shows the progress of a campaign on the terminal: a bar for the current task, a line per
round.
"""

from typing import TYPE_CHECKING

from scorer.console import say
from trainer.screen import Screen

if TYPE_CHECKING:
    from trainer.loop import Progress
    from trainer.simulation.result import Result


class CampaignScreen(Screen):
    """A CampaignListener that reports on the terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._where = ""

    def __enter__(self) -> "CampaignScreen":
        super().__enter__()
        return self

    def begin(self, where: str) -> None:
        self._where = where

    def tell(self, message: str, *, warning: bool = False) -> None:
        if warning:
            say(f"{self._where}: {message}", style="yellow")

    def start(self, epochs: int, done: int) -> None:  # noqa: ARG002  # the bar shows it
        self._epochs = epochs

    def step(self, progress: "Progress") -> None:
        done = progress.epoch * progress.steps + progress.step
        self.show("training", done, progress.steps * self._epochs)

    def epoch(self, progress: "Progress", miou: float | None) -> None:
        pass

    def image(self, done: int, images: int) -> None:
        self.show("asking", done, images)

    def end(self, result: "Result") -> None:
        share = f"{result.share:.3%} labelled"
        say(f"{self._where}: {share}, mIoU {result.miou:.4f}")

    def show(self, what: str, done: int, total: int) -> None:
        super().show(f"{what}, {self._where}", done, total)
