"""Which weight files each later stage loads: small lists beside the files, one per stage.

A stage that depended on the whole folder of weights would run again for a network that it does not
load; one that named a file could not follow the parameters. So it depends on its own list, which
changes with the files and with nothing else.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from s2igan.corpora.manifest import digest
from s2igan.engine.tables import write_json


def write_consumers(
    folder: Path, files: Mapping[str, str], consumers: Mapping[str, Sequence[str]]
) -> None:
    """Write ``<folder>/<stage>.json`` for every stage: file and SHA-256 of each network.

    Networks that come with the package are left out: they are dependencies by themselves.

    Args:
        folder: the folder of verified weights.
        files: name of the file in it, by network.
        consumers: names of networks by stage.
    """
    for stage, names in consumers.items():
        listed = {
            name: {"file": files[name], "checksum": digest(folder / files[name], "sha256")}
            for name in names
            if name in files
        }
        write_json(folder / f"{stage}.json", listed)
