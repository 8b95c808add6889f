"""Files at any place that fsspec knows - s3, gs, az, http, this machine - read with patience."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, TypeVar

import fsspec
import tenacity

from scorer.console import say
from scorer.errors import BadImage, BadPool, Failure, MissingDependency
from scorer.pools.walk import Item, telling, walk

PATIENCE_S = 300.0  # that a server may be away
MOST_BYTES = 512_000_000  # of a file with one image
_SAID_AT = 3  # attempts
_REQUEST_S = 30  # that a server may say nothing
_LITTLE = 16_384  # bytes: of a tar file only what stands between the images is read
_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken",
     "SignatureDoesNotMatch", "RequestTimeTooSkewed", "TokenRefreshRequired"}
)  # fmt: skip
_NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"})
_UNAUTHORIZED, _FORBIDDEN, _GONE, _LATER = 401, 403, {404, 410}, {408, 425, 429}
_MARKS = ("ETag", "etag", "generation", "md5Hash", "content_md5", "LastModified", "mtime")
# What no waiting mends: the file is not there, or something is wrong with us.
_FINAL = (
    FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ValueError,
    TypeError, LookupError, NotImplementedError,
)  # fmt: skip
Result = TypeVar("Result")


@dataclass(frozen=True)
class Files:
    """A folder; paths below it have forward slashes. `patience_s`: that a server may be away."""

    url: str
    patience_s: float = PATIENCE_S

    def absolute(self) -> "Files":
        """The same for a process that works in another folder."""
        return self if "://" in self.url else replace(self, url=str(Path(self.url).absolute()))

    def walk(self, is_wanted: Callable[[str], bool] | None = None) -> Iterator[tuple[str, Item]]:
        """Files in the order of their names; None: images. Raises BadPool."""
        return walk(self._items, is_wanted) if is_wanted else telling(self._items, self.url)

    def read(
        self, path: str, size: int = -1, start: int = 0, stop: threading.Event | None = None
    ) -> bytes:
        """A file of so many bytes, or those of it from `start` on; -1: of a size that nobody knows.
        stop: once it is set, the server is not asked again.

        Raises BadImage; Failure for a server that stays away, or takes our credentials no more.
        """
        check_size(size)
        if size == 0:
            return b""
        end = start + (MOST_BYTES if size < 0 else size)

        def call(files: Any, root: str) -> bytes:
            content: bytes = files.cat_file(_join(root, path), start=start, end=end)
            return content

        return self.image(call, path, stop)

    def image(
        self, call: Callable[[Any, str], Result], path: str, stop: threading.Event | None = None
    ) -> Result:
        """What a call finds of an image, with patience; what is wrong is BadImage, or Failure."""
        try:
            return self._patiently(call, path, stop)
        except FileNotFoundError as error:
            raise BadImage("vanished") from error
        except PermissionError as error:
            raise BadImage("permission denied") from error
        except (IsADirectoryError, NotADirectoryError) as error:
            raise BadImage("not a file") from error
        except Refused as error:
            raise BadImage("unreachable", str(error)) from error
        except _FINAL as error:
            raise BadImage("not an address", str(error)) from error

    def open(self, path: str) -> IO[bytes]:
        """A file to be read here and there, a little at a time. Raises BadPool."""
        return self._asked(
            lambda files, root: files.open(_join(root, path), block_size=_LITTLE), path
        )

    def item(self, path: str) -> Item:
        """What is known of a file. Raises BadPool."""
        return _item(self._asked(lambda files, root: files.info(_join(root, path)), path))

    def mark(self, item: Item) -> str:
        """What changes when a file does; a server that says nothing of it has its address alone."""
        return item.mark or self.url

    def _items(self, below: str) -> Iterator[Item]:
        found = self._asked(lambda files, root: files.ls(_join(root, below), detail=True), below)
        return map(_item, found)

    def _asked(self, call: Callable[[Any, str], Result], path: str) -> Result:
        try:
            return self._patiently(call, path)
        except (OSError, Refused) as error:
            raise BadPool(
                f"cannot list {_join(self.url, path)}: {getattr(error, 'strerror', None) or error}",
                remedy="check that the place exists and that the credentials allow listing it",
            ) from error

    def _told(self, state: tenacity.RetryCallState) -> None:
        """Say once what is waited for."""
        if state.attempt_number == _SAID_AT and state.outcome is not None:
            error = state.outcome.exception()
            say(f"{self.url} does not answer; it is asked again for {self.patience_s:g} s: {error}")

    def _patiently(
        self, call: Callable[[Any, str], Result], path: str, stop: threading.Event | None = None
    ) -> Result:
        """Ask again while a server does not answer, for as long as the patience lasts."""
        files, root = filesystem(self.url)
        stop = stop or threading.Event()
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_delay(self.patience_s) | tenacity.stop_when_event_set(stop),
            wait=tenacity.wait_random_exponential(0.5, max=10),
            retry=tenacity.retry_if_not_exception_type((*_FINAL, Refused, Failure)),
            sleep=tenacity.sleep_using_event(stop),
            before_sleep=self._told,
            reraise=True,
        )

        def asked() -> Result:
            try:
                return call(files, root)
            except Exception as error:  # of whatever library speaks to this place
                _check_refused(error, self.url)
                raise

        try:
            return retrying(asked)
        except (*_FINAL, Refused, Failure):
            raise
        except Exception as error:  # of whatever library speaks to this place
            raise Failure(
                f"cannot read {_join(self.url, path)}: for {self.patience_s:g} s it said {error}",
                remedy="give the same command again when the server is back; the images that "
                "were scored are kept",
            ) from error


class Refused(Exception):
    """What a server says to a request that is wrong, now and later."""


def _check_refused(error: Exception, url: str) -> None:
    """Raise Refused for an answer that no waiting changes, Failure for credentials that expired."""
    cause = error.__cause__ or error
    info = getattr(cause, "response", None)
    code = info.get("Error", {}).get("Code", "") if isinstance(info, dict) else ""
    status = getattr(error, "status", 0)
    if type(cause).__name__ in _NO_CREDENTIALS:
        raise BadPool(
            f"{url}: there are no credentials for it: {cause}",
            remedy="s3 takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile",
        ) from error
    if code in _CREDENTIALS or status == _UNAUTHORIZED:
        raise Failure(
            f"{url}: the server refuses these credentials: {code or status}",
            remedy="renew them and give the same command again; the images that were scored "
            "are kept",
        ) from error
    if isinstance(status, int) and 400 <= status < 500 and status not in _LATER:
        if status in _GONE:
            raise FileNotFoundError(status) from error
        if status == _FORBIDDEN:
            raise PermissionError(status) from error
        raise Refused(f"HTTP {status}") from error


def check_size(size: int) -> None:
    """Raise BadImage for a file that is not to be held in memory."""
    if size > MOST_BYTES:
        raise BadImage("too large", f"{size} bytes, the limit is {MOST_BYTES}")


def filesystem(url: str) -> tuple[Any, str]:
    """What fsspec has for a URL, and the path in it; MissingDependency names what is missing."""
    kind = url.split("://", 1)[0] if "://" in url else "file"
    try:
        files, path = fsspec.core.url_to_fs(url, use_listings_cache=False, **_limits(kind))
    except ImportError as error:
        raise MissingDependency(
            f"{kind}:// needs a package: {error}", remedy="install the package that it names"
        ) from error
    except ValueError as error:
        raise BadPool(
            f"{url}: {error}", remedy="give an address of a kind that fsspec knows"
        ) from error
    return files, path


def _limits(kind: str) -> dict[str, Any]:
    """How long one request may take; each library has words of its own for it."""
    if kind == "s3":
        return {"config_kwargs": {"connect_timeout": 5, "read_timeout": _REQUEST_S}}
    if kind in {"http", "https"}:
        from aiohttp import ClientTimeout  # noqa: PLC0415

        patience = ClientTimeout(total=None, sock_connect=_REQUEST_S, sock_read=_REQUEST_S)
        return {"client_kwargs": {"timeout": patience}}
    return {}


def _item(info: dict[str, Any]) -> Item:
    name = info["name"].rstrip("/").rsplit("/", 1)[-1]
    mark = next((str(info[key]) for key in _MARKS if info.get(key)), "")
    size = info.get("size")
    return Item(name, info["type"] == "directory", -1 if size is None else int(size), mark)


def _join(root: str, path: str) -> str:
    return f"{root.rstrip('/')}/{path}" if path else root
