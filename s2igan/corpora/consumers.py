"""Which weight files each later stage loads: small lists beside the files, one per stage.

A stage that depended on the whole folder of weights would run again for a network that it does not
load; one that named a file could not follow the parameters. So it depends on its own list, which
changes with the files and with nothing else.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from s2igan.corpora.manifest import read_manifest
from s2igan.corpora.weights import WeightsManifest
from s2igan.engine.tables import write_json


def write_consumers(folder: Path, manifest: Path, consumers: Mapping[str, Sequence[str]]) -> None:
    """Write ``<folder>/<stage>.json`` for every stage: file and checksum of each network.

    Networks that come with the package are left out: they are dependencies by themselves.

    Args:
        folder: the folder of verified weights.
        manifest: ``data/weights.yaml``.
        consumers: names of networks by stage.
    """
    networks = read_manifest(manifest, WeightsManifest).networks
    for stage, names in consumers.items():
        needed = {name: networks[name] for name in names if name in networks}
        listed = {
            name: {"file": file.name, "checksum": file.checksum and file.checksum.value}
            for name, file in needed.items()
        }
        write_json(folder / f"{stage}.json", listed)
