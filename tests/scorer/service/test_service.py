"""The annotation service: asked pixels out, answers into the store, and nobody else's business."""

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import photographs
import pytest
from application import answering, ranked, started
from fastapi.testclient import TestClient
from PIL import Image

from scorer import labels
from scorer.errors import BadInput, CannotWrite
from scorer.labels.answer import Answer
from scorer.labels.store import Store
from scorer.service.guard import is_loopback

Graph = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images").mkdir()
    photographs.photographs(tmp_path / "images", 4, height=50, width=70)
    photographs.broken(tmp_path / "images", "text")
    return tmp_path


@pytest.fixture
def client(folder: Path, tiny: Graph) -> Iterator[TestClient]:
    with answering(ranked(started(folder, tiny()))) as client:
        yield client


def asked(client: TestClient, annotator: str = "ann", count: int = 1) -> list[dict[str, Any]]:
    response = client.get("/v1/queue", params={"annotator": annotator, "count": count})
    assert response.status_code == 200
    return response.json()


def said(query: dict[str, Any], **changes: object) -> dict[str, object]:
    return {
        "image": query["image"], "row": query["row"], "col": query["col"], "answer": "label",
        "class_name": query["guess"], "annotator": "ann", "seconds": 0.5,
        "request": f"{query['image']}-{query['row']}-{query['col']}",
    } | changes  # fmt: skip


def test_answers_go_into_the_store_and_are_not_asked_again(
    client: TestClient, folder: Path, tiny: Graph
) -> None:
    classes = client.get("/v1/state").json()["classes"]
    answers: list[dict[str, object]] = [
        {}, {"answer": "unsure", "class_name": None}, {"answer": "skip", "class_name": None},
        {"class_name": classes[0]},
    ]  # fmt: skip
    places = []
    for changes in answers:
        (query,) = asked(client)
        assert client.post("/v1/labels", json=said(query, **changes)).status_code == 201
        places.append((query["image"], query["row"], query["col"]))
    assert len(set(places)) == 4
    read = labels.read(folder / "labels.db", classes)
    assert len(read) == 3, "a skipped pixel is no label"
    state = client.get("/v1/state").json()
    assert (state["pixels_left"], state["ranked"], state["skipped"]) == (8, 4, 1)
    assert 0 < state["nonnegative"] <= 1, "the map of the graph by hand is its brightness"
    again = ranked(started(folder, tiny()))
    assert again.rounds.number == 1, "the same graph, the same round"
    assert not {query.pixel for query in again.queue.next("ann", 20)} & {*places[:2], places[3]}
    again.stop()


def test_undo_asks_the_pixel_again(client: TestClient, folder: Path) -> None:
    first, second = asked(client, count=2)
    client.post("/v1/labels", json=said(first))
    undo = {"annotator": "ann", "request": "u"}
    assert client.post("/v1/undo", json=undo).json() == {"undone": True, "query": first}
    assert asked(client, count=2) == [first, second]
    assert client.post("/v1/undo", json={"annotator": "ann", "request": "v"}).json() == {
        "undone": False,
        "query": None,
    }
    client.post("/v1/labels", json=said(first, request="again"))
    assert client.post("/v1/undo", json=undo).json()["query"] == first, "told again"
    assert asked(client, count=2)[0] == second, "and not done again"


def test_the_same_request_is_one_answer(client: TestClient, folder: Path) -> None:
    (query,) = asked(client)
    ids = [client.post("/v1/labels", json=said(query)).json()["id"] for _ in range(2)]
    assert ids[0] == ids[1]
    again = said(query, class_name=None, answer="unsure")
    assert client.post("/v1/labels", json=again).status_code == 400, "another answer"


def test_an_answer_that_comes_again_after_it_was_taken_back_closes_nothing(
    client: TestClient,
) -> None:
    (query,) = asked(client)
    client.post("/v1/labels", json=said(query))
    client.post("/v1/undo", json={"annotator": "ann", "request": "u"})
    client.post("/v1/labels", json=said(query))
    assert asked(client) == [query]
    assert "balentacq_answers_total 1.0" in client.get("/metrics").text


def test_a_ranking_that_failed_is_begun_anew_by_a_reload(folder: Path, tiny: Graph) -> None:
    annotation = ranked(started(folder, tiny()))
    with answering(annotation) as client:
        annotation.rounds.failure = "the disk was away"
        assert client.post("/v1/reload").json()["changed"]
        ranked(annotation)
        assert client.get("/v1/state").json()["failure"] is None
        assert len(asked(client, count=20)) == 12


def filler(number: int) -> Answer:
    """A short row of the store."""
    return Answer(
        image="x", row=0, col=0, height=9, width=9, grid_height=9, grid_width=9, answer="skip",
        class_name=None, round=1, annotator="x", seconds=0.0, time="t", request=f"{number}",
    )  # fmt: skip


