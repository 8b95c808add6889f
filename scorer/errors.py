"""The tree of errors; every error says what happened and what to do.

Failure (1)                 also: a server that cannot be reached, workers that keep dying
├── MissingDependency (3)   a package is not installed; the remedy is the pip command
│   └── NoGpu               there is no GPU here
├── BadInput (5)            something the user gave cannot be used
│   ├── BadDataset          dataset.toml, a mask
│   ├── BadLabels           labels.csv
│   ├── BadPool             the pool itself; a single bad image is a `BadImage`, not an error
│   ├── BadModel            model.safetensors, pre-trained weights
│   ├── BadGraph            scorer.onnx
│   └── CannotGraft         a user's segmentation.onnx
├── CannotWrite (6)         full disk, missing permission
└── BadImage                an image to skip and count: never ends a run

Exit codes: 0 done, 1 failed, 2 wrong usage (click's), 4 done but some images were skipped, 130
interrupted.
"""

from typing import Any

SOME_SKIPPED = 4
INTERRUPTED = 130


class Failure(Exception):
    """An error with a message for the user, a remedy, and an exit code."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle support for worker processes; the default does not handle keyword arguments."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[Failure], args: tuple[Any, ...], state: dict[str, Any]) -> Failure:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class MissingDependency(Failure):
    exit_code = 3


class NoGpu(MissingDependency):
    pass


class BadInput(Failure):
    exit_code = 5


class BadDataset(BadInput):
    pass


class BadLabels(BadInput):
    pass


class BadPool(BadInput):
    pass


class BadModel(BadInput):
    pass


class BadGraph(BadInput):
    pass


class CannotGraft(BadInput):
    pass


class CannotWrite(Failure):
    exit_code = 6


# Reasons that do not lie in the image itself, so that a retry may succeed.
PASSING = frozenset({"vanished", "permission denied", "unreadable", "unreachable", "out of memory"})


class BadImage(Failure):
    """An image that cannot be used. `reason` is a short phrase by which images are counted."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(
            f"{reason}: {detail}" if detail else reason, remedy="repair the file, or leave it out"
        )
        self.reason = reason
        self.detail = detail
