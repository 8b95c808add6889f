"""Rank a large pool with every executor: the parts must be the same, whatever is killed.

The images are small and the graph is a stub (tests/support/byhand.py), so that the cost of all but
the graph is measured. Last line: all results as JSON.

scripts/scale                                       20,000 images, 1,000,000 names
scripts/scale --images 2000 --names 100000          a minute: too short for all kinds of processes
                                                    to be killed, which it reports at its end
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from scorer.errors import SOME_SKIPPED
from scorer.ranking import manifest

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests" / "support"))
ENGINES = {
    "threads": ("--threads", "1"),
    "processes": ("--executor", "processes", "--workers", "2", "--threads", "1"),
    "ray": ("--executor", "ray", "--workers", "2", "--threads", "1"),
}
OTHERS = ("processes", "ray")
N, PER_FOLDER = 5, 1000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--images", type=int, default=20_000)
    options.add_argument("--names", type=int, default=1_000_000)
    options.add_argument("--kills", type=int, default=20)
    options.add_argument("--shard", type=int, default=64)
    given = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        told = Bench(Path(name), given.images, given.shard).run(given.names, given.kills)
    print(json.dumps(told))
    if wrong := [claim for claim, holds in claims(told).items() if not holds]:
        sys.exit(f"does not hold: {'; '.join(wrong)}")


def claims(told: dict[str, Any]) -> dict[str, bool]:
    """The claims of docs/scale.md, and whether the numbers support them."""
    memory = [told[name]["driver's peak MB"] for name in ("threads on a tenth", "threads")]
    disturbed = told["disturbed"]
    return {
        "every engine writes the same parts": all(told["same parts"].values()),
        "ten times the images take the same memory": memory[1] <= 1.05 * memory[0],
        "what is disturbed ends in the same parts": disturbed["same parts"],
        "nobody is left running": not disturbed["still running"],
        "the disk was full": disturbed["disk full"] > 0,
        "drivers, workers and actors were killed": len(disturbed["killed"]) == len(ENGINES),
        "listing takes less than 1 GB": told["listed"]["peak MB"] < 1000,
    }


@dataclass
class Bench:
    """A pool of `images` images in a folder, and one of a tenth of that."""

    folder: Path
    images: int
    shard: int

    def run(self, names: int, kills: int) -> dict[str, Any]:
        import byhand

        byhand.save(self.folder / "scorer.onnx", "balentacq", top_k=8)
        told: dict[str, Any] = {"machine": _machine(), "images": self.images}
        for kind, count in (("tenth", self.images // 10), ("pool", self.images)):
            told[f"{kind} bytes"] = self._draw(self.folder / kind, count)
        told |= self._ranked("threads on a tenth", "tenth", ENGINES["threads"])
        for engine, words in ENGINES.items():
            told |= self._ranked(engine, "pool", words)
        expected = self._parts("threads")
        told |= self._ranked("threads, all parts there", "pool", ENGINES["threads"], "threads")
        told["same parts"] = {one: self._parts(one) == expected for one in ENGINES}
        told["part bytes"] = sum(map(len, expected.values()))
        told |= self._disturbed(kills)
        told |= self._listed(names)
        return told

    def _draw(self, folder: Path, count: int) -> int:
        """Draw noise of 96x72 as JPEG, a thousand files per folder; returns the number of bytes."""
        rng, size = np.random.default_rng(0), 0
        for index in range(count):
            path = folder / f"{index // PER_FOLDER:03}" / f"{index:06}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            Image.fromarray(noise).resize((96, 72)).save(path, quality=85)
            size += path.stat().st_size
        return size

    def _command(self, pool: str, out: str, words: tuple[str, ...]) -> list[str]:
        return [
            sys.executable, "-m", "scorer", "rank", "--pool", pool, "--n", str(N), "--out", out,
            "--shard", str(self.shard), "--runtime", "cpu", *words,
        ]  # fmt: skip

    def _ranked(
        self, name: str, pool: str, words: tuple[str, ...], out: str | None = None
    ) -> dict[str, Any]:
        begin = perf_counter()
        process = subprocess.Popen(self._command(pool, out or name, words), cwd=self.folder)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode in {0, SOME_SKIPPED}
        count = self.images // 10 if pool == "tenth" else self.images
        seconds = perf_counter() - begin
        row = {
            "seconds": round(seconds, 1), "images/s": round(count / seconds),
            "driver's peak MB": round(usage.ru_maxrss / 1e3),
        }  # fmt: skip
        say(f"{name}: {row}")
        return {name: row}

    def _parts(self, out: str) -> dict[str, bytes]:
        return {one.name: one.read_bytes() for one in sorted((self.folder / out).iterdir())}

    def _disturbed(self, kills: int) -> dict[str, Any]:
        """Rank by processes and by Ray in turn during failures, then without."""
        from disturbance import Disturbance

        gone, cut = (sorted((self.folder / "pool").rglob("*.jpg"))[place] for place in (-2, -1))
        sizes = {name: len(content) for name, content in self._parts("threads").items()}
        room = 2 * sizes.pop(manifest.NAME) + sum(sizes.values()) // 2
        commands = [self._command("pool", "disk/parts", ENGINES[one]) for one in OTHERS]
        row = Disturbance(gone, cut, kills, room).happen(
            commands, self.folder, self.folder / "disk"
        )
        told = self._ranked("in peace", "pool", ENGINES["threads"])
        row["same parts"] = row.pop("parts") == self._parts("in peace")
        say(f"disturbed: {row}")
        return told | {"disturbed": row}

    def _listed(self, names: int) -> dict[str, Any]:
        """List `names` empty files in a separate process."""
        folder = self.folder / "names"
        for index in range(names):
            if index % PER_FOLDER == 0:
                (folder / f"{index // PER_FOLDER:06}").mkdir(parents=True)
            (folder / f"{index // PER_FOLDER:06}" / f"{index:09}.jpg").touch()
        begin = perf_counter()
        subprocess.run(
            [sys.executable, "-c", _LIST, folder, self.folder / "listed"], check=True
        )  # fmt: skip
        listed = self.folder / "listed"
        row = {
            "names": names, "seconds": round(perf_counter() - begin, 1),
            "peak MB": int((listed / "peak").read_text()),
            "manifest MB": round((listed / "_manifest.parquet").stat().st_size / 1e6),
        }  # fmt: skip
        say(f"listed: {row}")
        return {"listed": row}


_LIST = """
import resource, sys
from pathlib import Path
from scorer.ranking import manifest
from scorer.pools.folder import Folder
folder, out = map(Path, sys.argv[1:])
manifest.write(out, Folder(folder), shard=64)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
(out / "peak").write_text(str(peak))
"""


def _machine() -> str:
    with Path("/proc/cpuinfo").open() as file:
        name = next(line.split(":")[1].strip() for line in file if "model name" in line)
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
