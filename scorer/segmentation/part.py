"""What was done to the images of a shard: a JSON file, which comes after their masks."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scorer.errors import PASSING
from scorer.files import replacing_path


@dataclass(frozen=True)
class Done:
    """An image with its size, or the reason for which it was skipped."""

    image: str
    height: int | None = None
    width: int | None = None
    reason: str = ""
    detail: str = ""


def write(folder: Path, shard: int, stamp: str, done: Sequence[Done]) -> None:
    """stamp: a hash of all that the masks depend on. Raises CannotWrite."""
    content = {"stamp": stamp, "images": [asdict(one) for one in done]}
    with replacing_path(path(folder, shard), shared=True) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=True), "utf-8")


def read(folder: Path, shard: int) -> tuple[str, list[Done]] | None:
    """The stamp and the images; None where there is no whole part."""
    try:
        content = json.loads(path(folder, shard).read_text("utf-8"))
        return str(content["stamp"]), [Done(**one) for one in content["images"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def may_pass(done: Sequence[Done]) -> bool:
    """Whether an image was skipped for what may have passed by now."""
    return any(one.reason in PASSING for one in done)


def path(folder: Path, shard: int) -> Path:
    return folder / f"part-{shard:08}.json"
