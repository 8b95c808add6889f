"""The routes of the annotation page: questions, answers, and pictures."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from scorer.errors import BadImage, BadInput
from scorer.images.colours import hexadecimal
from scorer.labels.answer import AUDIT
from scorer.service.annotation import Annotation
from scorer.service.answers import Conflict
from scorer.service.queue import Query

_ANNOTATION: list[Any] = ["annotation"]  # tags
_PAINTERS = 4  # pictures generated at a time
# Pictures are revalidated on every use: the file or the graph may have changed.
_ASK_AGAIN = {"Cache-Control": "private, no-cache"}
_PICTURE_CODES: dict[int | str, dict[str, Any]] = {
    404: {"description": "No such image in the pool, or it cannot be shown."}
}

_SAME = ("image", "row", "col", "answer", "class_name", "annotator")

Name = Annotated[str, Field(min_length=1, max_length=100)]
Annotator = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
Text = Annotated[str, Field(min_length=1, max_length=4096)]
Index = Annotated[int, Field(ge=0, le=10**6)]


class AnswerRequest(BaseModel):
    """An answer of the page. request: its id, so that repeated transmissions are stored once. free:
    whether the annotator chose the pixel.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    image: Text
    row: Index
    col: Index
    answer: Literal["label", "unsure", "skip"]
    class_name: Name | None = None
    annotator: Annotator
    seconds: Annotated[float, Field(ge=0, le=10**6, strict=False)]
    request: Name
    free: bool = False


class UndoRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    annotator: Annotator
    request: Name


class ClassRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class SecondLookRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    annotator: Annotator


def add(app: FastAPI, annotation: Annotation) -> None:
    """Add the routes to an application."""
    _add_state(app, annotation)
    _add_answers(app, annotation)
    _add_requests(app, annotation)
    _add_pictures(app, annotation)


def _add_state(app: FastAPI, annotation: Annotation) -> None:
    rounds = annotation.rounds

    @app.get("/v1/state", tags=_ANNOTATION)
    def state() -> dict[str, Any]:
        """Classes, progress, and the graph that chooses pixels."""
        pixels, images = annotation.queue.left()
        contract = rounds.runtime.contract
        return {
            "classes": annotation.store.classes,
            "colours": [hexadecimal(colour) for colour in annotation.colours],
            "grows": annotation.store.grows,
            "graph": contract.sha256,
            "acquisition": contract.acquisition,
            "has_map": contract.has_map,
            "started": annotation.answers.started,
            "round": rounds.number,
            "images": len(annotation.pool),
            "ranked": rounds.ranked,
            "skipped": rounds.skipped,
            "nonnegative": rounds.nonnegative,
            "failure": rounds.failure,
            "network": contract.network,
            "guesses_right": annotation.guesses.right,
            "learned": annotation.progress.state(),
            "answers": annotation.store.count(),
            "just_in_time": rounds.ahead is not None,
            "second_looks": len(annotation.second_looks.open()),
            "pixels_left": pixels,
            "images_left": images,
            "pool_ranked": rounds.is_ranked,
        }

    @app.get("/v1/curve", tags=_ANNOTATION)
    def curve() -> list[dict[str, float | str | None]]:
        """A point per model of a live session: its accuracy, over its number of training labels."""
        return annotation.progress.curve()

    @app.get("/v1/queue", tags=_ANNOTATION)
    def queue(
        annotator: Annotator, count: Annotated[int, Field(ge=1, le=20)] = 2
    ) -> list[dict[str, Any]]:
        """The next pixels for an annotator, reserved until they answer or are inactive for too
        long.
        """
        return [_shown(annotation, one) for one in annotation.queue.next(annotator, count)]


