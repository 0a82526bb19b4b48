"""Models of another revision, out of the DVC cache or remote."""

from functools import partial
from pathlib import Path
from typing import Any

from s2igan.engine.runtime import state_folder
from s2igan.engine.shortage import disk_is_full
from s2igan.errors import UserError
from s2igan.serving.fetched import fetched

_MODEL = "artifacts/rdg"
# What tells a card of the model beside it, see s2igan.serving.origin.
_BESIDE = ("params.yaml", "dvc.lock", "data", "metrics/retrieval.json", "metrics/generation.json")
_COUNTS = "artifacts/corpus/corpus.json"


def fetch_revision(revision: str, repository: Path) -> Path:
    """Fetch ``artifacts/rdg`` of a commit, branch, tag or experiment into the state folder.

    Returns:
        The folder of the model. It is kept by the commit's hash: the same commit is fetched once.

    Raises:
        UserError: if DVC is not installed, or knows no such revision or no such output, or cannot
            get at it.
    """
    try:
        from dvc.api import DVCFileSystem
    except ImportError as error:
        raise UserError(
            f"model {revision!r}",
            got="no package DVC to fetch a revision with",
            expected="the extra `pipeline`, or the folder of a model",
            fix="install `s2igan[pipeline]`",
        ) from error
    try:
        inside = _place_in_git(repository)
        files = DVCFileSystem(str(repository), rev=revision, subrepos=inside != Path())
        kept = state_folder() / "models" / f"dvc-{files.repo.get_rev()}"
        folder = fetched(kept, partial(_copy, files, inside))
    except Exception as error:  # DVC, its index and the stores of remotes share no base class
        if isinstance(error, UserError) or disk_is_full(error):
            raise
        raise UserError(
            f"model of revision {revision!r}",
            got=" ".join(str(error).split()) or type(error).__name__,
            expected="a revision whose artifacts/rdg lies in the DVC cache or remote",
            fix="name a folder, or run `dvc pull` or `dvc repro` there",
        ) from error
    return folder / _MODEL


def _place_in_git(repository: Path) -> Path:
    """Return the path of a repository of DVC in that of Git, which a revision is one of."""
    tops = [path for path in (repository, *repository.parents) if (path / ".git").exists()]
    return repository.relative_to(tops[0]) if tops else Path()


def _copy(files: Any, inside: Path, folder: Path) -> None:
    files.get(str(inside / _MODEL), str(folder / _MODEL), recursive=True)
    for name in _BESIDE:
        if files.exists(str(inside / name)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            files.get(str(inside / name), str(folder / name), recursive=True)
    try:
        counts = files.cat_file(str(inside / _COUNTS))
    except Exception as error:
        # A model draws without counts where the corpus was not pulled and no remote has it.
        if disk_is_full(error):
            raise
        return
    (folder / _COUNTS).parent.mkdir()
    (folder / _COUNTS).write_bytes(counts)
