"""Tests of files that a user may replace by their own: parameters, and figures of a training."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def needs_committed(path: str) -> pytest.MarkDecorator:
    """Return the mark that skips a test where ``path`` is no longer the one that it is about."""
    command = ["git", "diff", "--quiet", "HEAD", "--", path]
    changed = subprocess.run(command, cwd=ROOT).returncode == 1
    return pytest.mark.skipif(changed, reason=f"{path} differs from the committed one")
