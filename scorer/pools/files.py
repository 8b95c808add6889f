"""Reads files anywhere that fsspec supports - s3, gs, az, http, this machine - with retries."""

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

PATIENCE_S = 300.0  # that a server may be unreachable
MOST_BYTES = 512_000_000  # of an image file
_SAID_AT = 3  # attempts after which the user is told
_REQUEST_S = 30  # of one request without any data
# bytes of a read-ahead block: of a tar file only the headers between images are read
_LITTLE = 16_384
_CREDENTIALS = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidToken",
     "SignatureDoesNotMatch", "RequestTimeTooSkewed", "TokenRefreshRequired"}
)  # fmt: skip
_NO_CREDENTIALS = frozenset({"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound"})
_UNAUTHORIZED, _FORBIDDEN, _GONE, _LATER = 401, 403, {404, 410}, {408, 425, 429}
_MARKS = ("ETag", "etag", "generation", "md5Hash", "content_md5", "LastModified", "mtime")
# Errors that a retry does not help: the file is missing, or the request is wrong.
_FINAL = (
    FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, ValueError,
    TypeError, LookupError, NotImplementedError,
)  # fmt: skip
Result = TypeVar("Result")


@dataclass(frozen=True)
class Files:
    """A folder; paths below it have forward slashes. patience_s: seconds that a server may be
    unreachable.
    """

    url: str
    patience_s: float = PATIENCE_S

    def absolute(self) -> "Files":
        """The same folder for a process with another working directory."""
        return self if "://" in self.url else replace(self, url=str(Path(self.url).absolute()))

    def walk(self, is_wanted: Callable[[str], bool] | None = None) -> Iterator[tuple[str, Item]]:
        """Yield files sorted by name; is_wanted: of a name; None: images. Raises BadPool."""
        return walk(self._items, is_wanted) if is_wanted else telling(self._items, self.url)

    def read(
        self, path: str, size: int = -1, start: int = 0, stop: threading.Event | None = None
    ) -> bytes:
        """Read `size` bytes of a file from `start` on; -1: an unknown size.

        stop: once set, requests are not repeated. Raises BadImage; Failure if the server stays
        unreachable or rejects the credentials.
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
        """Make a request for an image, with retries. Raises BadImage, Failure."""
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
        """Open a file for reading small pieces at several positions. Raises BadPool."""
        return self._asked(
            lambda files, root: files.open(_join(root, path), block_size=_LITTLE), path
        )

    def item(self, path: str) -> Item:
        """Name, size and mark of a file. Raises BadPool."""
        return _item(self._asked(lambda files, root: files.info(_join(root, path)), path))

    def mark(self, item: Item) -> str:
        """A text that changes with the file; only its URL, if the server reports nothing."""
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
        """Tell the user once that the server does not answer."""
        if state.attempt_number == _SAID_AT and state.outcome is not None:
            error = state.outcome.exception()
            say(f"{self.url} does not answer; it is asked again for {self.patience_s:g} s: {error}")

    def _patiently(
        self, call: Callable[[Any, str], Result], path: str, stop: threading.Event | None = None
    ) -> Result:
        """Repeat a request while the server does not answer, until the patience is exhausted."""
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
            except Exception as error:  # exceptions of any storage library
                _check_refused(error, self.url)
                raise

        try:
            return retrying(asked)
        except (*_FINAL, Refused, Failure):
            raise
        except Exception as error:  # exceptions of any storage library
            raise Failure(
                f"cannot read {_join(self.url, path)}: for {self.patience_s:g} s it said {error}",
                remedy="give the same command again when the server is back; the images that "
                "were scored are kept",
            ) from error


class Refused(Exception):
    """The server rejects a request, and would reject a repetition."""


def _check_refused(error: Exception, url: str) -> None:
    """Raise an error for answers that a retry does not change: Refused, BadPool or Failure for
    credentials, FileNotFoundError, PermissionError.
    """
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
    """Raise BadImage for a file too large to be held in memory."""
    if size > MOST_BYTES:
        raise BadImage("too large", f"{size} bytes, the limit is {MOST_BYTES}")


def filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL in fsspec, and the path in it. Raises MissingDependency, BadPool."""
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
    """Options for the duration of a request, which differ between libraries."""
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
