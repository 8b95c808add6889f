"""The record of a segmented shard: a JSON file, written after its masks."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scorer.errors import PASSING
from scorer.files import replacing_path


@dataclass(frozen=True)
class Done:
    """A segmented image with its size, or the reason for which it was skipped."""

    image: str
    height: int | None = None
    width: int | None = None
    reason: str = ""
    detail: str = ""


def write(folder: Path, shard: int, stamp: str, done: Sequence[Done]) -> None:
    """Write a part; stamp: hash of all that the masks depend on. Raises CannotWrite."""
    content = {"stamp": stamp, "images": [asdict(one) for one in done]}
    with replacing_path(path(folder, shard), shared=True) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=True), "utf-8")


def read(folder: Path, shard: int) -> tuple[str, list[Done]] | None:
    """The stamp and the images of a part; None if it is missing or incomplete."""
    try:
        content = json.loads(path(folder, shard).read_text("utf-8"))
        return str(content["stamp"]), [Done(**one) for one in content["images"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def may_pass(done: Sequence[Done]) -> bool:
    """Whether an image was skipped for a reason that may no longer apply."""
    return any(one.reason in PASSING for one in done)


def path(folder: Path, shard: int) -> Path:
    return folder / f"part-{shard:08}.json"
