"""A run that was cut goes on where it stood, and ends in the bytes of an undisturbed one."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import photographs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorer.errors import BadInput, BadLabels, BadPool, Failure
from scorer.instance_lock import instance_lock
from scorer.labels import Click, Labels
from scorer.pools import list_pool
from scorer.ranking import manifest, part
from scorer.ranking.job import RankOptions, Run, rank_to_file
from scorer.ranking.observer import Observer
from scorer.ranking.parts import folder_of
from scorer.ranking.shard import Criteria
from scorer.ranking.summary import Summary
from scorer.runtimes.cpu import OnnxRuntime, Scores

Graph = Callable[..., Path]
COUNT = 12


def usual(shard: int = 1, *, resume: bool = True, **task: Any) -> RankOptions:
    """Parts of one image, so that it shows what is kept."""
    return RankOptions(criteria=Criteria(**({"n": 3} | task)), shard=shard, resume=resume)


USUAL = usual()


class Counting:
    """A runtime that counts the images it scores."""

    name = "cpu float32"
    workers = 1

    def __init__(self, path: Path) -> None:
        self.runtime = OnnxRuntime(path, workers=1)
        self.contract = self.runtime.contract
        self.images = 0

    def run(
        self,
        image: npt.NDArray[np.uint8],
        exclude: npt.NDArray[np.uint8],
        noise: npt.NDArray[np.float32] | None = None,
        *,
        want_map: bool = False,
    ) -> Scores:
        self.images += len(image)
        return self.runtime.run(image, exclude, noise, want_map=want_map)


class Cut(Exception):
    """What ends a run in these tests."""


class Cutting(Observer):
    """Ends a run when so many images are done."""

    def __init__(self, images: int) -> None:
        self.images = images

    def scored(self, images: int) -> None:
        if images >= self.images:
            raise Cut


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    """Twelve images, two of which are broken."""
    folder = tmp_path / "pool"
    photographs.photographs(folder, COUNT - 2)
    photographs.broken(folder, "truncated jpeg", "city/0004-half")
    photographs.broken(folder, "empty", "field/0000-void")
    return folder


@pytest.fixture
def whole(pool: Path, tiny: Graph, tmp_path: Path) -> bytes:
    """What an undisturbed run writes."""
    out = tmp_path / "undisturbed" / "ranking.csv"
    rank_to_file(Run(Counting(tiny()), list_pool(pool), out, USUAL))
    return out.read_bytes()


def cut(graph: Path, pool: Path, out: Path, images: int, options: RankOptions = USUAL) -> None:
    with pytest.raises(Cut):
        rank_to_file(Run(Counting(graph), list_pool(pool), out, options, Cutting(images)))
    assert folder_of(out).is_dir()


def again(graph: Path, pool: Path, out: Path, options: RankOptions = USUAL) -> tuple[Summary, int]:
    """The same command once more: its summary, and how many images it scored."""
    runtime = Counting(graph)
    return rank_to_file(Run(runtime, list_pool(pool), out, options)), runtime.images


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name.endswith((".parts", ".tmp"))]


def test_an_undisturbed_run_leaves_the_ranking_and_the_skipped(
    whole: bytes, tmp_path: Path
) -> None:
    assert whole.count(b"\n") == 1 + 10 * 3
    names = sorted(path.name for path in (tmp_path / "undisturbed").iterdir())
    assert names == ["ranking.csv", "ranking.skipped.csv"]
    text = (tmp_path / "undisturbed" / "ranking.skipped.csv").read_text()
    assert text.splitlines()[0] == "image,reason,detail"
    assert "city/0004-half.jpg,truncated," in text
    assert "field/0000-void.jpg,empty file," in text


@pytest.mark.parametrize("images", [1, 4, 7, COUNT])
@pytest.mark.parametrize(("shard", "batch"), [(1, 1), (5, 2), (64, 1)])
def test_a_cut_run_goes_on_and_ends_in_the_same_bytes(
    images: int, shard: int, batch: int, whole: bytes, pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    options = usual(shard, batch=batch)
    cut(tiny(), pool, out, images, options)
    assert not out.exists()
    summary, scored = again(tiny(), pool, out, options)
    assert out.read_bytes() == whole
    assert summary.kept == (COUNT if images == COUNT else images - images % shard)
    assert scored <= COUNT - summary.kept
    assert (summary.images, summary.ranked, summary.skipped) == (COUNT, COUNT - 2, 2)
    assert leftovers(tmp_path) == []


def test_a_run_may_be_cut_many_times(whole: bytes, pool: Path, tiny: Graph, tmp_path: Path) -> None:
    out = tmp_path / "ranking.csv"
    for images in range(1, COUNT + 1):
        cut(tiny(), pool, out, images)
    _, scored = again(tiny(), pool, out)
    assert scored == 0
    assert out.read_bytes() == whole


def test_a_listener_hears_every_image_once_and_where_a_run_goes_on(
    pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    cut(tiny(), pool, out, 5)
    heard: list[int] = []

    class Hearing(Observer):
        def scored(self, images: int) -> None:
            heard.append(images)

    rank_to_file(Run(Counting(tiny()), list_pool(pool), out, USUAL, Hearing()))
    assert heard == list(range(5, COUNT + 1))


def test_no_resume_starts_anew(whole: bytes, pool: Path, tiny: Graph, tmp_path: Path) -> None:
    out = tmp_path / "ranking.csv"
    cut(tiny(), pool, out, 5)
    summary, scored = again(tiny(), pool, out, usual(resume=False))
    assert (summary.kept, scored) == (0, COUNT - 2)
    assert out.read_bytes() == whole


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        (usual(n=2), 0),
        (usual(seed=1), 0),
        (usual(labels=Labels({"city/0001.png": [Click(0, 0, 1)]})), 4),  # all but that image
        (usual(pictures=Path("pictures")), 0),
    ],
    ids=["n", "seed", "labels", "pictures"],
)
def test_other_options_start_anew(
    changed: RankOptions, kept: int, pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    if changed.criteria.pictures:
        changed = replace(
            changed, criteria=replace(changed.criteria, pictures=tmp_path / "pictures")
        )
    cut(tiny(), pool, out, 5)
    summary, _ = again(tiny(), pool, out, changed)
    assert summary.kept == kept
    rank_to_file(Run(Counting(tiny()), list_pool(pool), tmp_path / "fresh.csv", changed))
    assert out.read_bytes() == (tmp_path / "fresh.csv").read_bytes()


def test_another_batch_size_goes_on(whole: bytes, pool: Path, tiny: Graph, tmp_path: Path) -> None:
    out = tmp_path / "ranking.csv"
    cut(tiny(), pool, out, 5)
    summary, _ = again(tiny(), pool, out, usual(batch=4))
    assert summary.kept == 5
    assert out.read_bytes() == whole


def test_another_graph_starts_anew(pool: Path, tiny: Graph, tmp_path: Path) -> None:
    out = tmp_path / "ranking.csv"
    cut(tiny(), pool, out, 5)
    summary, _ = again(tiny("margin"), pool, out)
    assert summary.kept == 0


def test_another_pool_starts_anew_and_one_that_was_moved_goes_on(
    pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    cut(tiny(), pool, out, 5)
    other = tmp_path / "other"
    shutil.copytree(pool, other)
    cut(tiny(), other, out, 3)
    summary, _ = again(tiny(), other.rename(tmp_path / "moved"), out)
    assert summary.kept == 3


class Told(Observer):
    def begun(self, images: int, stale: Mapping[str, int]) -> None:
        self.stale = dict(stale)


@pytest.mark.parametrize(
    ("graph", "options", "what"),
    [("margin", USUAL, "graphs"), ("balentacq", usual(n=2), "options")],
)
def test_what_has_changed_is_said(
    graph: str, options: RankOptions, what: str, pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    cut(tiny(), pool, out, 5)
    told = Told()
    rank_to_file(Run(Counting(tiny(graph)), list_pool(pool), out, options, told))
    assert told.stale == {what: 5}


def test_what_could_not_be_read_is_looked_at_again(pool: Path, tiny: Graph, tmp_path: Path) -> None:
    """A part with it does not hold, although the pool's list says that nothing has changed."""
    out, away = tmp_path / "parts", pool / "city" / "0003.png"

    class Vanishing(Observer):
        def begun(self, images: int, stale: Mapping[str, int]) -> None:
            away.rename(tmp_path / "away.png")

    first = rank_to_file(Run(Counting(tiny()), list_pool(pool), out, USUAL, Vanishing()))
    assert first.reasons["vanished"] == first.passing == 1
    (tmp_path / "away.png").rename(away)
    os.utime(away)
    summary, scored = again(tiny(), pool, out)
    assert "vanished" not in summary.reasons
    assert scored == 1


