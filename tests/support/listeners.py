"""Listeners of a training job and of a campaign, for tests."""

from trainer.loop import Progress
from trainer.simulation.result import Result


class Heard:
    """A listener that records its calls, and can stop a run after an epoch."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.messages: list[str] = []
        self.warnings: list[str] = []
        self.started: tuple[int, int] | None = None
        self.epochs: list[tuple[int, float | None]] = []
        self._stop_after = stop_after

    def tell(self, message: str, *, warning: bool = False) -> None:
        (self.warnings if warning else self.messages).append(message)

    def show(self, what: str, done: int, total: int) -> None: ...

    def start(self, epochs: int, done: int) -> None:
        self.started = epochs, done

    def step(self, progress: Progress) -> None:
        pass

    def epoch(self, progress: Progress, miou: float | None) -> None:
        self.epochs.append((progress.epoch, miou))
        if progress.epoch + 1 == self._stop_after:
            raise KeyboardInterrupt


class Silent:
    """A listener that records only finished rounds."""

    def __init__(self) -> None:
        self.ended: list[Result] = []
        self.warnings: list[str] = []

    def tell(self, message: str, *, warning: bool = False) -> None:
        if warning:
            self.warnings.append(message)

    def show(self, what: str, done: int, total: int) -> None: ...
    def start(self, epochs: int, done: int) -> None: ...
    def step(self, progress: object) -> None: ...
    def epoch(self, progress: object, miou: float | None) -> None: ...
    def begin(self, where: str) -> None: ...
    def image(self, done: int, images: int) -> None: ...
    def end(self, result: Result) -> None:
        self.ended.append(result)
