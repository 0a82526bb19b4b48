"""The synthetic corpus that trainings of SEN read."""

from pathlib import Path

import pytest

from tests.sen.synthetic import write_synthetic


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``corpus`` and ``features``, for the tests of one file."""
    folder = tmp_path_factory.mktemp("inputs")
    write_synthetic(folder)
    return folder