def _add_answers(app: FastAPI, annotation: Annotation) -> None:
    @app.post("/v1/labels", status_code=201, tags=_ANNOTATION)
    def label(request: AnswerRequest) -> dict[str, int]:
        """Store an answer; it is on the disk when the response is sent."""
        if (request.answer == "label") != (request.class_name is not None):
            raise HTTPException(422, "a class goes with the answer label, and with no other")
        if request.class_name is not None and request.class_name not in annotation.store.classes:
            raise HTTPException(422, "no such class")
        if (number := _received(annotation, request)) is not None:
            return {"id": number}
        query = annotation.queue.find((request.image, request.row, request.col))
        if query is None and request.free:
            query = _free(annotation, request)
        if query is None:
            raise HTTPException(404, "this pixel was not asked for")
        try:
            number = annotation.answers.add(
                query,
                answer=request.answer,
                class_name=request.class_name,
                annotator=request.annotator,
                seconds=request.seconds,
                request=request.request,
            )
        except Conflict as taken:
            raise HTTPException(409, str(taken)) from taken
        annotation.answered(query, request.annotator)
        return {"id": number}

    @app.post("/v1/undo", tags=_ANNOTATION)
    def undo(request: UndoRequest) -> dict[str, Any]:
        """Retract an annotator's last answer; the pixel is asked for again, if it is in this
        pool.
        """
        undone = annotation.answers.undo(request.annotator, request.request)
        query = undone and undone[1]
        return {"undone": undone is not None, "query": query and _shown(annotation, query)}


def _add_requests(app: FastAPI, annotation: Annotation) -> None:
    @app.post("/v1/classes", status_code=201, tags=_ANNOTATION)
    def add_class(request: ClassRequest) -> dict[str, Any]:
        """Add a class: it can be answered from now on, and is trained."""
        try:
            annotation.store.add_class(request.name)
        except BadInput as error:
            raise HTTPException(409, str(error)) from error
        return {"classes": annotation.store.classes}

    @app.post("/v1/second-look", tags=_ANNOTATION)
    def second_look(request: SecondLookRequest) -> dict[str, int]:
        """Show an annotator answers that the model contradicts, before other questions; returns
        their number.
        """
        return {"shown": annotation.second_look(request.annotator)}


def _shown(annotation: Annotation, query: Query) -> dict[str, Any]:
    """A question for the page. Guesses are left out until they are reliable, and for audit
    questions, whose answers they would bias. In a review they are the earlier answer, and the
    model's class.
    """
    is_again = query.reviews is not None
    is_offered = is_again or (annotation.guesses.offered and query.source != AUDIT)
    return asdict(query) | ({} if is_offered else {"guess": "", "guesses": ()})


def _received(annotation: Annotation, request: AnswerRequest) -> int | None:
    """The number of an answer that was sent before, if its receipt was lost; None for a new one."""
    found = annotation.store.received(request.request)
    if found is None:
        return None
    number, answer = found
    if any(getattr(answer, name) != getattr(request, name) for name in _SAME):
        raise HTTPException(400, "this request was another answer")
    return number


def _free(annotation: Annotation, request: AnswerRequest) -> Query:
    try:
        return annotation.free(request.image, request.row, request.col)
    except (BadImage, BadInput) as error:
        raise HTTPException(404, str(error)) from error


def _add_pictures(app: FastAPI, annotation: Annotation) -> None:
    # limited, because decoding needs much memory, and must not block other requests
    few = CapacityLimiter(_PAINTERS)

    async def shown(read: Callable[[str], bytes], image: str, kind: str) -> Response:
        try:
            content = await anyio.to_thread.run_sync(read, image, limiter=few)
        except (BadImage, BadInput) as error:
            raise HTTPException(404, f"{image} cannot be shown: {error}") from error
        return Response(content, media_type=kind, headers=_ASK_AGAIN)

    @app.get("/v1/photograph", tags=_ANNOTATION, responses=_PICTURE_CODES)
    async def photograph(
        image: Text, if_none_match: Annotated[str | None, Header()] = None
    ) -> Response:
        """An image of the pool as JPEG, upright, at its own size."""
        try:
            tag = f'"{annotation.pictures.mark(image)}"'
        except BadInput as error:
            raise HTTPException(404, str(error)) from error
        if if_none_match == tag:
            return Response(status_code=304, headers=_ASK_AGAIN | {"ETag": tag})
        answer = await shown(annotation.pictures.photograph, image, "image/jpeg")
        answer.headers["ETag"] = tag
        return answer

    @app.get("/v1/map", tags=_ANNOTATION, responses=_PICTURE_CODES)
    async def uncertainty(image: Text) -> Response:
        """The uncertainty map of an image as PNG, values through the normal CDF."""
        return await shown(annotation.pictures.map, image, "image/png")

    @app.get("/v1/segmentation", tags=_ANNOTATION, responses=_PICTURE_CODES)
    async def segmentation(image: Text) -> Response:
        """The predicted classes of an image as PNG, in their colours."""
        return await shown(annotation.pictures.segmentation, image, "image/png")
