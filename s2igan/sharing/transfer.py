"""Outputs to and from the remote, with the records of what made them.

DVC is called within this process, since only there its errors are objects: on a terminal they are
one line a file, or an "unexpected error", and some that concern the run cache are not counted.
"""

import logging
import subprocess
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from s2igan.errors import UserError
from s2igan.sharing.trouble import ANEW, PUSH, one_line, remote_trouble

_LOGGERS = ("dvc", "dvc_data", "dvc_objects")


def push(root: Path) -> str:
    """Upload the outputs that the workspace names and the run cache.

    Args:
        root: the repository's folder.

    Returns:
        What was done, in one line, and what is left to do.

    Raises:
        UserError: if there is no repository or no remote, or if anything did not arrive.
    """
    with _open(root) as (repo, address):
        runs = _exchange_runs(repo.stage_cache.push)
        files = repo.push() + _send_lost(repo)
    done = f"pushed {files} files and the records of {runs} runs to {address}"
    if _is_uncommitted(root):
        done += "\ncommit dvc.lock, metrics/ and plots/ too: others pull what a commit names"
    return done


def pull(root: Path) -> str:
    """Download the run cache and the outputs that ``dvc.lock`` names, and put them in place.

    Args:
        root: the repository's folder.

    Returns:
        What was done, in one line.

    Raises:
        UserError: if there is no repository or no remote, if anything did not arrive, or if an
            output that was changed by hand would be overwritten.
    """
    with _open(root) as (repo, address):
        runs = _exchange_runs(repo.stage_cache.pull)
        files = repo.fetch()
        _place(repo, address)
    return f"pulled {files} files and the records of {runs} runs from {address}"


def _send_lost(repo: Any) -> int:
    """Send what folders lack there, and return how many files.

    Of a folder whose list is there, DVC itself takes every file to be there.
    """
    from dvc_data.hashfile.transfer import transfer

    remote = repo.cloud.get_remote_odb()
    return len(transfer(repo.cache.local, remote, _used(repo)).transferred)


def _used(repo: Any) -> set[Any]:
    """Return the hashes of all files of ``dvc.lock`` that the default remote is to hold."""
    hashes: set[Any] = repo.used_objs(push=True, skip_failed=True).get(None, set())
    return hashes


def _exchange_runs(exchange: Callable[[None], list[tuple[str, str]]]) -> int:
    """Send or fetch all records of the run cache, which are small; return how many."""
    from dvc.stage.cache import RunCacheNotSupported

    try:
        return len(exchange(None))
    except RunCacheNotSupported:  # a remote behind HTTP
        return 0


@contextmanager
def _open(root: Path) -> Iterator[tuple[Any, str]]:
    """Yield DVC's repository and the remote's address; tell what fails inside in one line."""
    from dvc.exceptions import DvcException

    told = _Told()
    try:
        with _listening(told), _repository(root) as repo:
            address = _reach(repo)
            try:
                yield repo, address
            except Exception as error:
                raise _explained(address, error, told.errors) from error
    except DvcException as error:
        raise UserError(f"repository {str(root)!r}", got=one_line(error)) from error
    except ImportError as error:  # such as "ssh is supported, but requires 'dvc-ssh' …"
        raise UserError(
            "remote of this repository",
            got=one_line(error),
            fix="install that package beside DVC, with pip or `uv pip`",
        ) from error
    if told.errors:
        raise remote_trouble(address, told.errors[0], transferred=True)
    if told.missing:
        raise UserError(
            "outputs",
            got=f"some of dvc.lock neither here nor in {address}",
            fix="compute them with `dvc repro`, then push",
        )


def _repository(root: Path) -> Any:
    from dvc.repo import Repo

    try:
        # Without it, a download that was cut short may stay in the cache, where DVC trusts it.
        return Repo(root, remote_config={"verify": True})
    except ValueError as error:
        raise UserError(
            "remote of this repository", got="none", fix="`make remote URL=s3://bucket/folder`"
        ) from error


