"""Shows the progress of a training job on the terminal: a bar for the run, a line per epoch."""

from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import Progress as Bar
from rich.progress import TaskID

from scorer.console import progress, say

if TYPE_CHECKING:
    from trainer.loop import Progress


class Screen:
    """A Listener that reports on the terminal."""

    def __init__(self) -> None:
        self._bar: Bar = progress("images")
        self._task: TaskID | None = None
        self._epochs = self._done = 0

    def __enter__(self) -> "Screen":
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def tell(self, message: str, *, warning: bool = False) -> None:
        say(message, style="yellow" if warning else "")

    def show(self, what: str, done: int, total: int) -> None:
        if self._task is None:
            self._task = self._bar.add_task(what)
        if done < self._done:  # the next task has begun: its rate is measured anew
            self._bar.reset(self._task)
        self._done = done
        self._bar.update(self._task, description=what, completed=done, total=total)

    def start(self, epochs: int, done: int) -> None:
        self._epochs = epochs
        if done:
            say(f"continuing an interrupted run after {done} epochs")

    def step(self, progress: "Progress") -> None:
        per_epoch = progress.images // progress.step * progress.steps
        done = progress.epoch * per_epoch + progress.images
        text = f"epoch {progress.epoch + 1}/{self._epochs} loss {progress.loss:.3f}"
        self.show(text, done, per_epoch * self._epochs)

    def epoch(self, progress: "Progress", miou: float | None) -> None:
        measured = "" if miou is None else f"  validation mIoU {miou:.4f}"
        say(f"epoch {progress.epoch + 1:3d}/{self._epochs}  loss {progress.loss:.4f}{measured}")
