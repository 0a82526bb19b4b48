"""Files on web servers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError, NameResolutionError

from s2igan.corpora.fetching.outcomes import (
    BrokenOffError,
    ChangedError,
    RefusedError,
    UnreachableError,
)
from s2igan.corpora.fetching.source import Answer

TIMEOUT_S = (15, 60)
"""Longest wait for a connection, and between two pieces of a file."""

_CHUNK_BYTES = 2**18
_NUMBER = r"\d{1,18}"  # longer ones say nothing of a file
_RANGE = re.compile(rf"bytes (?:({_NUMBER})-\d+|\*)/({_NUMBER}|\*)")
_OK, _PARTIAL, _BEYOND_END = 200, 206, 416
_ASK_AGAIN = frozenset({408, 425, 429})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class HttpSource:
    """A file at an ``https://`` or ``http://`` address; proxies come from the environment."""

    address: str

    @contextmanager
    def open(self, start: int, tag: str | None) -> Iterator[Answer]:
        """Ask for the file from byte ``start`` on; see :class:`source.Source`.

        Raises:
            RefusedError: if the server does not have the file, does not give it, sends a web page
                in its place, leads to what is no address, or cannot be trusted.
            ChangedError: if the file is another one than that of ``tag``.
            UnreachableError: if there is no such host, or no network.
            BrokenOffError: if the server is busy, or the connection breaks.
        """
        try:
            with self._ask(start, tag) as response:
                self._check(response, start)
                yield _answer(response, start, tag)
        except (requests.RequestException, HTTPError) as error:
            raise outcome_of(error) from error

    def _ask(self, start: int, tag: str | None) -> requests.Response:
        try:
            return requests.get(
                self.address,
                headers=_headers(start, tag),
                proxies=_proxies(self.address),
                timeout=TIMEOUT_S,
                stream=True,
            )
        except (requests.RequestException, HTTPError):
            raise
        except ValueError as error:  # of a redirection, which requests takes apart as it comes
            raise RefusedError(f"leads to what is no address ({error})") from error
        except OSError as error:  # of certificates that REQUESTS_CA_BUNDLE names and nobody has
            raise RefusedError(f"cannot be trusted ({error})") from error

    def _check(self, response: requests.Response, start: int) -> None:
        status = response.status_code
        if status >= 500 or status in _ASK_AGAIN:
            raise BrokenOffError(f"answers {status} {response.reason}")
        if status not in (_OK, _PARTIAL, _BEYOND_END) or (status == _BEYOND_END and not start):
            raise RefusedError(f"answers {status} {response.reason}")
        if self.address.startswith("https:") and not response.url.startswith("https:"):
            raise RefusedError("redirects to an address without encryption")
        if status == _OK and response.headers.get("Content-Type", "").startswith("text/html"):
            raise RefusedError("answers with a web page instead of the file")


def outcome_of(error: Exception) -> RefusedError | BrokenOffError:
    """Say of an error of requests or urllib3 whether asking again can help."""
    reason = error.args[0] if error.args else error
    reason = getattr(reason, "reason", reason)
    words = " ".join(str(reason).rpartition(": ")[2].split()) or type(error).__name__
    if isinstance(reason, NameResolutionError):
        return UnreachableError(f"cannot be reached ({words})")
    if isinstance(error, requests.exceptions.ProxyError):
        return RefusedError(f"the proxy does not let through ({words})")
    if isinstance(error, requests.exceptions.SSLError):
        return RefusedError(f"its certificate cannot be trusted ({words})")
    broken = (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        HTTPError,
    )
    if isinstance(error, broken):
        return BrokenOffError(f"the connection broke ({words})")
    return RefusedError(words)


def _headers(start: int, tag: str | None) -> dict[str, str]:
    # Another encoding than the file's own would change which byte is which.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if tag is not None and not tag.startswith("W/"):
            headers["If-Range"] = tag
    return headers


def _proxies(address: str) -> dict[str, str]:
    """Keep the proxies of the environment away from servers on this machine."""
    host = urlsplit(address).hostname or ""
    return {"no_proxy": host} if host in _LOOPBACK else {}


def _answer(response: requests.Response, start: int, tag: str | None) -> Answer:
    match response.status_code:
        case 416:
            _, total = _content_range(response)
            if total != start:
                raise ChangedError(f"has no byte {start}")
            return Answer(start, total, tag, ())
        case 206:
            begin, total = _content_range(response)
            length = _length(response)
            if total is None and length is not None:
                total = begin + length
            return Answer(begin, total, _tag(response) or tag, _chunks(response))
        case _:
            return Answer(0, _length(response), _tag(response), _chunks(response))


def _content_range(response: requests.Response) -> tuple[int, int | None]:
    text = response.headers.get("Content-Range", "")
    found = _RANGE.fullmatch(text)
    if found is None or (found[1] is None and response.status_code == _PARTIAL):
        raise ChangedError(f"answers {response.status_code} with Content-Range {text[:60]!r}")
    return int(found[1] or 0), None if found[2] == "*" else int(found[2])


def _length(response: requests.Response) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if re.fullmatch(_NUMBER, text) else None


def _tag(response: requests.Response) -> str | None:
    """Return what names the version: a strong entity tag, else the date, else a weak tag."""
    entity = response.headers.get("ETag")
    if entity is not None and not entity.startswith("W/"):
        return entity
    return response.headers.get("Last-Modified", entity)


def _chunks(response: requests.Response) -> Iterator[bytes]:
    # As sent: `iter_content` would unpack what some servers call the encoding of a .tgz file.
    chunks: Iterator[bytes] = response.raw.stream(_CHUNK_BYTES, decode_content=False)
    return chunks