def _reach(repo: Any) -> str:
    """Return the remote's address once it has answered."""
    remote = repo.cloud.get_remote()
    address = str(remote.fs.unstrip_protocol(remote.path))
    if remote.fs.protocol == "s3":
        bucket, _, folder = remote.path.partition("/")
        try:
            # Other questions take a missing bucket for an empty one.
            remote.fs.fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=folder, MaxKeys=1)
        except Exception as error:
            raise remote_trouble(address, error, transferred=False) from error
    return address


def _place(repo: Any, address: str) -> None:
    """Put the outputs of ``dvc.lock`` from the cache into the workspace.

    What lies in the place of one that did not arrive stays: DVC would delete it first.
    """
    from dvc.exceptions import CheckoutError, DvcException

    lacking = [out.def_path for out in repo.index.outs if not _has_arrived(out)]
    arrived = [out.fs_path for out in repo.index.outs if out.def_path not in lacking]
    try:
        # DVC finds paths by what its own library is about to take away.
        with warnings.catch_warnings(action="ignore"):
            if arrived:
                repo.checkout(targets=arrived if lacking else None)
    except CheckoutError as error:
        raise _not_there(repo, address, error.target_infos) from error
    except DvcException as error:
        paths = str(error).splitlines()[1:]  # below "Can't remove the following unsaved files"
        raise UserError(
            "outputs",
            got=f"changes by hand in {', '.join(paths)}" if paths else one_line(error),
            fix="move what you changed elsewhere, or give it up with `dvc checkout --force`",
        ) from error
    if lacking:
        raise _not_there(repo, address, lacking)


def _has_arrived(out: Any) -> bool:
    """Tell whether the cache holds an output, every file of a folder included."""
    if not out.use_cache or not out.hash_info:
        return True
    wanted = {out.hash_info.value}
    if out.is_dir_checksum and (listed := out.get_obj()):
        wanted |= {each.value for _, _, each in listed}
    return wanted <= set(out.cache.oids_exist(wanted))


def _not_there(repo: Any, address: str, paths: Iterable[str]) -> UserError:
    names = ", ".join(sorted(paths))
    got, fix = _damaged(repo, names) or (f"nothing there of {names}", PUSH)
    return UserError(f"remote {address!r}", got=got, fix=fix)


def _damaged(repo: Any, names: str) -> tuple[str, str] | None:
    """Tell of objects that the remote has, and that still did not arrive; None without any."""
    cache, remote = repo.cache.local, repo.cloud.get_remote_odb()
    wanted = {each.value for each in _used(repo)}
    there = sorted(remote.oids_exist(wanted.difference(cache.oids_exist(wanted))))
    if not there:
        return None
    return f"damaged bytes there of {names} ({', '.join(map(remote.oid_to_path, there))})", ANEW


def _explained(address: str, error: Exception, logged: list[BaseException]) -> UserError:
    from dvc.exceptions import DownloadError, UploadError
    from dvc.lock import LockError

    if isinstance(error, DownloadError | UploadError) and logged:
        return remote_trouble(address, logged[0], transferred=True)
    if isinstance(error, UserError):
        return error
    if isinstance(error, LockError):
        return UserError("repository", got="another DVC at work in it", fix="wait for it")
    return remote_trouble(address, error, transferred=True)


class _Told(logging.Handler):
    """What DVC logs instead of raising it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.errors: list[BaseException] = []
        self.missing = False

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self.errors.append(record.exc_info[1])
        # Its one warning: objects that neither side has.
        self.missing |= record.name == "dvc_data.index.fetch"


@contextmanager
def _listening(told: _Told) -> Iterator[None]:
    """Give what DVC logs to ``told`` alone."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [told], False
    try:
        yield
    finally:
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate


def _is_uncommitted(root: Path) -> bool:
    done = subprocess.run(
        ["git", "status", "--porcelain", "--", "dvc.lock", "metrics", "plots"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return bool(done.stdout.strip())
