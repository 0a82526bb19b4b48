"""Room on the disk, asked for before anything is written."""

import shutil
from pathlib import Path

from s2igan.errors import UserError

SPARE_BYTES = 64 * 2**20
"""Disk space that stays free for tables and for the rest of the machine."""


def require_space(folder: Path, needed: int) -> None:
    """Refuse to begin where the disk of ``folder``, which need not exist yet, is too full.

    Raises:
        UserError: if fewer bytes are free.
    """
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < needed + SPARE_BYTES:
        raise UserError(
            f"disk of {str(folder)!r}",
            got=f"{free / 2**20:.0f} MiB free",
            expected=f"at least {(needed + SPARE_BYTES) / 2**20:.0f} MiB",
            fix="free some space",
        )
