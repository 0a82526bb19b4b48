"""The unfinished copy of a file, which a later run can continue."""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from s2igan.engine.folders import write_whole


@dataclass(frozen=True)
class Remark:
    """What a server said of the file that it sends: where, which version, how many bytes."""

    address: str
    tag: str | None
    total: int | None


class Partial:
    """``<name>.part`` beside the final name, and the server's :class:`Remark` beside that.

    ``<name>.part.drive`` is the folder of a program that keeps its unfinished copy by itself.

    A team may share the folder of archives. So nothing is written through a link that lies in the
    place of one of these.

    Args:
        target: the final name, which appears only once the whole file is there.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target.with_name(target.name + ".part")
        self.folder = target.with_name(target.name + ".part.drive")
        self._remark = target.with_name(target.name + ".part.json")

    @property
    def size(self) -> int:
        """Bytes that have arrived; none where somebody has put a link."""
        if self.path.is_symlink() or not self.path.is_file():
            return 0
        return self.path.stat().st_size

    def remark(self, address: str) -> Remark | None:
        """Return what ``address`` said of the bytes that are here; None where they are not its."""
        try:
            remark = Remark(**json.loads(self._remark.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return remark if remark.address == address and self.size else None

    def append(self, remark: Remark, start: int) -> BinaryIO:
        """Open for the bytes from ``start`` on, which is 0 or :attr:`size`, and keep ``remark``."""
        if start == 0:
            self.discard()
        self._remark.unlink(missing_ok=True)
        write_whole(self._remark, json.dumps(asdict(remark)).encode())
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        flags |= os.O_NOFOLLOW if start else os.O_EXCL
        return os.fdopen(os.open(self.path, flags, 0o666), "ab")

    def discard(self) -> None:
        """Remove whatever has arrived."""
        self.path.unlink(missing_ok=True)
        self._remark.unlink(missing_ok=True)

    def finish(self) -> None:
        """Give the whole file its final name, and remove whatever else has arrived."""
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(self._target)
        self._remark.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
