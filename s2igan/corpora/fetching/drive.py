"""Files on Google Drive, which wants pages to be confirmed and refuses what is popular."""

import shutil
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from s2igan.corpora.fetching.http import TIMEOUT_S
from s2igan.corpora.fetching.meter import Meter
from s2igan.corpora.fetching.outcomes import RefusedError
from s2igan.corpora.fetching.partial import Partial
from s2igan.corpora.fetching.space import require_space

HOSTS = frozenset({"drive.google.com", "docs.google.com"})

_RETRIES = 20


def fetch_from_drive(address: str, partial: Partial, name: str, expected: int | None) -> None:
    """Bring a file of Google Drive into ``partial``.

    gdown keeps what has arrived in a folder of its own beside it and continues that in a later run.

    Args:
        address: ``https://drive.google.com/…?id=…``, with ``resourcekey`` where the file has one.
        partial: the unfinished copy.
        name: of the file, for what is told meanwhile.
        expected: bytes of the file, where the manifest states them.

    Raises:
        RefusedError: if Google Drive does not give the file, or the connection broke too often.
        UserError: if the disk is too full.
    """
    import gdown
    import requests

    folder = partial.path.with_name(partial.path.name + ".drive")
    folder.mkdir(exist_ok=True)
    require_space(folder, expected or 0)
    arrived = False
    with Meter(name) as meter:

        def show(size: int, total: int | None) -> None:
            nonlocal arrived
            if not arrived and total is not None:
                require_space(folder, total - size)
            arrived = True
            meter.show(size, total or expected)

        try:
            gdown.download(
                url=with_resource_key(address),
                output=str(folder / name),
                quiet=True,
                use_cookies=False,
                resume=True,
                retries=_RETRIES,
                timeout=TIMEOUT_S,
                progress=show,
            )
        except gdown.exceptions.FileURLRetrievalError as error:
            raise RefusedError(f"Google Drive refuses ({_words(error)})") from error
        except (gdown.exceptions.DownloadError, requests.RequestException) as error:
            if not arrived:
                shutil.rmtree(folder)  # whatever lay there cannot be continued
            raise RefusedError(f"Google Drive broke off ({_words(error)})") from error
    _take(folder, name, partial)


def with_resource_key(address: str) -> str:
    """Return an address whose resource key gdown passes on.

    gdown reads the id out of an address and asks for that alone; older files are refused without
    the key. So the key rides along inside of the id.
    """
    query = parse_qs(urlsplit(address).query)
    if "id" not in query or "resourcekey" not in query:
        return address
    both = f"{query['id'][0]}&resourcekey={query['resourcekey'][0]}"
    return f"https://drive.google.com/uc?id={quote(both, safe='')}"


def _take(folder: Path, name: str, partial: Partial) -> None:
    partial.discard()
    (folder / name).replace(partial.path)
    shutil.rmtree(folder)


def _words(error: Exception) -> str:
    text = str(error).removeprefix("Failed to retrieve file url:")
    return " ".join(text.partition("You may still be able to access")[0].split())