def test_a_full_disk_is_told_and_the_pixel_is_kept(folder: Path, tiny: Graph) -> None:
    annotation = ranked(started(folder, tiny()))
    with answering(annotation) as client:
        (query,) = asked(client, "a" * 100)
        annotation.store._database.execute("PRAGMA max_page_count = 1")
        with suppress(CannotWrite):
            for number in range(500):  # until the last page is full, with less than what comes next
                annotation.store.add(filler(number))
        response = client.post("/v1/labels", json=said(query, annotator="a" * 100, request="r"))
        assert response.status_code == 503
        assert "labels.db: database or disk is full" in response.json()["detail"]
        assert asked(client, "a" * 100) == [query]


def test_two_annotators_never_get_the_same_pixel(client: TestClient) -> None:
    (mine,), (other,) = asked(client, "ann"), asked(client, "bob")
    assert mine != other
    response = client.post("/v1/labels", json=said(mine, annotator="bob"))
    assert response.status_code == 409


def test_pictures_are_upright_and_at_their_own_size(client: TestClient) -> None:
    name = asked(client)[0]["image"]
    photograph = client.get("/v1/photograph", params={"image": name})
    assert photograph.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(photograph.content)).size == (70, 50)
    uncertainty = client.get("/v1/map", params={"image": name})
    assert Image.open(io.BytesIO(uncertainty.content)).format == "PNG"
    classes = client.get("/v1/segmentation", params={"image": name})
    colours = {colour for _, colour in Image.open(io.BytesIO(classes.content)).getcolors() or []}
    known = client.get("/v1/state").json()["colours"]
    assert {"#{:02x}{:02x}{:02x}".format(*colour) for colour in colours} <= set(known)


NAMES = (
    "../labels.db", "/etc/passwd", "..%2flabels.db", "images/../../x", "text.jpg\0", "no.jpg",
    "\\x", "file:///etc/passwd",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["photograph", "map", "segmentation"])
def test_no_path_leaves_the_pool(kind: str, name: str, client: TestClient, folder: Path) -> None:
    response = client.get(f"/v1/{kind}", params={"image": name})
    assert response.status_code == 404


def test_a_link_out_of_the_pool_is_not_followed(folder: Path, tiny: Graph) -> None:
    Image.new("RGB", (30, 20)).save(folder / "secret.png")
    (folder / "images" / "link.png").symlink_to(folder / "secret.png")
    with answering(ranked(started(folder, tiny()))) as client:
        response = client.get("/v1/photograph", params={"image": "link.png"})
    assert response.status_code == 404


def test_a_pool_in_a_tar_file_is_asked_and_shown(folder: Path, tiny: Graph) -> None:
    with tarfile.open(folder / "pool.tar", "w") as file:
        file.add(folder / "images", arcname="")
    with answering(ranked(started(folder, tiny(), pool="pool.tar"))) as client:
        (query, *_) = asked(client)
        assert query["image"].startswith("pool.tar/")
        shown = client.get("/v1/photograph", params={"image": query["image"]})
        with Image.open(io.BytesIO(shown.content)) as picture:
            assert picture.size == (query["width"], query["height"])
        classes = client.get("/v1/segmentation", params={"image": query["image"]})
    assert (shown.status_code, classes.status_code) == (200, 200)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"row": -1}, 422), ({"row": "0"}, 422), ({"row": 1.5}, 422), ({"row": 10**9}, 422),
        ({"row": True}, 422), ({"answer": "maybe"}, 422), ({"answer": "unsure"}, 422),
        ({"class_name": "no such"}, 422), ({"class_name": None}, 422), ({"image": "no.jpg"}, 404),
        ({"row": 49, "col": 69}, 404), ({"annotator": ""}, 422), ({"annotator": "a" * 101}, 422),
        ({"seconds": -1}, 422), ({"seconds": "nan"}, 422), ({"more": 1}, 422),
        ({"image": ["a"]}, 422), ({"request": ""}, 422),
    ],
)  # fmt: skip
def test_an_answer_that_makes_no_sense_is_refused(
    changes: dict[str, object], status: int, client: TestClient, folder: Path
) -> None:
    (query,) = asked(client)
    assert client.post("/v1/labels", json=said(query, **changes)).status_code == status
    assert (
        list(Store(folder / "labels.db", client.get("/v1/state").json()["classes"]).history()) == []
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"headers": {"host": "evil.example"}}, 400),
        ({"headers": {"origin": "https://evil.example"}}, 403),
        ({"headers": {"origin": "null"}}, 403),
        ({"headers": {"sec-fetch-site": "cross-site"}}, 403),
        ({"content": b"x" * 70_000}, 413),
        ({"content": b"{not json", "headers": {"content-type": "application/json"}}, 422),
        ({"content": b"{}", "headers": {"content-type": "text/plain"}}, 422),
        ({"content": b"[" * 60_000, "headers": {"content-type": "application/json"}}, 400),
        ({"content": iter([b"{}"])}, 411),
        (
            {
                "content": b'{"annotator": "\\ud800", "request": "r"}',
                "headers": {"content-type": "application/json"},
            },
            422,
        ),
    ],
)
def test_hostile_requests_are_refused(
    arguments: dict[str, Any], status: int, client: TestClient
) -> None:
    assert client.post("/v1/undo", **arguments).status_code == status


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.2"])
def test_this_machines_own_names_are_answered(host: str, client: TestClient) -> None:
    assert is_loopback(host.strip("[]"))
    assert client.get("/v1/state", headers={"host": f"{host}:8000"}).status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "localhost.evil", "1", "", "10.0.0.1", "[", "é"])
