"""The route for other programs that request masks, if the service has a plain network."""

import asyncio
import base64
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, File, HTTPException, Query, Request, Response, UploadFile

from scorer.errors import BadImage
from scorer.images.indexed import UNKNOWN, picture
from scorer.segmentation.network import PlainNetwork
from scorer.segmentation.segmenter import Manner, Segmented, segment
from scorer.selection.overlay import encoded
from scorer.service.guard import Limits
from scorer.service.requests import MOST_FILES, done, name_of
from scorer.service.scoring import Busy
from scorer.service.upload import MOST_PIXELS

_ADDRESS = "/v1/segment"
UPLOADS = frozenset({_ADDRESS})
_PNG = "image/png"


class Segmenter:
    """Runs a plain network in its own threads. waiting: limit of queued images."""

    def __init__(self, network: PlainNetwork, *, waiting: int) -> None:
        self.network, self._waiting = network, waiting
        self._taken, self._room = 0, threading.Lock()
        self._threads = ThreadPoolExecutor(network.workers, "segmenting")

    def submit(self, images: "list[bytes]", least: float) -> "list[Future[Segmented]]":
        """Queue all images or, raising Busy, none."""
        with self._room:
            if self._taken and self._taken + len(images) > self._waiting:
                raise Busy(1)
            self._taken += len(images)
        futures = [self._threads.submit(self._segment, data, least) for data in images]
        for future in futures:  # also for futures that are cancelled before they start
            future.add_done_callback(self._release)
        return futures

    def stop(self) -> None:
        """Finish the images that are being segmented, and drop queued ones."""
        self._threads.shutdown(cancel_futures=True)

    def _segment(self, data: bytes, least: float) -> Segmented:
        manner = Manner(least=least, tiled=False, max_pixels=MOST_PIXELS)
        return segment(self.network, data, manner)

    def _release(self, _: "Future[Segmented]") -> None:
        with self._room:
            self._taken -= 1


def add(app: FastAPI, segmenter: Segmenter | None, limits: Limits) -> None:
    """Add the route to an application."""

    @app.post(
        _ADDRESS,
        tags=["scores"],
        responses={
            200: {"content": {_PNG: {}}},
            404: {"description": "The service was started without --network."},
            415: {"description": "The image cannot be used, and a PNG was asked for."},
            429: {"description": "Too many images wait; Retry-After says for how many seconds."},
        },
    )
    async def segmented(
        request: Request,
        images: Annotated[list[UploadFile], File(description="JPEG, PNG, WebP, TIFF or BMP files")],
        least_confidence: Annotated[
            float, Query(ge=0, le=1, description="pixels below it get the value 255")
        ] = 0.0,
    ) -> Any:
        """Segment uploaded images: PNGs with the class index of every pixel.

        With `Accept: image/png`, the response to one image is its mask. Otherwise it is JSON: for
        each image its size, the share of every class, and `mask_png` in base64; or its `error`.
        """
        if segmenter is None:
            raise HTTPException(404, "there is no network here: start the service with --network")
        as_png = _PNG in request.headers.get("accept", "")
        if len(images) > (1 if as_png else MOST_FILES):
            raise HTTPException(413, f"at most {1 if as_png else MOST_FILES} images in a request")
        names = [name_of(file) for file in images]
        futures = segmenter.submit([await file.read() for file in images], least_confidence)
        await done(futures, limits.seconds)
        contract = segmenter.network.contract
        if as_png:
            return await asyncio.to_thread(_png, futures[0], contract.colours)
        classes, colours = contract.classes, contract.colours
        answers = await asyncio.to_thread(
            lambda: [
                _answer(name, one, classes, colours)
                for name, one in zip(names, futures, strict=True)
            ]
        )
        return {"network": contract.sha256, "images": answers}


def _png(future: "Future[Segmented]", colours: Any) -> Response:
    error = future.exception()
    if isinstance(error, BadImage):
        raise HTTPException(415, str(error))
    return Response(_mask(future.result(), colours), media_type=_PNG)


def _answer(name: str, future: "Future[Segmented]", classes: tuple[str, ...], colours: Any) -> Any:
    error = future.exception()
    if isinstance(error, BadImage):
        return {"image": name, "error": str(error)}
    found = future.result()
    counts = np.bincount(found.label.ravel(), minlength=UNKNOWN + 1) / found.label.size
    shares = dict(zip(classes, counts[: len(classes)].tolist(), strict=True))
    return {
        "image": name, "height": found.label.shape[0], "width": found.label.shape[1],
        "classes": shares, "unknown": float(counts[UNKNOWN]),
        "mask_png": base64.b64encode(_mask(found, colours)).decode(),
    }  # fmt: skip


def _mask(found: Segmented, colours: Any) -> bytes:
    return encoded(picture(found.label, colours), "PNG")
