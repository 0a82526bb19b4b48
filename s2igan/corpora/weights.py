"""Pretrained weight files that the parameters name."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from pydantic import model_validator

from s2igan.corpora.archives import Archives, locate, require_space
from s2igan.corpora.manifest import PublishedFile, Source, check_sources, read_manifest
from s2igan.engine.section import Section
from s2igan.errors import UserError

SHIPPED: Final = ("compact", "reader")
"""Networks whose weights come with the package."""


class WeightsManifest(Section):
    """``data/weights.yaml``: one published file per network, by its name and origin."""

    sources: dict[str, Source]
    networks: dict[str, PublishedFile]

    @model_validator(mode="after")
    def _sources_known(self) -> Self:
        check_sources(self.sources, list(self.networks.values()))
        return self


def locate_weights(names: Sequence[str], manifest: Path, archives: Archives) -> dict[str, Path]:
    """Find and verify the weight files of ``names``.

    Args:
        names: networks such as ``squeezenet1_1/keras``; shipped ones need no file.
        manifest: ``data/weights.yaml``.
        archives: where weight files lie.

    Returns:
        Path of every file, by its file name.

    Raises:
        UserError: if a network is unknown, or files are missing or wrong.
    """
    networks = read_manifest(manifest, WeightsManifest).networks
    if unknown := [name for name in names if name not in SHIPPED and name not in networks]:
        raise UserError(
            "pretrained networks",
            got=", ".join(unknown),
            expected=f"names out of {', '.join([*SHIPPED, *networks])}",
        )
    needed = [network for name, network in networks.items() if name in names]
    return locate(needed, "weights", archives)


def copy_weights(found: dict[str, Path], folder: Path) -> None:
    """Copy weight files into an existing folder, under their own names.

    Raises:
        UserError: if the disk is too full.
    """
    require_space(folder, sum(path.stat().st_size for path in found.values()))
    for name, path in found.items():
        shutil.copyfile(path, folder / name)
