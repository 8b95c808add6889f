"""The routes for a training process on another machine: it reads answers, and sends graphs and
records.
"""

from dataclasses import asdict
from typing import Annotated, Any

from anyio import to_thread
from fastapi import FastAPI, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from scorer.errors import BadGraph
from scorer.labels import learned
from scorer.labels.learned import Doubt
from scorer.service.annotation import Annotation
from scorer.service.inbox import Inbox

UPLOADS = frozenset({"/v1/graph", "/v1/doubts"})
_LEARNING: list[Any] = ["learning elsewhere"]  # tags
_CODES: dict[int | str, dict[str, Any]] = {
    403: {"description": "The service was started without --learner."}
}


class LearnedRequest(BaseModel):
    """A record of a model, as in live.jsonl."""

    model_config = ConfigDict(extra="forbid")
    model: dict[str, Any]


class DoubtRequest(BaseModel):
    """The fields of labels.learned.Doubt."""

    model_config = ConfigDict(extra="forbid")
    image: Annotated[str, Field(max_length=4096)]
    row: Annotated[int, Field(ge=0, le=10**6)]
    col: Annotated[int, Field(ge=0, le=10**6)]
    given: Annotated[str, Field(max_length=100)]
    predicted: Annotated[str, Field(max_length=100)]
    probability: Annotated[float, Field(ge=0, le=1)]


class DoubtsRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")
    doubts: Annotated[list[DoubtRequest], Field(max_length=learned.MOST_DOUBTS)]


def add(app: FastAPI, annotation: Annotation, inbox: Inbox | None) -> None:
    """Add the routes to an application. inbox: None rejects all requests."""
    store = annotation.store

    def open_inbox() -> Inbox:
        if inbox is None:
            raise HTTPException(403, "this service was started without --learner")
        return inbox

    @app.get("/v1/answers", tags=_LEARNING, responses=_CODES)
    def answers(known: Annotated[int, Query(ge=-1, le=2**53)] = -1) -> dict[str, Any]:
        """The classes, the number of rows and, if it is not `known`, all current answers."""
        open_inbox()
        rows = store.length()
        standing = [] if rows == known else [asdict(one) for one in store.standing()]
        return {"rows": rows, "classes": store.classes, "answers": standing}

    @app.put("/v1/graph", status_code=201, tags=_LEARNING, responses=_CODES)
    async def graph(request: Request) -> dict[str, str]:
        """Serve the scoring graph in the body from now on."""
        into = open_inbox()
        content = await request.body()
        try:
            await to_thread.run_sync(into.put, content, store)
            await to_thread.run_sync(annotation.rounds.reload)
        except BadGraph as error:
            raise HTTPException(422, str(error)) from error
        return {"graph": annotation.served.runtime.contract.sha256}

    @app.post("/v1/learned", status_code=201, tags=_LEARNING, responses=_CODES)
    def add_learned(request: LearnedRequest) -> dict[str, int]:
        """Store the record of the newest model."""
        open_inbox()
        try:
            model = learned.parse(request.model)
        except (ValueError, TypeError, KeyError) as error:
            raise HTTPException(422, f"no line of live.jsonl: {error!r}") from error
        learned.append(store.path.with_name(learned.LOG), model)
        return {"labels": model.labels}

    @app.post("/v1/doubts", status_code=201, tags=_LEARNING, responses=_CODES)
    def put_doubts(request: DoubtsRequest) -> dict[str, int]:
        """Replace the list of answers that a model contradicts."""
        open_inbox()
        doubts = [Doubt(**one.model_dump()) for one in request.doubts]
        learned.write_doubts(store.path.with_name(learned.DOUBTS), doubts)
        return {"doubts": len(doubts)}
