"""The only place that speaks to a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    import requests
    from tqdm import tqdm

TIMEOUT_S = 30
"""How long a server may be silent, seconds."""
_CHUNK = 1 << 18


class WebError(Exception):
    """Nothing came from an address; the text says why, as part of a sentence."""


class _Limited:
    """A file that takes no more than some bytes."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file, self._limit = file, limit
        self.flush = file.flush

    def write(self, chunk: bytes) -> None:
        if self._file.tell() + len(chunk) > self._limit:
            raise WebError(f"more than the expected {self._limit} bytes came")
        self._file.write(chunk)


def fetch(
    url: str, target: BinaryIO, *, limit: int, bar: tqdm[Any] | None = None
) -> None:
    """Write what is at an address into a file.

    Parameters
    ----------
    url
        http or https.
    target
        File to write to; after an error a part of it may be there.
    limit
        Bytes after which it is given up: a server may send without end.
    bar
        Shows the progress in bytes.

    Raises
    ------
    WebError
        If it does not arrive, or is larger than that.
    OSError
        If it cannot be written.
    """
    from pooch import HTTPDownloader
    from requests import RequestException

    responses: list[requests.Response] = []

    def note(response: requests.Response, **_: object) -> None:
        responses.append(response)

    get = HTTPDownloader(
        progressbar=bar if bar is not None else False,
        chunk_size=_CHUNK,
        timeout=TIMEOUT_S,
        hooks={"response": note},
    )
    try:
        get(url, _Limited(target, limit), None)
    # It is an OSError too; what remains of those comes from the disk.
    except RequestException as error:
        raise WebError(_explain(error)) from error
    finally:
        # One that broke off would hold its connection.
        for response in responses:
            response.close()


def _explain(error: requests.RequestException) -> str:
    """Return what went wrong in words, the special before the general."""
    from requests import exceptions

    if error.response is not None:
        return f"the server answers {error.response.status_code}"
    reasons: tuple[tuple[type[OSError], str], ...] = (
        (exceptions.SSLError, "its certificate is not trusted"),
        (exceptions.ProxyError, "the proxy cannot be reached"),
        (exceptions.Timeout, f"no answer for {TIMEOUT_S} seconds"),
        (exceptions.ConnectionError, "no connection"),
        (exceptions.ChunkedEncodingError, "the connection broke"),
    )
    fitting = (text for kind, text in reasons if isinstance(error, kind))
    return next(fitting, f"{type(error).__name__}: {error}")