def test_other_names_are_not(host: str, client: TestClient) -> None:
    assert not is_loopback(host)
    headers = [(b"host", host.encode())]
    assert client.get("/v1/state", headers=headers).status_code == 400


def test_every_answer_forbids_foreign_scripts(client: TestClient) -> None:
    for address, host in (
        ("/", "localhost"), ("/page.js", "localhost"), ("/v1/state", "localhost"),
        ("/v1/none", "localhost"), ("/docs", "localhost"), ("/", "evil.example"),
    ):  # fmt: skip
        headers = client.get(address, headers={"host": host}).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_another_host_needs_the_token(folder: Path, tiny: Graph) -> None:
    with answering(ranked(started(folder, tiny())), host="http://far", token="secret") as client:
        assert client.get("/").status_code == 401
        assert client.get("/?token=wrong").status_code == 401
        assert client.get("/v1/state", headers={"authorization": "Bearer no"}).status_code == 401
        assert (
            client.get("/v1/state", headers={"authorization": "Bearer secret"}).status_code == 200
        )
        assert client.get("/?token=secret").status_code == 200
        assert client.get("/v1/state").status_code == 200, "the page has it as a cookie"


def test_a_proxy_with_tls_may_stand_in_front(folder: Path, tiny: Graph) -> None:
    with answering(ranked(started(folder, tiny())), host="http://far", token="secret") as client:
        headers = {"authorization": "Bearer secret", "origin": "https://far"}
        undo = {"annotator": "ann", "request": "u"}
        assert client.post("/v1/undo", json=undo, headers=headers).status_code == 200


def test_a_page_of_another_site_takes_no_pixels(client: TestClient) -> None:
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    params = {"annotator": "evil", "count": 20}
    assert client.get("/v1/queue", params=params, headers=headers).status_code == 403
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/v1/queue", params=params, headers=followed).status_code == 403
    assert client.get("/", headers=followed).status_code == 200, "a link to the page is followed"


def test_who_comes_late_overrules_nobody(client: TestClient) -> None:
    (query,) = asked(client)
    assert client.post("/v1/labels", json=said(query)).status_code == 201
    late = said(query, annotator="bob", request="late")
    answer = client.post("/v1/labels", json=late)
    assert (answer.status_code, answer.json()["detail"]) == (409, "this pixel is answered")
    assert client.post("/v1/labels", json=said(query)).status_code == 201, "the same, again"


def test_a_picture_is_kept_until_its_file_changes(client: TestClient, folder: Path) -> None:
    name = asked(client)[0]["image"]
    first = client.get("/v1/photograph", params={"image": name})
    headers = {"if-none-match": first.headers["etag"]}
    assert client.get("/v1/photograph", params={"image": name}, headers=headers).status_code == 304
    with Image.open(folder / "images" / name) as image:
        Image.new("RGB", image.size, "red").save(folder / "images" / name, image.format)
    second = client.get("/v1/photograph", params={"image": name}, headers=headers)
    assert second.status_code == 200
    assert second.content != first.content


def test_a_restart_asks_for_no_more_than_n_of_an_image(folder: Path, tiny: Graph) -> None:
    with answering(ranked(started(folder, tiny(), n=3))) as client:
        first = asked(client, count=2)
        for number, query in enumerate(first):
            client.post("/v1/labels", json=said(query, request=str(number)))
        left = client.get("/v1/state").json()["pixels_left"]
    assert len({query["image"] for query in first}) == 1
    with answering(ranked(started(folder, tiny(), n=3))) as client:
        assert client.get("/v1/state").json()["pixels_left"] == left
        assert client.get("/v1/state").json()["round"] == 1


def test_what_the_graph_does_not_serve_is_refused_at_the_start(folder: Path, tiny: Graph) -> None:
    with pytest.raises(BadInput, match="n is 99"):
        started(folder, tiny(), n=99)


def test_what_fails_unforeseen_is_an_answer_with_all_headers(folder: Path, tiny: Graph) -> None:
    annotation = ranked(started(folder, tiny()))
    annotation.answers.undo = lambda *_: 1 / 0  # type: ignore[method-assign, assignment, return-value]
    with answering(annotation) as client:
        told = TestClient(client.app, base_url="http://127.0.0.1", raise_server_exceptions=False)
        answer = told.post("/v1/undo", json={"annotator": "ann", "request": "r"})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "the service failed: its log says why"}
    assert "default-src 'none'" in answer.headers["content-security-policy"]
