"""Files on Google Drive, which wants pages to be confirmed and refuses what is popular."""

import shutil
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from s2igan.corpora.fetching.http import TIMEOUT_S, outcome_of
from s2igan.corpora.fetching.meter import Meter
from s2igan.corpora.fetching.outcomes import BrokenOffError, ChangedError, RefusedError
from s2igan.corpora.fetching.partial import Partial
from s2igan.corpora.fetching.patience import Patience
from s2igan.corpora.fetching.space import require_space

HOSTS = frozenset({"drive.google.com", "docs.google.com"})

_UNWILLING = 3  # answers in a row that do not go on, as a busy server's for a while


def fetch_from_drive(address: str, partial: Partial, name: str, expected: int | None) -> None:
    """Bring a file of Google Drive into ``partial``.

    gdown keeps what has arrived in a folder of its own and continues that, in a later run too.

    Args:
        address: ``https://drive.google.com/…?id=…``, with ``resourcekey`` where the file has one.
        partial: the unfinished copy.
        name: of the file, for what is told meanwhile.
        expected: bytes of the file, where the manifest states them.

    Raises:
        RefusedError: if Google Drive does not give the file, cannot be found, or brings the copy no
            further in several attempts.
        UserError: if the disk is too full.
    """
    whole = partial.folder / name
    patience, unwilling = Patience(name), 0
    with Meter(name) as meter:
        while True:
            try:
                _attempt(address, whole, expected, meter)
                break
            except BrokenOffError as reason:
                reached = _size(whole.parent)
                unwilling = unwilling + 1 if isinstance(reason, ChangedError) else 0
                if unwilling == _UNWILLING:
                    shutil.rmtree(whole.parent)
                patience.wait(reason, reached)
    _take(whole, partial)


def _attempt(address: str, whole: Path, expected: int | None, meter: Meter) -> None:
    import gdown
    import requests

    folder = whole.parent

    def show(size: int, total: int | None) -> None:
        require_space(folder, (total or size) - size)
        meter.show(size, total or expected)

    _make_without_links(folder)
    require_space(folder, (expected or 0) - _size(folder))
    try:
        gdown.download(
            url=with_resource_key(address),
            output=str(whole),
            quiet=True,
            use_cookies=False,
            resume=True,
            timeout=TIMEOUT_S,
            progress=show,
        )
    except (gdown.exceptions.DownloadError, requests.RequestException) as error:
        raise _outcome(error) from error
    except OSError as error:
        if error.errno is not None:  # of the disk
            raise
        # Of certificates that REQUESTS_CA_BUNDLE names and nobody has.
        raise RefusedError(f"cannot be trusted ({error})") from error


def _make_without_links(folder: Path) -> None:
    # Whoever may write to the folder of archives can put links here, and gdown would follow them.
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.is_symlink():
            path.unlink()


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


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _take(whole: Path, partial: Partial) -> None:
    partial.discard()
    partial.path.touch(exist_ok=False)
    shutil.copymode(partial.path, whole)  # gdown's files are for nobody but their owner
    whole.replace(partial.path)
    shutil.rmtree(whole.parent)


def _outcome(error: Exception) -> RefusedError | BrokenOffError:
    import gdown
    import requests

    if isinstance(error, gdown.exceptions.FileURLRetrievalError | requests.HTTPError):
        return RefusedError(f"Google Drive refuses ({_words(error)})")
    if not isinstance(error, gdown.exceptions.DownloadError):
        return outcome_of(error)
    if error.__cause__ is None:  # no connection broke: gdown refuses to go on
        return ChangedError("Google Drive did not go on with what has arrived")
    first = str(error).partition("\n")[0]
    return BrokenOffError(f"Google Drive broke off ({first})")


def _words(error: Exception) -> str:
    text = str(error).removeprefix("Failed to retrieve file url:")
    return " ".join(text.partition("You may still be able to access")[0].split())