class Elsewhere(Counting):
    name = "openvino float32"


def test_parts_of_another_runtime_are_put_together_but_never_mixed(
    pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out, graph = tmp_path / "parts", tiny()
    rank_to_file(Run(Elsewhere(graph), list_pool(pool), out, USUAL))
    here, auto = Counting(graph), replace(USUAL, any_runtime=True)
    rank_to_file(Run(here, list_pool(pool), out, auto))
    assert here.images == 0
    part.path(out, 1).unlink()
    with pytest.raises(BadInput, match="11 parts are of another runtime than cpu float32, and 1"):
        rank_to_file(Run(here, list_pool(pool), out, auto))
    told = Told()
    rank_to_file(Run(here, list_pool(pool), out, USUAL, told))
    assert told.stale == {"runtimes": 11}
    assert here.images > 0


def change(pool: Path) -> None:
    path = pool / "city" / "0003.png"
    photographs.noisy(99).save(path)
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


def remove(pool: Path) -> None:
    (pool / "city" / "0003.png").unlink()


def add(pool: Path) -> None:
    photographs.noisy(99).save(pool / "city" / "0002.png")


@pytest.mark.parametrize("happens", [change, remove, add])
@pytest.mark.parametrize("images", [5, COUNT])
def test_a_pool_that_changed_is_noticed(
    images: int, happens: Callable[[Path], None], pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    """city/0001, then city/0003: what a change moves into another part is scored again."""
    out = tmp_path / "ranking.csv"
    cut(tiny(), pool, out, images)
    happens(pool)
    summary, _ = again(tiny(), pool, out)
    assert summary.kept == (images - 1 if happens is change else 1)
    rank_to_file(Run(Counting(tiny()), list_pool(pool), tmp_path / "fresh.csv", USUAL))
    assert out.read_bytes() == (tmp_path / "fresh.csv").read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"", lambda content: content[:-1], lambda content: content[: 1000],
        lambda content: bytes(len(content)), lambda content: content[:-400] + bytes(400),
        lambda content: b"not a part",
    ],
)  # fmt: skip
def test_a_damaged_part_is_scored_again(
    damage: Callable[[bytes], bytes], whole: bytes, pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    """After a power cut a file system may leave zeros where the last blocks should be."""
    out = tmp_path / "ranking.csv"
    cut(tiny(), pool, out, 5)
    path = part.path(folder_of(out), 2)
    path.write_bytes(damage(path.read_bytes()))
    summary, _ = again(tiny(), pool, out)
    assert summary.kept == 4
    assert out.read_bytes() == whole


def test_a_part_of_another_program_is_scored_again(
    whole: bytes, pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    cut(tiny(), pool, out, 5)
    pq.write_table(pa.table({"image": ["a"]}), part.path(folder_of(out), 0))
    summary, _ = again(tiny(), pool, out)
    assert summary.kept == 4
    assert out.read_bytes() == whole


def test_an_older_ranking_stands_until_the_new_one_is_whole(
    whole: bytes, pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    out.write_text("older")
    cut(tiny(), pool, out, 5)
    assert out.read_text() == "older"
    again(tiny(), pool, out)
    assert out.read_bytes() == whole


def test_the_skipped_of_an_older_run_do_not_stay(pool: Path, tiny: Graph, tmp_path: Path) -> None:
    out = tmp_path / "ranking.csv"
    again(tiny(), pool, out)
    assert (tmp_path / "ranking.skipped.csv").exists()
    for path in pool.rglob("*.jpg"):
        path.unlink()
    again(tiny(), pool, out)
    assert not (tmp_path / "ranking.skipped.csv").exists()


def test_pixels_short_of_n_are_counted(tiny: Graph, tmp_path: Path) -> None:
    (tmp_path / "pool").mkdir()
    photographs.noisy(1, 1, 2).save(tmp_path / "pool" / "a.png")
    photographs.noisy(2).save(tmp_path / "pool" / "b.png")
    summary, _ = again(tiny(), tmp_path / "pool", tmp_path / "r.csv")
    assert (summary.ranked, summary.pixels, summary.short) == (2, 5, 1)


def test_a_wrong_n_does_not_cost_an_interrupted_run(
    pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    cut(tiny(), pool, out, 5)
    with pytest.raises(Failure, match="n is 99"):
        again(tiny(), pool, out, usual(n=99))
    summary, _ = again(tiny(), pool, out)
    assert summary.kept == 5


def test_a_refused_n_leaves_nothing(pool: Path, tiny: Graph, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="n is 99"):
        again(tiny(), pool, tmp_path / "ranking.csv", usual(n=99))
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("out", ["ranking.csv", "parts"])
def test_what_is_refused_once_the_pool_is_listed_leaves_nothing(
    out: str, pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(BadPool):
        again(tiny(), tmp_path / "nothing", tmp_path / out)
    with pytest.raises(BadLabels):
        again(tiny(), pool, tmp_path / out, usual(labels=Labels({"other.png": {}})))
    with pytest.raises(Failure, match="no mask of any image"):
        again(tiny(), pool, tmp_path / out, usual(exclude=tmp_path / "nothing"))
    assert leftovers(tmp_path) == []
    assert not (tmp_path / out).exists()


def test_images_that_became_readable_are_ranked(ordinary: Path, tiny: Graph) -> None:
    os.seteuid(os.getuid())
    runtime = Counting(tiny())  # the graph lies where only its owner looks
    if os.getuid() == 0:
        os.seteuid(65534)
    path = ordinary / "pool" / "a.png"
    path.parent.mkdir()
    photographs.noisy(1).save(path)
    path.chmod(0)
    out = ordinary / "ranking.csv"
    with pytest.raises(BadPool, match="1 permission denied"):
        rank_to_file(Run(runtime, list_pool(path.parent), out, USUAL))
    path.chmod(0o644)
    assert rank_to_file(Run(runtime, list_pool(path.parent), out, USUAL)).ranked == 1


# A process of its own that can be killed: it tells how far it is, and goes on when it is told to.
RUN = """
import sys
from pathlib import Path
from scorer.ranking.job import RankOptions, Run, rank_to_file
from scorer.ranking.observer import Observer
from scorer.pools import list_pool
from scorer.runtimes.cpu import OnnxRuntime
from scorer.ranking.shard import Criteria

graph, pool, out, pictures = sys.argv[1:]

class Telling(Observer):
    def scored(self, images):
        print(images, flush=True)
        sys.stdin.readline()

task = Criteria(n=3, pictures=Path(pictures) if pictures else None)
runtime = OnnxRuntime(Path(graph), workers=1)
options = RankOptions(criteria=task, shard=1)
rank_to_file(Run(runtime, list_pool(Path(pool)), Path(out), options, Telling()))
"""


@pytest.mark.parametrize("images", [1, 6])
@pytest.mark.parametrize("pictures", ["", "pictures"])
def test_a_killed_process_goes_on_and_ends_in_the_same_bytes(
    images: int, pictures: str, whole: bytes, pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    folder = str(tmp_path / pictures) if pictures else ""
    command = [sys.executable, "-c", RUN, str(tiny()), str(pool), str(out), folder]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "0\n"
        for done in range(1, images + 1):
            process.stdin.write("\n")
            process.stdin.flush()
            assert process.stdout.readline() == f"{done}\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    options = usual(pictures=Path(folder) if folder else None)
    summary, _ = again(tiny(), pool, out, options)
    assert summary.kept == images
    assert out.read_bytes() == whole
    assert leftovers(tmp_path) == []
    if pictures:
        assert len(list(Path(folder).rglob("*.jpg"))) == COUNT - 2


KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
from scorer.ranking import job, table
from scorer.ranking.job import RankOptions, Run, rank_to_file
from scorer.ranking.observer import Observer
from scorer.pools import list_pool
from scorer.runtimes.cpu import OnnxRuntime
from scorer.ranking.shard import Criteria

def rows(*anything):
    yield from list(every(*anything))[:20]
    os.kill(os.getpid(), signal.SIGKILL)

every, table.rows = table.rows, rows
graph, pool, out = sys.argv[1:]
rank_to_file(Run(OnnxRuntime(Path(graph), workers=1), list_pool(Path(pool)), Path(out),
                 RankOptions(criteria=Criteria(n=3), shard=1)))
"""


def killed_while_writing(graph: Path, pool: Path, out: Path) -> None:
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(graph), str(pool), str(out)]
    process = subprocess.run(command, check=False, capture_output=True)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_process_killed_while_it_writes_the_ranking_loses_nothing(
    suffix: str, pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / f"ranking{suffix}"
    out.write_text("older")
    killed_while_writing(tiny(), pool, out)
    assert out.read_text() == "older"
    summary, scored = again(tiny(), pool, out)
    assert (summary.kept, scored) == (COUNT, 0)
    again(tiny(), pool, tmp_path / f"fresh{suffix}")
    assert out.read_bytes() == (tmp_path / f"fresh{suffix}").read_bytes()


def test_what_a_killed_process_was_writing_does_not_stay(
    pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    killed_while_writing(tiny(), pool, out)
    again(tiny(), pool, out)
    assert leftovers(tmp_path) == []


# A real fault of the file system: files of this process may not grow beyond `limit` bytes.
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from scorer.cli import main
main(sys.argv[2:])
"""


def limited(limit: int, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), "rank", *arguments],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def equal_pool(tmp_path: Path) -> Path:
    """Sixty whole images with long names: the ranking is several times longer than a line."""
    folder = tmp_path / "equal"
    photographs.photographs(folder / ("long" * 20), 60, height=3, width=4)
    return folder


@pytest.mark.parametrize(
    ("at", "suffix"),
    [("manifest", ".csv"), ("part", ".csv"), ("ranking", ".csv"), ("ranking", ".jsonl")],
)
def test_a_full_disk_is_told_and_the_run_goes_on_once_there_is_space(
    at: str, suffix: str, equal_pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    """A part of ten images is larger than the manifest, the ranking larger than a part."""
    out = tmp_path / f"ranking{suffix}"
    parts = folder_of(out)
    cut(tiny(), equal_pool, out, 60, usual(60, n=4))
    sizes = {
        "manifest": (parts / manifest.NAME).stat().st_size,
        "part": part.path(parts, 0).stat().st_size,
    }
    shutil.rmtree(parts)
    full = {"manifest": parts / manifest.NAME, "part": part.path(parts, 0), "ranking": out}[at]
    limit = {"manifest": 1000, "part": sizes["part"] - 1, "ranking": max(sizes.values())}[at]
    out.write_text("older")
    process = limited(
        limit, "--pool", str(equal_pool), "--graph", str(tiny()), "--n", "4", "--out", str(out),
    )  # fmt: skip
    assert "File too large" in process.stderr  # the fault took place
    assert f"cannot write {full}:" in process.stderr
    assert "free some space or choose another place" in process.stderr
    assert "Traceback" not in process.stderr
    assert process.returncode == 6
    assert out.read_text() == "older"
    summary, _ = again(tiny(), equal_pool, out, usual(64, n=4))
    assert summary.kept == (60 if at == "ranking" else 0)
    again(tiny(), equal_pool, tmp_path / f"fresh{suffix}", usual(64, n=4))
    assert out.read_bytes() == (tmp_path / f"fresh{suffix}").read_bytes()
    assert leftovers(tmp_path) == []


def test_a_full_disk_while_a_picture_is_written_costs_the_pictures_alone(
    equal_pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out, pictures = tmp_path / "ranking.csv", tmp_path / "pictures"
    process = limited(
        12_000, "--pool", str(equal_pool), "--graph", str(tiny()), "--n", "1",
        "--out", str(out), "--overlay", str(pictures),
    )  # fmt: skip
    assert "File too large" in process.stderr  # the fault took place
    assert process.returncode == 6
    assert process.stderr.count("the ranking goes on without pictures") == 1
    assert f"cannot write {pictures}" in process.stderr
    assert "Traceback" not in process.stderr
    assert len(out.read_text().splitlines()) == 61
    assert not list(pictures.rglob("*.jpg"))
    assert not list(pictures.rglob("*.tmp"))


def test_masks_of_other_images_are_refused(tiny: Graph, pool: Path, tmp_path: Path) -> None:
    """They would exclude nothing, and nobody would know."""
    (tmp_path / "masks").mkdir()
    options = usual(exclude=tmp_path / "masks")
    with pytest.raises(BadInput, match="has no mask of any image of the pool"):
        rank_to_file(
            Run(OnnxRuntime(tiny(), workers=1), list_pool(pool), tmp_path / "r.csv", options)
        )


def test_a_second_ranking_into_the_same_file_is_refused(
    equal_pool: Path, tiny: Graph, tmp_path: Path
) -> None:
    out = tmp_path / "ranking.csv"
    with (
        instance_lock(out, "scorer rank", "wait"),
        pytest.raises(BadInput, match=r"ranking\.csv is in use by another scorer rank"),
    ):
        again(tiny(), equal_pool, out, usual(64))
    assert not out.exists()
    again(tiny(), equal_pool, out, usual(64))
    assert leftovers(tmp_path) == []
