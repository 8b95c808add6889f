"""What a run has done so far, on disk: a run that was cut goes on where it stood.

One JSON line per image, in the pool's order, beside the ranking that it will become. The first
line says what is being made; a journal of anything else is not continued.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scorer.errors import CannotWrite
from scorer.files import cannot_write
from scorer.geometry import Geometry
from scorer.pool import Pool
from scorer.rank import Pixel, Ranked, Skipped


class Journal:
    """The journal of one ranking; `kept` images of the pool are in it already when it opens."""

    def __init__(
        self, out: Path, pool: Pool, recipe: Mapping[str, Any], *, resume: bool = True
    ) -> None:
        self.path = out.with_name(f"{out.name}.partial")
        self._pool = pool
        self._recipe = json.dumps(recipe, sort_keys=True)
        self.kept = 0
        with cannot_write(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            keep = self._keep() if resume and self.path.is_file() else 0
            self._file = self.path.open("r+b" if keep else "wb")
            self._file.truncate(keep)
            self._file.seek(keep)
            if not keep:
                self._line(self._recipe)

    def append(self, result: Ranked | Skipped) -> None:
        """Add one image; a process that is killed after this has not lost it."""
        with cannot_write(self.path):
            self._line(json.dumps(_encode(result) | {"mark": _mark(self._pool, result.image)}))

    def results(self) -> Iterator[Ranked | Skipped]:
        """All results so far, read back one by one."""
        with self.path.open(encoding="ascii") as file:
            next(file)
            for line in file:
                yield _decode(json.loads(line))

    def remove(self) -> None:
        self._file.close()
        self.path.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:  # a full disk shows once more when the buffer is flushed
            if not isinstance(error, CannotWrite):
                raise CannotWrite(f"cannot write {self.path}: {failure.strerror}") from failure

    def _line(self, text: str) -> None:
        self._file.write(text.encode() + b"\n")
        self._file.flush()

    def _keep(self) -> int:
        """How many bytes of an earlier journal still hold for this run; counts its images."""
        end = 0
        with self.path.open("rb") as file:
            if file.readline() != self._recipe.encode() + b"\n":
                return 0
            end = file.tell()
            for name, line in zip(self._pool.names, file, strict=False):
                if not line.endswith(b"\n") or not _holds(line, self._pool, name):
                    break
                end += len(line)
                self.kept += 1
        return end


def _holds(line: bytes, pool: Pool, name: str) -> bool:
    try:
        entry = json.loads(line)
        return bool(entry["image"] == name and entry["mark"] == _mark(pool, name))
    except (ValueError, KeyError, TypeError):
        return False


def _mark(pool: Pool, name: str) -> list[int] | None:
    """Size and times: what changes when an image does, or the right to read it."""
    try:
        status = pool.path(name).stat()
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _encode(result: Ranked | Skipped) -> dict[str, Any]:
    if isinstance(result, Skipped):
        return {"image": result.image, "reason": result.reason, "detail": result.detail}
    return {
        "image": result.image,
        "size": result.geometry.image,
        "grid": result.geometry.grid,
        "stride": result.geometry.stride,
        "pixels": [[p.row, p.col, p.rank, p.score, p.label] for p in result.pixels],
    }


def _decode(entry: Mapping[str, Any]) -> Ranked | Skipped:
    if "reason" in entry:
        return Skipped(entry["image"], entry["reason"], entry["detail"])
    geometry = Geometry(tuple(entry["size"]), tuple(entry["grid"]), entry["stride"])
    return Ranked(entry["image"], geometry, tuple(Pixel(*pixel) for pixel in entry["pixels"]))
