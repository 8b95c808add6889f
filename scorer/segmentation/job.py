"""The segmentation job: writes the missing masks of a pool, and a table of all."""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scorer.errors import BadInput, BadPool
from scorer.files import cannot_write, replacing, replacing_path
from scorer.instance_lock import instance_lock
from scorer.pools import Pool, is_among
from scorer.ranking import manifest, mask_table
from scorer.ranking.executors import Executor, threads
from scorer.ranking.observer import Observer
from scorer.ranking.remaining import Remaining
from scorer.ranking.skips import Skips
from scorer.segmentation import part
from scorer.segmentation.network import PlainNetwork
from scorer.segmentation.part import Done
from scorer.segmentation.shards import Segments, Wanted
from scorer.selection.exclusion import mask_name
from scorer.selection.result import Skipped

SHARD = 64  # images
_FOLDERS = "_folders.json"


@dataclass(frozen=True)
class Job:
    """The segmentation of `pool` into wanted.folders. resume: keep valid parts."""

    network: PlainNetwork
    pool: Pool
    wanted: Wanted
    shard: int = SHARD
    resume: bool = True
    observer: Observer = field(default_factory=Observer)
    executor: Executor = threads.run

    @property
    def folder(self) -> Path:
        """The folder of the manifest and the parts, beside that of the masks."""
        masks = self.wanted.folders.masks
        return masks.with_name(f"{masks.name}.parts")


@dataclass
class Outcome(Skips):
    """The summary of a job. images: in the pool; kept: segmented by an earlier run."""

    images: int = 0
    kept: int = 0


def run(job: Job) -> Outcome:
    """Segment a pool.

    After an interruption the same call continues, and gives the same bytes. Raises BadPool if no
    image could be segmented, BadInput for two images that would share a mask, CannotWrite.
    """
    masks = job.wanted.folders.masks
    with instance_lock(masks, "scorer segment", "wait until it has ended, or choose another --out"):
        return _run(job)


def _run(job: Job) -> Outcome:
    segments = _listed(job)
    remaining = Remaining.of(segments, range(segments.manifest.shards))
    remaining.run(job.executor, job.observer)
    outcome = Outcome(kept=remaining.kept)
    _write_table(job, segments, outcome)
    if outcome.skipped == outcome.images:
        first = next(iter(outcome.examples.values()))[0]
        raise BadPool(
            f"none of the {outcome.images} images of {job.pool.where} could be segmented; "
            f"{first.image}: {first.reason}",
            remedy=f"each is named with its reason in {job.wanted.folders.masks / mask_table.NAME}",
        )
    return outcome


def do_part(job: Job, part_of: tuple[int, int] | str) -> str:
    """List the pool (LIST) or, part_of = (i, n), segment every n-th shard from the i-th on, as a
    task of a cluster scheduler; `run` completes the job. Returns a description of what was done.

    Raises BadInput for --no-resume.
    """
    if not isinstance(part_of, tuple):
        segments = _listed(job)
        return f"{segments.manifest.images} images listed in {segments.manifest.shards} parts"
    if not job.resume:
        raise BadInput(
            "--no-resume is of no effect on one task of several",
            remedy="give it with --task list, which all tasks follow",
        )
    if (job.folder / manifest.NAME).is_file():
        _take_folders(job)
        segments = Segments(job.network, job.pool, job.folder, job.wanted)
    else:
        segments = _listed(job)
    remaining = Remaining.of(segments, range(part_of[0], segments.manifest.shards, part_of[1]))
    remaining.run(job.executor, job.observer)
    images = sum(remaining.sizes.values()) - remaining.kept
    return f"task {part_of[0]} of {part_of[1]}: {images} images segmented"


def _listed(job: Job) -> Segments:
    """List the pool; returns its shards."""
    _take_folders(job)
    with cannot_write(job.folder):
        job.folder.mkdir(parents=True, exist_ok=True)
        if not job.resume:
            for found in job.folder.glob("part-*.json"):
                found.unlink()
    manifest.write(job.folder, job.pool, shard=job.shard, on_image=job.observer.listed)
    segments = Segments(job.network, job.pool, job.folder, job.wanted)
    _check_masks(segments)
    return segments


def _take_folders(job: Job) -> None:
    """Raise BadInput for folders with files of other origin, such as masks made by people, or
    inside the pool. The folders of this job are recorded beside its parts.
    """
    kept, base = job.folder / _FOLDERS, job.folder.parent.absolute()
    own, wanted = _own(kept), set[str]()
    for folder in job.wanted.folders.absolute().wanted.values():
        name = os.path.relpath(folder, base)  # stays valid when the project is moved
        if is_among(folder, job.pool):
            raise BadInput(
                f"{folder} lies inside the pool: the next run would segment what it holds",
                remedy=f"choose a folder outside {job.pool.where}",
            )
        if name not in own and folder.is_dir() and any(folder.iterdir()):
            raise BadInput(
                f"{folder} is a folder with files in it that this command has not written",
                remedy="choose another folder, or remove it",
            )
        wanted.add(name)
    if wanted - own:
        with replacing_path(kept, shared=True) as temporary:
            temporary.write_text(json.dumps(sorted(own | wanted)), "utf-8")


def _own(kept: Path) -> set[str]:
    """The folders of earlier runs; none if the record is missing or damaged."""
    try:
        return set(json.loads(kept.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return set()


def _check_masks(segments: Segments) -> None:
    """Raise BadInput for images with the same mask name, such as a.jpg and a.png."""
    seen: set[int] = set()
    for name in segments.manifest.names():
        key = hash(mask_name(name))
        if key in seen:
            raise BadInput(
                f"{name}: another image of the pool would have the same mask, {mask_name(name)}",
                remedy="rename one of the two, or segment them as two pools",
            )
        seen.add(key)


def _write_table(job: Job, segments: Segments, outcome: Outcome) -> None:
    """Write masks.csv, with a row for every image."""
    with replacing(job.wanted.folders.masks / mask_table.NAME) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(mask_table.COLUMNS)
        for done in _all_done(segments):
            outcome.images += 1
            if done.reason:
                outcome.skip(Skipped(done.image, done.reason, done.detail))
            writer.writerow(_row(done))


def _all_done(segments: Segments) -> Iterator[Done]:
    for number in range(segments.manifest.shards):
        found = part.read(segments.folder, number)
        if found is None:
            raise BadInput(
                f"{part.path(segments.folder, number)} is gone, or damaged",
                remedy="give the same command again",
            )
        yield from found[1]


def _row(done: Done) -> Sequence[object]:
    mask = "" if done.reason else mask_name(done.image)
    return done.image, mask, done.height, done.width, done.reason, done.detail
