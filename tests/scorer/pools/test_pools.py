"""Images give the same ranking wherever they lie: folders, lists, tar, Parquet, servers."""

import csv
import io
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import photographs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from scorer.errors import BadImage, BadPool, Failure
from scorer.images.photograph import size
from scorer.pools import Entry, list_pool, listing, open_pool
from scorer.pools.files import Files
from scorer.pools.folder import Folder
from scorer.pools.remote import Remote
from scorer.ranking import table as ranking
from scorer.ranking.job import RankOptions, Run, rank_to_file
from scorer.ranking.observer import Observer
from scorer.ranking.shard import Criteria
from scorer.runtimes.cpu import OnnxRuntime

Graph = Callable[..., Path]
OPTIONS = RankOptions(criteria=Criteria(n=3), shard=4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve images in two folders and names whose order depends on what a slash counts."""
    found = tmp_path / "images"
    photographs.photographs(found, 9)
    for name in ("city.png", "city-2/a.png", "city/z.png"):
        (found / name).parent.mkdir(exist_ok=True)
        photographs.noisy(len(name)).save(found / name)
    return found


def ranked(where: object, graph: Path, out: Path, options: RankOptions = OPTIONS) -> list[Any]:
    """What is asked for, without the names."""
    rank_to_file(Run(OnnxRuntime(graph, workers=1), open_pool(str(where)), out, options))
    rows = [{**row, "image": ""} for row in ranking.read(out)]
    return sorted(rows, key=lambda row: (row["score"], row["row"], row["col"]))


def names(where: object) -> list[str]:
    return [entry.name for entry in open_pool(str(where)).entries()]


def test_a_folder_is_listed_in_the_order_of_whole_names(folder: Path) -> None:
    found = names(folder)
    assert found == sorted(found)
    assert len(found) == 12
    assert found.index("city-2/a.png") < found.index("city.png") < found.index("city/0001.png")


def test_entries_say_what_changes(folder: Path) -> None:
    before = {entry.name: entry for entry in Folder(folder).entries()}
    photographs.noisy(77, 9, 9).save(folder / "city.png")
    after = {entry.name: entry for entry in Folder(folder).entries()}
    changed = [name for name in before if before[name] != after[name]]
    assert changed == ["city.png"]


def tar(folder: Path, path: Path) -> None:
    with tarfile.open(path, "w") as file:
        for one in sorted(folder.rglob("*.png")):
            name = one.relative_to(folder).as_posix()
            file.add(one, name)
            label = tarfile.TarInfo(name.replace(".png", ".cls"))
            label.size = 1
            file.addfile(label, io.BytesIO(b"3"))


@pytest.mark.parametrize("where", ["one.tar", ""])
def test_tar_files_are_read_where_they_lie(
    where: str, folder: Path, tiny: Graph, tmp_path: Path
) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    tar(folder, shards / "one.tar")
    expected = ranked(folder, tiny(), tmp_path / "a.csv")
    assert ranked(shards / where, tiny(), tmp_path / "b.csv") == expected
    assert names(shards)[0] == "one.tar/city-2/a.png"
    assert len(names(shards)) == 12, "labels are no images"


@pytest.mark.parametrize("damage", [b"", b"no tar", None])
def test_a_tar_file_that_cannot_be_read_is_named(
    damage: bytes | None, folder: Path, tmp_path: Path
) -> None:
    path = tmp_path / "bad.tar"
    tar(folder, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:700] if damage is None else damage)
    with pytest.raises(BadPool, match=r"bad\.tar"):
        list(open_pool(str(path)).entries())


def test_members_of_a_tar_file_are_named_as_files_are(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as file:
        for name in ("./b/../c.png", "._c.png", "d/.hidden/e.png", "./f.png"):
            file.addfile(tarfile.TarInfo(name))
    assert names(tmp_path / "a.tar") == ["a.tar/c.png", "a.tar/f.png"]


def table(folder: Path, path: Path, kind: str) -> None:
    files = sorted(folder.rglob("*.png"))
    content: list[Any] = [one.read_bytes() for one in files]
    if kind == "hugging face":
        content = [{"bytes": one, "path": "x.png"} for one in content]
    columns = {"image": content, "caption": [one.name for one in files]}
    if kind == "named":
        columns["id"] = [one.relative_to(folder).as_posix() for one in files]
    pq.write_table(pa.table(columns), path, row_group_size=5)


@pytest.mark.parametrize("kind", ["plain", "named", "hugging face"])
def test_a_parquet_file_with_images_is_read(
    kind: str, folder: Path, tiny: Graph, tmp_path: Path
) -> None:
    path = tmp_path / "photographs.parquet"
    table(folder, path, kind)
    expected = ranked(folder, tiny(), tmp_path / "a.csv")
    assert ranked(path, tiny(), tmp_path / "b.csv") == expected
    first = "city/0001.png" if kind == "named" else "000000000"
    assert names(path)[0] == f"photographs.parquet/{first}"


def test_a_table_that_changes_or_goes_away_is_noticed(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "my photographs.parquet"
    columns = {"my image": [b"before"], "id": pa.array(["a"], pa.large_string())}
    pq.write_table(pa.table(columns), path)
    pool = open_pool(str(path))
    (entry,) = pool.entries()
    assert (entry.name, pool.read(entry)) == ("my photographs.parquet/a", b"before")
    pq.write_table(pa.table(columns | {"my image": [b"after"]}), path)
    (entry,) = pool.entries()
    assert pool.read(entry) == b"after"
    content = path.read_bytes()
    path.write_bytes(b"x" * len(content))
    with pytest.raises(BadImage, match="corrupt"):
        pool.read(entry._replace(mark="later"))
    path.unlink()
    with pytest.raises(BadImage, match="vanished"):
        pool.read(entry._replace(mark="later still"))


def test_a_parquet_file_without_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "captions.parquet"
    pq.write_table(pa.table({"caption": ["a"]}), path)
    with pytest.raises(BadPool, match="0 columns of bytes"):
        list(open_pool(str(path)).entries())


def packed_as(kind: str, folder: Path, place: Path) -> Path:
    """The images of a folder as a pool of another kind."""
    if kind == "tar":
        tar(folder, place / "a.tar")
    elif kind == "table":
        table(folder, place / "a.parquet", "bytes")
    elif kind == "list":
        paths = [str(folder / name) for name in names(folder)]
        (place / "list.txt").write_text("\n".join(paths))
        return place / "list.txt"
    else:
        return folder
    return place


@pytest.mark.parametrize("kind", ["folder", "list", "tar", "table"])
def test_an_image_is_found_by_its_name_in_every_kind_of_pool(
    kind: str, folder: Path, tmp_path: Path
) -> None:
    place = tmp_path / "packed"
    place.mkdir()
    pool = list_pool(packed_as(kind, folder, place))
    assert pool.names == tuple(names(pool.where))
    assert len(pool) == 12
    sizes = sorted(size(pool.image(name)) for name in pool.names)
    assert sizes == sorted(size(folder / name) for name in names(folder))
    few = pool.only(pool.names[3:5])
    assert [entry.name for entry in few.entries()] == list(pool.names[3:5])
    with pytest.raises(KeyError):
        few.image(pool.names[0])


@pytest.mark.parametrize("kind", ["folder", "list", "tar", "table"])
def test_a_pool_is_the_same_from_another_folder(
    kind: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "packed"
    place.mkdir()
    where = packed_as(kind, folder, place)
    monkeypatch.chdir(tmp_path)
    pool = list_pool(where.relative_to(tmp_path)).absolute()
    monkeypatch.chdir("/")
    assert len({size(pool.image(name)) for name in pool.names}) >= 1
    assert [pool.now(one) for one in pool.entries()] == list(pool.entries())


def test_a_missing_value_in_a_table_is_a_bad_image(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"image": pa.array([None, b"x"], pa.binary())}), path)
    pool = open_pool(str(path))
    with pytest.raises(BadImage, match="empty file"):
        pool.read(next(iter(pool.entries())))


@pytest.mark.parametrize("name", ["nowhere", "note.pdf"])
def test_what_is_no_pool_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "note.pdf").write_bytes(b"x")
    with pytest.raises(BadPool, match=name):
        open_pool(str(tmp_path / name))


def test_an_empty_folder_is_named(tiny: Graph, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadPool, match="empty holds no images"):
        ranked(tmp_path / "empty", tiny(), tmp_path / "r.csv")


@pytest.fixture
def web(folder: Path) -> Iterator[str]:
    with answering(partial(SimpleHTTPRequestHandler, directory=folder)) as address:
        yield address


@contextmanager
def answering(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address of a server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_list_may_hold_urls_beside_paths(
    web: str, folder: Path, tiny: Graph, tmp_path: Path
) -> None:
    paths = sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*.png"))
    listed = tmp_path / "list.txt"
    lines = [f"{web}/{one}" if place % 2 else f"images/{one}" for place, one in enumerate(paths)]
    listed.write_text("\n".join([*lines, f"{web}/none.png"]))
    expected = ranked(folder, tiny(), tmp_path / "a.csv")
    assert ranked(listed, tiny(), tmp_path / "b.csv") == expected
    assert "none.png,vanished" in (tmp_path / "b.skipped.csv").read_text()


class Refusing(BaseHTTPRequestHandler):
    """Answers with the status that the path begins with; an S3 error has its code in XML."""

    def do_GET(self) -> None:
        status = int(self.path.split("/")[1])
        content = b"<Error><Code>ExpiredToken</Code><Message>old</Message></Error>"
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET  # noqa: N815  # the server's name for it

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    with answering(Refusing) as address:
        yield address


def test_dead_urls_of_a_list_end_no_run(
    refusing: str, folder: Path, tiny: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_PATIENCE_S", 0.5)
    dead = {
        f"{refusing}/403/a.png": "permission denied", f"{refusing}/410/a.png": "vanished",
        f"{refusing}/418/a.png": "unreachable", f"{refusing}/500/a.png": "unreachable",
        "http://no.such.host.invalid/a.png": "unreachable", "http://[bad/a.png": "not an address",
        "http://localhost:99999/a.png": "not an address", "foo://bar/a.png": "not an address",
    }  # fmt: skip
    (tmp_path / "list.txt").write_text("\n".join([*dead, "images/city.png"]))
    rank_to_file(Run(
        OnnxRuntime(tiny(), workers=8), open_pool(str(tmp_path / "list.txt")),
        tmp_path / "a.csv", OPTIONS,
    ))  # fmt: skip
    with (tmp_path / "a.skipped.csv").open() as file:
        assert {row["image"]: row["reason"] for row in csv.DictReader(file)} == dead


def test_credentials_that_expired_end_the_run(
    refusing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("s3fs", reason="pip install 'balentacq[cloud]'")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    import fsspec.config

    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": refusing})
    with pytest.raises(Failure, match=r"refuses these credentials: ExpiredToken") as caught:
        Files("s3://400/folder").read("a.png", 10)
    assert not isinstance(caught.value, BadImage)
    with pytest.raises(Failure, match="refuses these credentials: 401"):
        Files(f"{refusing}/401").read("a.png", 10)


class Bucket:
    """A server that speaks S3; stopped and started again, it has what it held."""

    def __init__(self, folder: Path) -> None:
        import boto3
        from moto.server import ThreadedMotoServer

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
        self.start()
        self.url = f"http://127.0.0.1:{port}"
        client = boto3.client("s3", endpoint_url=self.url, region_name="us-east-1")
        client.create_bucket(Bucket="pool")
        for one in sorted(folder.rglob("*.png")):
            key = f"photographs/{one.relative_to(folder).as_posix()}"
            client.upload_file(one, "pool", key)
        tar(folder, folder.parent / "one.tar")
        client.upload_file(folder.parent / "one.tar", "pool", "tar/one.tar")
        table(folder, folder.parent / "photographs.parquet", "plain")
        client.upload_file(
            folder.parent / "photographs.parquet", "pool", "tables/photographs.parquet"
        )

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()
        self.server._server.server_close()  # or the system goes on to take connections


@pytest.fixture
def bucket(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    pytest.importorskip("s3fs", reason="pip install 'balentacq[cloud]'")
    pytest.importorskip("moto", reason="pip install moto[server]")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    made = Bucket(folder)
    monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", made.url)
    import fsspec.config

    fsspec.config.set_conf_env(fsspec.config.conf)
    yield made
    fsspec.config.conf.pop("s3", None)
    made.stop()


S3 = "s3://pool/photographs"


def test_a_bucket_is_ranked_as_a_folder_is(
    bucket: Bucket, folder: Path, tiny: Graph, tmp_path: Path
) -> None:
    rank_to_file(Run(OnnxRuntime(tiny(), workers=2), open_pool(S3), tmp_path / "a.csv", OPTIONS))
    rank_to_file(Run(OnnxRuntime(tiny(), workers=2), Folder(folder), tmp_path / "b.csv", OPTIONS))
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    pool = open_pool(S3)
    assert isinstance(pool, Remote)
    assert all(entry.mark and entry.size > 0 for entry in pool.entries())
    with pytest.raises(BadImage, match="vanished"):
        pool.read(Entry("none.png", "", 1, ""))
    with pytest.raises(BadPool, match="s3://nowhere"):
        list(open_pool("s3://nowhere/at/all").entries())


@pytest.mark.parametrize("where", ["tar", "tar/one.tar", "tables", "list.txt"])
def test_a_bucket_holds_what_a_folder_can(
    where: str, bucket: Bucket, folder: Path, tiny: Graph, tmp_path: Path
) -> None:
    place = f"s3://pool/{where}"
    if where == "list.txt":
        place = str(tmp_path / where)
        urls = [f"{S3}/{name}" for name in Folder(folder).names()]
        (tmp_path / where).write_text("\n".join(urls))
    expected = ranked(folder, tiny(), tmp_path / "a.csv")
    assert ranked(place, tiny(), tmp_path / "b.csv") == expected


@contextmanager
def away(bucket: Bucket, seconds: float) -> Iterator[None]:
    """The server does not answer for a while."""

    def come_again() -> None:
        time.sleep(seconds)
        bucket.start()

    bucket.stop()
    thread = threading.Thread(target=come_again)
    thread.start()
    yield
    thread.join()


def test_a_server_that_is_away_for_a_while_does_not_end_a_run(
    bucket: Bucket, folder: Path, tiny: Graph, tmp_path: Path
) -> None:
    class Stopping(Observer):
        stopped = False

        def scored(self, images: int) -> None:
            if images >= 4 and not self.stopped:
                self.stopped = True
                stack.enter_context(away(bucket, 10))

    out, listener = tmp_path / "a.csv", Stopping()
    with ExitStack() as stack:
        runtime = OnnxRuntime(tiny(), workers=1)
        summary = rank_to_file(Run(runtime, open_pool(S3), out, OPTIONS, listener))
    assert listener.stopped
    assert summary.skipped == 0
    rank_to_file(Run(OnnxRuntime(tiny(), workers=1), Folder(folder), tmp_path / "b.csv", OPTIONS))
    assert out.read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_server_that_stays_away_ends_it_and_the_same_command_goes_on(
    bucket: Bucket, tiny: Graph, tmp_path: Path
) -> None:
    pool = Remote(Files(S3, patience_s=1.0))
    entries = list(pool.entries())
    bucket.stop()
    with pytest.raises(Failure, match="cannot read s3://pool/photographs/"):
        pool.read(entries[0])
    bucket.start()
    assert pool.read(entries[0])


def test_a_place_that_needs_a_package_says_which() -> None:
    with pytest.raises(Failure, match="gs://"):
        open_pool("gs://bucket/folder")


def test_a_place_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadPool, match="nothing://"):
        open_pool("nothing://bucket/folder")
