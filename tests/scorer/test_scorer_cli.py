"""What a person sees: data on stdout, words on stderr, and for every mistake a way out."""

import csv
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import photographs
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from scorer.cli import main
from scorer.contract import Contract
from scorer.labels.csv_file import COLUMNS
from scorer.labels.store import Store
from scorer.ranking import table as ranking

Graph = Callable[..., Path]


def scorer(*arguments: object) -> Result:
    """The command as typed; an exception that reaches the user is an error of the test."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def home(tmp_path: Path, tiny: Graph, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder a person works in: images, scorer.onnx, labels.csv."""
    photographs.photographs(tmp_path / "images", 6)
    (tmp_path / "scorer.onnx").write_bytes(tiny(top_k=5).read_bytes())
    (tmp_path / "labels.csv").write_text("image,row,col,label\nfield/0000.png,2,3,road\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name.endswith((".parts", ".tmp"))]


def test_the_command_of_the_readme_works_as_it_stands(home: Path) -> None:
    result = scorer("rank", "--pool", "./images", "--n", 3)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert "6 images in images, balentacq over 2 dropout passes at 8x12" in result.stderr
    assert "18 pixels of 6 images in ranking.csv" in result.stderr
    rows = list(ranking.read(home / "ranking.csv"))
    assert Counter(row["image"] for row in rows) == dict.fromkeys(
        sorted(path.relative_to("images").as_posix() for path in Path("images").rglob("*.png")), 3
    )
    assert leftovers(home) == []


def test_every_default_file_name_is_found(home: Path) -> None:
    assert scorer("rank", "--n", 1).exit_code == 0
    assert (home / "ranking.csv").exists()
    assert scorer("inspect").exit_code == 0


def test_json_puts_the_ranking_on_stdout_and_nothing_else(home: Path) -> None:
    photographs.broken(home / "images", "text")
    result = scorer("rank", "--n", 2, "--json")
    assert result.exit_code == 4
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert rows == list(ranking.read(home / "ranking.csv"))
    assert len(rows) == 12
    assert "not an image" in result.stderr


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_batch_order_and_repetition_do_not_change_a_byte_with_a_real_graph(
    suffix: str, baked: Graph, tmp_path: Path
) -> None:
    names = photographs.photographs(tmp_path / "pool", 7, height=50, width=70)
    shuffled = [*names, *names[:2]]
    random.Random(1).shuffle(shuffled)
    (tmp_path / "pool" / "list.txt").write_text("\n".join(shuffled))
    runs = {
        "once": ["--pool", tmp_path / "pool"],
        "again": ["--pool", tmp_path / "pool"],
        "by three": ["--pool", tmp_path / "pool", "--batch", 3],
        "by eight": ["--pool", tmp_path / "pool", "--batch", 8, "--threads", 2],
        "shuffled": ["--pool", tmp_path / "pool" / "list.txt", "--threads", 1],
    }
    files = {}
    for name, options in runs.items():
        out = tmp_path / f"{name}{suffix}"
        result = scorer("rank", *options, "--graph", baked(), "--n", 5, "--out", out)
        assert result.exit_code == 0, result.stderr
        files[name] = hashlib.sha256(out.read_bytes()).hexdigest()
    assert len(files) == 5
    assert set(files.values()) == {files["once"]}
    assert len(list(ranking.read(tmp_path / f"once{suffix}"))) == 35


def test_a_thousand_images_of_which_fifty_are_broken_in_ten_ways(home: Path, tiny: Graph) -> None:
    kinds = list(photographs.BROKEN)[:10]
    assert len(kinds) == 10
    pool = home / "pool"
    photographs.photographs(pool, 950, height=6, width=9)
    expected = {}
    for index in range(50):
        kind = kinds[index % 10]
        path = photographs.broken(pool / "bad", kind, f"{index:02}")
        expected[path.relative_to(pool).as_posix()] = photographs.BROKEN[kind][2]
    result = scorer("rank", "--pool", pool, "--n", 4, "--batch", 8)
    assert result.exit_code == 4, result.stderr
    rows = list(ranking.read(home / "ranking.csv"))
    counts = Counter(row["image"] for row in rows)
    assert len(counts) == 950
    assert set(counts.values()) == {4}
    with (home / "ranking.skipped.csv").open() as file:
        skipped = {row["image"]: row["reason"] for row in csv.DictReader(file)}
    assert skipped == expected
    assert "50 images were skipped:" in result.stderr
    for reason, count in Counter(expected.values()).items():
        assert f"  {count} {reason}\n" in result.stderr
    assert "all of them are named in ranking.skipped.csv" in result.stderr
    assert leftovers(home) == []


def asked(*options: object) -> set[tuple[object, ...]]:
    """The pixels that are asked for."""
    result = scorer("rank", "--n", 2, "--json", *options)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == 12, result.stderr
    return {(row["image"], row["row"], row["col"], row["predicted"]) for row in rows}


def test_labelled_pixels_are_not_asked_again(home: Path) -> None:
    first = asked()
    with (home / "labels.csv").open("w") as file:
        csv.writer(file).writerows([COLUMNS, *sorted(first)])
    assert {one[:3] for one in first}.isdisjoint(one[:3] for one in asked("--labels", "labels.csv"))
    assert asked() == first
    assert f"labels.csv is not read, and {len(first)} pixels of it" in scorer("rank").stderr
    words = ("--format", "csv", "--annotator", "ann")
    assert scorer("labels", "import", "labels.csv", *words).exit_code == 0
    by_default = asked()
    assert {one[:3] for one in first}.isdisjoint(one[:3] for one in by_default)
    assert asked("--labels", "none") == first
    said = "pixels in labels.db are not chosen again; to choose from all: --labels none"
    assert said in scorer("rank", "--n", 2).stderr
    assert "labels.csv" not in scorer("rank", "--n", 2).stderr
    assert "labels.db" not in scorer("rank", "--n", 2, "--labels", "none").stderr


def test_a_table_of_other_classes_is_said_and_not_read(home: Path) -> None:
    (home / "labels.csv").write_text("image,row,col,label\na.png,1,2,water\n")
    result = scorer("rank", "--n", 1)
    assert result.exit_code == 0
    assert "labels.csv is not read: labels.csv line 2: unknown label 'water'" in result.stderr


def test_a_label_store_of_other_classes_can_be_left_out(home: Path) -> None:
    Store(home / "labels.db", ("other", "classes")).close()
    result = scorer("rank", "--n", 1)
    assert result.exit_code == 5
    assert "leave it out with --labels none" in result.stderr
    assert scorer("rank", "--n", 1, "--labels", "none").exit_code == 0


def test_a_csv_that_contradicts_itself_needs_a_rule(home: Path) -> None:
    with (home / "labels.csv").open("a") as file:
        file.write("field/0000.png,2,3,sky\n")
    result = scorer("rank", "--n", 1, "--labels", "labels.csv")
    assert result.exit_code == 5
    assert "field/0000.png row 2, col 3 is road, sky" in result.stderr
    rule = ("--on-conflict", "newest")
    assert scorer("rank", "--n", 1, "--labels", "labels.csv", *rule).exit_code == 0


def test_labels_of_another_size_skip_their_image(home: Path) -> None:
    lines = "image,row,col,label,height,width\nfield/0000.png,2,3,road,7,7\n"
    (home / "labels.csv").write_text(lines)
    result = scorer("rank", "--n", 1, "--labels", "labels.csv")
    assert result.exit_code == 4
    assert "1 labels of another size" in result.stderr
    assert "field/0000.png (given at 7x7, the image is 24x32)" in result.stderr


def test_overlay_draws_one_picture_per_image(home: Path) -> None:
    result = scorer("rank", "--n", 2, "--overlay", "pictures")
    assert result.exit_code == 0
    assert "pictures in pictures" in result.stderr
    assert len(list((home / "pictures").rglob("*.jpg"))) == 6


def test_pictures_inside_the_pool_are_refused(home: Path) -> None:
    """An interrupted run would find another pool, and the next one would rank its pictures."""
    result = scorer("rank", "--n", 1, "--overlay", "images/pictures")
    assert result.exit_code == 5
    assert "--overlay" in result.stderr
    assert not (home / "images" / "pictures").exists()


def test_pictures_beside_the_images_of_a_list_are_drawn(home: Path) -> None:
    """A list names its images: pictures below its folder never join them."""
    (home / "list.txt").write_text("images/field/0000.png\n")
    result = scorer("rank", "--pool", "list.txt", "--n", 1, "--overlay", "pictures")
    assert result.exit_code == 0
    assert len(list((home / "pictures").rglob("*.jpg"))) == 1


def test_what_is_short_of_pixels_is_said(home: Path) -> None:
    photographs.noisy(1, 1, 2).save(home / "images" / "small.png")
    result = scorer("rank", "--n", 4)
    assert result.exit_code == 0
    assert "1 images had fewer pixels left than --n" in result.stderr


def test_an_interrupt_says_so_and_the_same_command_goes_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scorer.ranking import part

    write = part.write

    def interrupted(*arguments: Any, **options: Any) -> None:
        write(*arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(part, "write", interrupted)
        result = scorer("rank", "--n", 2, "--shard", 1)
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert not (home / "ranking.csv").exists()
    parts = list((home / "ranking.csv.parts").glob("part-*.parquet"))
    result = scorer("rank", "--n", 2, "--shard", 1)
    assert result.exit_code == 0
    done = f"{len(parts)} of the images were ranked by an earlier run"
    assert done in result.stderr
    assert leftovers(home) == []


def test_no_resume_starts_anew(home: Path) -> None:
    assert scorer("rank", "--n", 2, "--task", "0/2", "--shard", 2).exit_code == 0
    result = scorer("rank", "--n", 2, "--no-resume", "--shard", 2)
    assert result.exit_code == 0
    assert "done before" not in result.stderr
    assert leftovers(home) == []


def test_tasks_of_a_queue_share_the_work_and_the_command_puts_it_together(home: Path) -> None:
    scorer("rank", "--n", 2, "--out", "whole.csv")
    for task in range(2):
        result = scorer("rank", "--n", 2, "--task", f"{task}/2", "--shard", 2)
        assert result.exit_code == 0
        assert f"task {task} of 2: {4 - 2 * task} images scored" in result.stderr
        assert not (home / "ranking.csv").exists()
    result = scorer("rank", "--n", 2, "--shard", 2)
    assert "6 of the images were ranked by an earlier run" in result.stderr
    assert Path("ranking.csv").read_bytes() == Path("whole.csv").read_bytes()
    assert leftovers(home) == []


def test_tasks_share_a_list_and_a_whole_ranking_becomes_none_when_they_begin(home: Path) -> None:
    result = scorer("rank", "--n", 2, "--out", "parts", "--shard", 2, "--task", "list")
    assert "task list: 6 images in 3 parts listed, in parts" in result.stderr
    assert [path.name for path in Path("parts").iterdir()] == ["_manifest.parquet"]
    scorer("rank", "--n", 2, "--out", "parts", "--shard", 2)
    assert Path("parts/_SUCCESS").exists()
    scorer("rank", "--n", 3, "--out", "parts", "--shard", 2, "--task", "0/2")
    assert not Path("parts/_SUCCESS").exists()
    assert not Path("parts/_summary.json").exists()
    result = scorer("rank", "--n", 3, "--out", "parts", "--task", "1/2")
    assert result.exit_code == 5
    assert "in shards of 2, not images in shards of 64" in result.stderr
    for more in (("--report", "r.html"), ("--no-resume",), ("--images-out", "i.csv")):
        result = scorer("rank", "--out", "parts", "--shard", 2, "--task", "1/2", *more)
        assert (result.exit_code, "of no effect with --task" in result.stderr) == (5, True)


def test_results_of_one_run_go_to_places_of_their_own(home: Path) -> None:
    result = scorer("rank", "--images-out", "./ranking.csv")
    assert (result.exit_code, "two results would be written to one file" in result.stderr) == (
        5,
        True,
    )
    result = scorer("rank", "--out", "s3://bucket/out")
    assert (result.exit_code, "has mounted" in result.stderr) == (5, True)
    assert leftovers(home) == []
    assert not Path("s3:").exists()


@pytest.mark.parametrize("task", ["2/2", "1", "-1/2", "a/b", "0/0"])
def test_a_task_that_is_none_is_refused(task: str, home: Path) -> None:
    assert scorer("rank", "--task", task).exit_code == 2


def test_a_folder_of_parts_says_when_it_is_whole(home: Path) -> None:
    assert scorer("rank", "--n", 2, "--out", "parts").exit_code == 0
    assert sorted(path.name for path in Path("parts").iterdir()) == [
        "_SUCCESS", "_manifest.parquet", "_summary.json", "part-00000000.parquet",
    ]  # fmt: skip
    summary = json.loads(Path("parts/_summary.json").read_text())
    assert (summary["images"], summary["pixels"], summary["skipped"]) == (6, 12, {})
    table = pq.read_table("parts")
    assert table.num_rows == 12, "other programs read the parts and nothing else"
    assert scorer("rank", "--n", 2, "--out", "parts", "--budget", 3).exit_code == 5
    assert scorer("rank", "--n", 2, "--out", "parts", "--json").exit_code == 5


def test_whole_images_are_ranked_by_the_mean_of_their_pixels(home: Path) -> None:
    scorer("rank", "--n", 2, "--images-out", "images.csv")
    scores: dict[str, list[float]] = {}
    for row in ranking.read(home / "ranking.csv"):
        scores.setdefault(row["image"], []).append(row["score"])
    with Path("images.csv").open() as file:
        found = [(row["image"], float(row["score"])) for row in csv.DictReader(file)]
    expected = sorted(((sum(s) / len(s), name) for name, s in scores.items()), reverse=True)
    assert [name for name, _ in found] == [name for _, name in expected]
    assert [score for _, score in found] == pytest.approx([score for score, _ in expected])


def test_whole_images_are_ranked_by_the_share_of_their_uncertain_pixels(home: Path) -> None:
    shares = {}
    for uncertain in (0, 128, 1e9):
        result = scorer(
            "rank", "--n", 2, "--images-out", "images.jsonl", "--images-by", "share",
            "--uncertain", uncertain,
        )  # fmt: skip
        assert result.exit_code == 0, result.stderr
        lines = Path("images.jsonl").read_text().splitlines()
        shares[uncertain] = [json.loads(line)["score"] for line in lines]
    assert shares[0] == [1.0] * 6
    assert all(0 < share < 1 for share in shares[128])
    assert shares[128] == sorted(shares[128], reverse=True)
    assert shares[1e9] == [0.0] * 6


def test_what_has_moved_since_an_earlier_ranking_is_told(home: Path) -> None:
    scorer("rank", "--n", 2)
    labels = "image,row,col,label\n"
    (first, *_) = ranking.read(home / "ranking.csv")
    Path("labels.csv").write_text(f"{labels}{first['image']},{first['row']},{first['col']},road\n")
    result = scorer(
        "rank", "--n", 2, "--labels", "labels.csv", "--against", "ranking.csv",
    )  # fmt: skip
    assert "11 pixels are asked again, 1 are new, 1 are gone" in result.stderr
    assert "6 images in both, Spearman correlation" in result.stderr
    Path("no.csv").write_text("a,b\n1,2\n")
    assert scorer("rank", "--against", "no.csv").exit_code == 5
    assert scorer("rank", "--against", "gone.csv").exit_code == 5


def test_a_report_shows_what_was_left_out_and_how_the_scores_lie(home: Path) -> None:
    photographs.broken(home / "images", "text", "<b>odd</b>")
    scorer("rank", "--n", 2, "--report", "report.html")
    page = Path("report.html").read_text()
    assert '<td>left out</td><td class="number">1</td>' in page
    assert "not an image" in page
    counts = re.findall(r"<title>(\d+) pixels", page)
    assert sum(map(int, counts)) == 12


def test_logs_are_json_lines_when_asked(home: Path) -> None:
    photographs.broken(home / "images", "text", "odd")
    lines = [json.loads(one) for one in scorer("rank", "--log-json").stderr.splitlines()]
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    assert {"warning", "info"} == {line["level"] for line in lines}
    assert any(line.get("done") == line.get("total") == 7 for line in lines)
    *_, line = map(json.loads, scorer("rank", "--n", 99, "--log-json").stderr.splitlines())
    assert (line["level"], line["exit_code"]) == ("error", 5)
    (usage,) = map(json.loads, scorer("rank", "--n", "x", "--log-json").stderr.splitlines())
    assert (usage["level"], usage["exit_code"]) == ("error", 2)
    assert line["remedy"]


def test_inspect_prints_every_field_of_the_contract(home: Path, tiny: Graph) -> None:
    result = scorer("inspect")
    assert result.exit_code == 0
    fields = {line[:15].strip(): line[15:] for line in result.stdout.splitlines()}
    assert fields["acquisition"] == "balentacq"
    assert fields["height"] == "8"
    assert fields["classes"] == "sky, road, car, tree, person"
    assert fields["colours"].startswith("#4682b4 ")
    assert len(fields["sha256"]) == 64
    assert result.stdout == scorer("inspect", "scorer.onnx").stdout
    assert "input          image: uint8 [B, 8, 12, 3]" in result.stdout.splitlines()
    assert "output         segmentation: int32 [B, 8, 12]" in result.stdout.splitlines()


def test_inspect_json_is_the_contract_itself(home: Path) -> None:
    result = scorer("inspect", "--json")
    assert result.stderr == ""
    contract = Contract.from_json(result.stdout, source="stdout")
    assert contract.to_json() + "\n" == result.stdout
    assert contract.top_k == 5


def _graph(home: Path, content: bytes) -> None:
    (home / "scorer.onnx").write_bytes(content)


def _labels(home: Path, *lines: str, header: str = "image,row,col,label") -> None:
    (home / "labels.csv").write_text("\n".join((header, *lines)) + "\n")


def _nothing(home: Path) -> None:
    pass


Arrange = Callable[[Path], object]

# what happened → (how it came to be, the command, exit code, what is said, what to do)
MISTAKES: dict[str, tuple[Arrange, str, int, str, str]] = {
    "pool is missing": (_nothing, "rank --pool nowhere", 5, "nowhere does not exist", "--pool"),
    "pool is empty": (
        lambda home: (home / "empty").mkdir(),
        "rank --pool empty", 5, "empty holds no images", r"looked for files ending in .*\.jpg",
    ),
    "pool is a file": (
        _nothing, "rank --pool labels.csv", 5, "labels.csv is neither a folder nor a .txt list",
        "give --pool a folder",
    ),
    "pool holds only broken images": (
        lambda home: photographs.broken(home / "bad", "text"),
        "rank --pool bad --n 1", 5, "none of the 1 images could be ranked: 1 not an image",
        r"each is named with its reason in ranking\.skipped\.csv",
    ),
    "graph is missing": (
        lambda home: (home / "scorer.onnx").unlink(),
        "rank", 5, "scorer.onnx does not exist", "python -m export onnx",
    ),
    "graph is missing for inspect": (
        _nothing, "inspect --graph no.onnx", 5, "no.onnx does not exist", "python -m export onnx",
    ),
    "graph is not ONNX": (
        lambda home: _graph(home, b"I am no graph at all"),
        "rank", 5, "scorer.onnx cannot be opened", "python -m export onnx",
    ),
    "graph is empty": (
        lambda home: _graph(home, b""),
        "inspect", 5, "scorer.onnx", "python -m export onnx",
    ),
    "graph is half a graph": (
        lambda home: _graph(home, (home / "scorer.onnx").read_bytes()[:700]),
        "rank", 5, "scorer.onnx cannot be opened", "python -m export onnx",
    ),
    "labels are missing": (
        _nothing, "rank --labels no.csv", 5, "no.csv does not exist", "image,row,col,label",
    ),
    "labels are of no kind": (
        _nothing, "rank --labels labels.xml", 5, "labels are read from .csv and .db files only",
        "scorer labels import",
    ),
    "no label store": (
        _nothing, "rank --labels labels.db", 5, "labels.db does not exist", "scorer serve",
    ),
    "labels have the wrong header": (
        lambda home: _labels(home, header="file,x,y,class"),
        "rank --labels labels.csv", 5, "labels.csv: no column named image, row, col, label",
        "in the first line: image,row,col,label",
    ),
    "labels have a bad row": (
        lambda home: _labels(home, "field/0000.png,two,3,road"),
        "rank --labels labels.csv", 5, "labels.csv line 2: row is 'two'", "whole number from 0 up",
    ),
    "labels name an unknown class": (
        lambda home: _labels(home, "field/0000.png,2,3,street"),
        "rank --labels labels.csv", 5, "labels.csv line 2: unknown label 'street'",
        "classes: 0 sky, 1 road, 2 car",
    ),
    "labels are for other images": (
        lambda home: _labels(home, "images/field/0000.png,2,3,road"),
        "rank --labels labels.csv", 5, "none of the 1 images that the labels name is in the pool",
        "paths below --pool",
    ),
    "n is larger than K": (
        _nothing, "rank --n 6", 5, "n is 6, this graph serves 1 to 5",
        "python -m export onnx --top 6",
    ),
    "n is zero": (_nothing, "rank --n 0", 2, "Invalid value for '--n'", "x>=1"),
    "n is a word": (_nothing, "rank --n five", 2, "Invalid value for '--n'", "not a valid int"),
    "seed is negative": (_nothing, "rank --seed -1", 2, "Invalid value for '--seed'", "x>=0"),
    "batch is too large": (_nothing, "rank --batch 999", 2, "'--batch'", "1<=x<=256"),
    "out says no format": (
        _nothing, "rank --out ranking.xlsx", 5, "is written as .csv, .jsonl, .parquet", "--out",
    ),
    "out lies below a file": (
        _nothing, "rank --n 1 --out labels.csv/ranking.csv", 6, "cannot write labels.csv/ranking",
        "choose another place for it",
    ),
    "out is a folder": (
        lambda home: (home / "taken.csv").mkdir(),
        "rank --n 1 --out taken.csv", 6, "cannot write taken.csv: it is a folder",
        "give --out a file name",
    ),
    "out may not be written": (
        _nothing, "rank --n 1 --out /proc/ranking.csv", 6, "cannot write /proc/ranking.csv",
        "choose another place for it",
    ),
    "pictures may not be written": (
        _nothing, "rank --n 1 --overlay labels.csv", 6, "cannot write labels.csv",
        "choose another place",
    ),
    "labels of a spreadsheet would be replaced": (
        lambda home: (home / "mine.csv").write_text("image;row;col;rank;Label\n"),
        "rank --n 1 --out mine.csv", 5, "mine.csv has a column of labels", "another name",
    ),
    "a ranking has a row that is too short": (
        lambda home: (home / "old.csv").write_text("image,row,col,rank,score\na.png,1,2,3\n"),
        "rank --n 1 --against old.csv", 5, "old.csv line 2 has 4 fields, the header 5", "again",
    ),
    "there is no such option": (
        _nothing, "rank --pol images", 2, "No such option", "--pool",
    ),
    "there is no such command": (_nothing, "rnk", 2, "No such command", "--help"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_every_mistake_has_a_message_a_remedy_and_its_exit_code(mistake: str, home: Path) -> None:
    arrange, command, exit_code, message, remedy = MISTAKES[mistake]
    arrange(home)
    result = scorer(*command.split())
    assert result.exit_code == exit_code, result.stderr
    assert message in result.stderr
    assert re.search(remedy, result.stderr)
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not (home / "ranking.csv").exists()


REFUSED_GRAPHS: dict[str, tuple[dict[str, object], str]] = {
    "no contract": ({"without": True}, "carries no balentacq.contract"),
    "a contract of another version": ({"version": 1}, "contract version 1, .* reads version 7"),
    "a contract that is no JSON": ({"text": "{"}, "contract cannot be read"),
    "a field too many": ({"extra": 1}, "lacks or adds fields"),
    "another size": ({"height": 32}, "do not fit its own contract"),
    "an acquisition that needs noise": ({"acquisition": "random"}, "do not fit its own contract"),
}


@pytest.mark.parametrize("command", ["rank", "inspect"])
@pytest.mark.parametrize("kind", REFUSED_GRAPHS)
def test_a_graph_whose_contract_does_not_hold_is_refused(
    kind: str, command: str, home: Path, edited: Graph
) -> None:
    changes, message = REFUSED_GRAPHS[kind]
    result = scorer(command, "--graph", edited(**changes))
    assert result.exit_code == 5, result.stderr
    assert re.search(message, result.stderr)
    assert "edited.onnx" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("changes", [{"text": "{"}, {"extra": 1}], ids=str)
def test_a_contract_that_is_refused_says_what_to_do(
    changes: dict[str, object], home: Path, edited: Graph
) -> None:
    assert "export" in scorer("inspect", "--graph", edited(**changes)).stderr.split("\n", 1)[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"top_k": 64},
        {"classes": ["sky"], "colours": [[0, 0, 0]]},
        {"classes": 5},
        {"acquisition": "guess"},
    ],
    ids=str,
)
def test_a_contract_that_lies_is_refused(
    changes: dict[str, object], home: Path, edited: Graph
) -> None:
    n = 20 if "top_k" in changes else 5
    result = scorer("rank", "--n", n, "--graph", edited(**changes))
    assert result.exit_code in (1, 5)


def test_pictures_from_a_graph_without_a_map_are_refused(home: Path, tiny: Graph) -> None:
    result = scorer("rank", "--graph", tiny(has_map=False), "--n", 1, "--overlay", "pictures")
    assert result.exit_code == 5
    assert "--map" in result.stderr


def test_a_graph_without_a_map_ranks(home: Path, tiny: Graph) -> None:
    scorer("rank", "--n", 2, "--min-distance", 0)
    with_map = list(ranking.read(home / "ranking.csv"))
    result = scorer("rank", "--n", 2, "--graph", tiny(has_map=False))
    assert result.exit_code == 0
    assert "pixels may lie side by side" in result.stderr
    without = list(ranking.read(home / "ranking.csv"))
    assert without == [row | {"nonnegative": None} for row in with_map]
    result = scorer("rank", "--n", 2, "--graph", tiny(has_map=False), "--min-distance", 3)
    assert result.exit_code == 5
    assert "python -m export onnx --map" in result.stderr


def test_a_label_outside_its_image_skips_that_image_only(home: Path) -> None:
    _labels(home, "field/0000.png,999,3,road", "city/0001.png,0,0,sky")
    result = scorer("rank", "--n", 2, "--labels", "labels.csv")
    assert result.exit_code == 4
    assert "1 label outside the image" in result.stderr
    assert "field/0000.png (row 999, col 3 in an image of 24x32)" in result.stderr
    assert len(list(ranking.read(home / "ranking.csv"))) == 10


def test_when_all_labels_lie_outside_the_remedy_is_about_labels(home: Path) -> None:
    lines = [
        f"{path.relative_to(home / 'images').as_posix()},999,0,sky"
        for path in (home / "images").rglob("*.png")
    ]
    _labels(home, *lines)
    result = scorer("rank", "--n", 2, "--labels", "labels.csv")
    assert result.exit_code == 5
    assert "must hold JPEG" not in result.stderr


def test_labels_that_match_no_image_are_counted(home: Path) -> None:
    _labels(home, "field/0000.png,2,3,road", "gone/0001.png,0,0,sky", "gone.png,0,0,sky")
    result = scorer("rank", "--n", 2, "--labels", "labels.csv")
    assert result.exit_code == 0
    assert "2 labelled images are not in the pool" in result.stderr


def test_labels_of_another_pool_are_refused(home: Path) -> None:
    _labels(home, "gone/0001.png,0,0,sky")
    result = scorer("rank", "--n", 2, "--labels", "labels.csv")
    assert result.exit_code == 5
    assert "'gone/0001.png', the pool 'city/0001.png'" in result.stderr
    assert "--pool" in result.stderr


def test_a_name_that_is_no_utf8_is_skipped_and_named(home: Path) -> None:
    photographs.noisy(1).save(home / "images" / "a.png")
    (home / "images" / "a.png").rename(home / "images" / "caf\udce9.png")
    result = scorer("rank", "--n", 1)
    assert result.exit_code == 4
    assert "1 file name is not UTF-8" in result.stderr
    assert r"caf\udce9.png" in (home / "ranking.skipped.csv").read_text()


def test_names_with_brackets_are_printed_as_they_are(home: Path) -> None:
    photographs.broken(home / "images", "text", "[red]odd[/red]")
    result = scorer("rank", "--n", 1)
    assert "[red]odd[/red].jpg" in result.stderr


@pytest.mark.parametrize("place", ["before", "after"])
def test_verbose_shows_the_traceback(place: str, home: Path) -> None:
    command = ["rank", "--pool", "nowhere"]
    command = ["--verbose", *command] if place == "before" else [*command, "--verbose"]
    result = scorer(*command)
    assert result.exit_code == 5
    assert "Traceback" in result.stderr
    assert "open_pool" in result.stderr
    assert "nowhere does not exist" in result.stderr


@pytest.mark.parametrize("command", [["--help"], ["rank", "-h"], ["inspect", "--help"]])
def test_help_goes_to_stdout(command: list[str]) -> None:
    result = scorer(*command)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage:")
    assert result.stderr == ""


def test_the_module_runs_as_a_program_and_a_closed_pipe_is_no_traceback(home: Path) -> None:
    photographs.photographs(home / "many", 300, height=3, width=4)
    code = [sys.executable, "-m", "scorer", "rank", "--pool", "many", "--n", "4", "--json"]
    with subprocess.Popen(
        code,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        words = process.stderr.read().decode()
    assert json.loads(first)["rank"] == 1
    assert "Traceback" not in words
    assert len(list(ranking.read(home / "ranking.csv"))) == 1200


def test_a_score_that_is_no_number_is_told_with_the_image(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import numpy as np

    from scorer.runtimes.cpu import OnnxRuntime, Scores

    run = OnnxRuntime.run

    def broken(self: OnnxRuntime, *arguments: object, **options: object) -> Scores:
        scores = run(self, *arguments, **options)  # type: ignore[arg-type]
        scores.score_map[:] = np.nan
        return scores

    monkeypatch.setattr(OnnxRuntime, "run", broken)
    result = scorer("rank", "--n", 1)
    assert result.exit_code == 1
    assert "city/0001.png: the graph gave a score that is not a number" in result.stderr
    assert not (home / "ranking.csv").exists()


def test_a_folder_of_other_things_is_not_written_into(home: Path) -> None:
    result = scorer("rank", "--n", 2, "--out", "images", "--no-resume")
    assert result.exit_code == 5
    assert "images is a folder with other files in it" in result.stderr


@pytest.mark.parametrize("command", ["rank", "segment", "serve"])
def test_the_pool_may_be_given_without_its_option(command: str, home: Path) -> None:
    assert scorer(command, "images", "--pool", "images").exit_code == 2
    missing = (
        scorer(command, "elsewhere", "--network", home / "n")
        if command == "segment"
        else scorer(command, "elsewhere")
    )
    assert missing.exit_code == 5


def test_a_pool_without_its_option_is_ranked(home: Path) -> None:
    assert scorer("rank").exit_code == 0
    before = (home / "ranking.csv").read_bytes()
    (home / "images").rename(home / "elsewhere")
    assert scorer("rank", "elsewhere").exit_code == 0
    assert (home / "ranking.csv").read_bytes() == before
