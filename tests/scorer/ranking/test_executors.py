"""Whoever computes a part, its bytes are the same; and whoever dies, nothing is lost."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import photographs
import pytest
from killing import killing, started
from PIL import Image

from scorer.errors import BadGraph, CannotWrite, Failure
from scorer.ranking.manifest import Manifest

Graph = Callable[..., Path]
IMAGES = 240


@pytest.fixture
def home(tmp_path: Path, tiny: Graph) -> Path:
    """Some images, of which two are broken, and a graph."""
    photographs.photographs(tmp_path / "images", IMAGES - 2, height=12, width=16)
    photographs.broken(tmp_path / "images", "truncated jpeg", "field/half")
    photographs.broken(tmp_path / "images", "empty", "city/void")
    (tmp_path / "scorer.onnx").write_bytes(tiny().read_bytes())
    return tmp_path


def command(*more: object) -> list[str]:
    return [
        sys.executable, "-m", "scorer", "rank", "--n", "3", "--shard", "8", *map(str, more)
    ]  # fmt: skip


def run(home: Path, *more: object) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        command(*more), cwd=home, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    return done


def masks(home: Path) -> Path:
    found = home / "masks" / "city"
    found.mkdir(parents=True)
    return found


def parts(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


ENGINES = [("--engine", "processes"), ("--engine", "ray")]


@pytest.mark.parametrize("engine", ENGINES, ids=["processes", "ray"])
def test_every_engine_writes_the_same_bytes(engine: tuple[str, str], home: Path) -> None:
    if "ray" in engine:
        pytest.importorskip("ray", reason="pip install 'balentacq[cluster]'")
    Image.new("L", (3, 2)).save(masks(home) / "0005.png")  # of another size than its image
    (home / "images" / "field" / "0009.png").symlink_to("0009.png")
    run(home, "--out", "threads", "--exclude", "masks")
    run(home, "--out", "other", "--exclude", "masks", *engine)
    found, expected = parts(home / "other"), parts(home / "threads")
    assert found == expected
    assert len([name for name in found if name.startswith("part-")]) == IMAGES // 8 + 1
    assert "_SUCCESS" in found


linux = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")


@linux
def test_workers_and_drivers_that_are_killed_again_and_again_lose_nothing(home: Path) -> None:
    """Of processes: workers at random, drivers now and then; the same command goes on."""
    run(home, "--out", "undisturbed.csv")
    more = ("--out", "ranking.csv", "--engine", "processes")

    with killing(6, {"driver", "worker"}, (0.05, 0.6)) as killed:
        for _ in range(40):
            done = subprocess.run(command(*more), cwd=home, capture_output=True, check=False)
            if done.returncode == 4:
                break
            assert done.returncode in {-signal.SIGKILL, 1}, done.stderr.decode()
    assert killed
    assert (home / "ranking.csv").read_bytes() == (home / "undisturbed.csv").read_bytes()
    assert not (home / "ranking.csv.parts").exists(), "nothing is left behind"
    time.sleep(0.5)
    assert not started()


@linux
@pytest.mark.slow
def test_an_actor_of_ray_that_is_killed_is_replaced(home: Path) -> None:
    pytest.importorskip("ray", reason="pip install 'balentacq[cluster]'")
    run(home, "--out", "undisturbed.csv")

    with killing(1, {"actor"}, (0.05, 0.6)) as killed:
        run(home, "--out", "ranking.csv", "--engine", "ray")
    assert killed
    assert (home / "ranking.csv").read_bytes() == (home / "undisturbed.csv").read_bytes()
    assert not (home / "ranking.csv.parts").exists()


def test_what_changes_while_it_is_read_is_a_row(home: Path) -> None:
    """Listed, then gone or cut short: as if it had been so from the beginning."""
    from scorer.pools.folder import Folder
    from scorer.ranking.job import RankOptions, Run, rank_to_file
    from scorer.ranking.observer import Observer
    from scorer.ranking.shard import Criteria
    from scorer.runtimes.cpu import OnnxRuntime

    images = home / "images"
    gone, cut = images / "field" / "0200.png", images / "field" / "0202.png"

    class Disturbing(Observer):
        def begun(self, images: int, stale: object) -> None:
            gone.unlink()
            content = cut.read_bytes()
            cut.write_bytes(content[: len(content) // 2])

    runtime = OnnxRuntime(home / "scorer.onnx", workers=2)
    out, options = home / "ranking.csv", RankOptions(criteria=Criteria(n=3), shard=8)
    summary = rank_to_file(Run(runtime, Folder(images), out, options, Disturbing()))
    assert summary.reasons == {"vanished": 1, "truncated": 2, "empty file": 1}
    disturbed = out.read_bytes()
    rank_to_file(Run(runtime, Folder(images), out, options))
    assert out.read_bytes() == disturbed


class Deadly:
    """Work that ends the process which begins it."""

    workers = 1

    def open(self) -> None:
        os._exit(9)


class Unopened(Deadly):
    """Work whose graph cannot be opened."""

    def open(self) -> None:
        raise BadGraph("it is another graph", remedy="none")


def scored_by(work: Deadly, home: Path) -> None:
    """One shard, given to a process of its own."""
    from scorer.pools.folder import Folder
    from scorer.ranking import manifest
    from scorer.ranking.executors.processes import Processes
    from scorer.ranking.shard import Criteria, Shards
    from scorer.runtimes.cpu import OnnxRuntime

    manifest.write(home / "p", Folder(home / "images"), shard=100)
    runtime = OnnxRuntime(home / "scorer.onnx", workers=1)
    shards = Shards(runtime, Folder(home / "images"), home / "p", Criteria(n=3))
    Processes(1, lambda _: work)(shards, [0], lambda _: None)  # type: ignore[arg-type, return-value]


def test_a_worker_that_always_dies_ends_the_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scorer.ranking.executors import processes

    monkeypatch.setattr(processes, "_MOST_DEATHS", 2)
    with pytest.raises(Failure, match="2 worker processes died"):
        scored_by(Deadly(), home)


def test_a_worker_that_cannot_begin_says_why(home: Path) -> None:
    with pytest.raises(BadGraph, match="it is another graph"):
        scored_by(Unopened(), home)


def test_an_actor_that_no_machine_has_room_for_is_refused(home: Path) -> None:
    pytest.importorskip("ray", reason="pip install 'balentacq[cluster]'")
    done = subprocess.run(
        command("--engine", "ray", "--threads", "999"), cwd=home, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 5, done.stderr
    assert "an actor needs 999 cores and 0 GPUs, and no machine" in done.stderr


@pytest.mark.timeout(60)
def test_nobody_waits_for_a_server_once_the_run_has_failed() -> None:
    from scorer.pools.files import Files
    from scorer.ranking.executors import threads

    class Two:
        workers = 2

        def score(self, shard: int, on_image: Callable[[], None], stop: threading.Event) -> None:
            if shard == 1:
                time.sleep(1)
                raise CannotWrite("the second", remedy="none")
            with socket.socket() as nobody:  # a port that is taken, where nobody answers
                nobody.bind(("127.0.0.1", 0))
                host = f"http://127.0.0.1:{nobody.getsockname()[1]}"
                Files(host).read("a.png", stop=stop)

    with pytest.raises(CannotWrite, match="the second"):
        threads.run(Two(), [0, 1], lambda _: None)  # type: ignore[arg-type]


def test_listing_gives_the_same_manifest_every_time(home: Path) -> None:
    from scorer.pools.folder import Folder
    from scorer.ranking import manifest

    for name in ("one", "two"):
        manifest.write(home / name, Folder(home / "images"), shard=7)
    assert parts(home / "one") == parts(home / "two")
    listed = Manifest(home / "one")
    assert (listed.images, listed.shards) == (IMAGES, -(-IMAGES // 7))
    names = list(listed.names())
    assert len(names) == IMAGES
    assert names == sorted(names)


def test_a_manifest_is_read_by_several_threads_at_once(home: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from scorer.pools.folder import Folder
    from scorer.ranking import manifest

    manifest.write(home / "p", Folder(home / "images"), shard=2)
    listed = Manifest(home / "p")
    expected = list(map(listed.read, range(listed.shards)))
    with ThreadPoolExecutor(8) as threads:
        for _ in range(20):
            assert list(threads.map(listed.read, range(listed.shards))) == expected


def test_threads_tell_what_failed_not_who_was_stopped_by_it() -> None:
    """Also where the shard that is stopped comes before the one that fails."""
    from scorer.ranking.executors import threads

    class Two:
        workers = 2

        def score(self, shard: int, on_image: Callable[[], None], stop: threading.Event) -> None:
            if shard == 1:
                raise CannotWrite("the second", remedy="none")
            while True:
                on_image()

    with pytest.raises(CannotWrite, match="the second"):
        threads.run(Two(), [0, 1], lambda _: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "engine",
    [(), ENGINES[0], pytest.param(ENGINES[1], marks=pytest.mark.slow)],
    ids=["threads", "processes", "ray"],
)
def test_a_part_that_cannot_be_written_is_told_by_every_engine(
    engine: tuple[str, str], home: Path
) -> None:
    if "ray" in engine:
        pytest.importorskip("ray", reason="pip install 'balentacq[cluster]'")
    subprocess.run(command("--task", "list"), cwd=home, check=True)
    place = home / "ranking.csv.parts" / "part-00000003.parquet"
    (place / "in the way").mkdir(parents=True)
    done = subprocess.run(
        command("--threads", 2, *engine), cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 6, done.stderr
    assert "cannot write" in done.stderr
    assert "part-00000003.parquet: Is a directory" in done.stderr
    assert "Traceback" not in done.stderr
    (place / "in the way").rmdir()
    place.rmdir()
    run(home, "--out", "ranking.csv")
    run(home, "--out", "undisturbed.csv")
    assert (home / "ranking.csv").read_bytes() == (home / "undisturbed.csv").read_bytes()
