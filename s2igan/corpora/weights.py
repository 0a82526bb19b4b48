"""Pretrained weight files that the parameters name."""

import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from s2igan.corpora.archives import Archives, locate
from s2igan.corpora.fetching.space import require_space
from s2igan.corpora.fine_tuning import FINE_TUNED, file_name, of_corpus, read_fine_tuning
from s2igan.corpora.manifest import PublishedFile, Source, read_manifest
from s2igan.engine.section import Section
from s2igan.errors import UserError

SHIPPED: Final = ("compact", "reader")
"""Networks whose weights come with the package."""

SPEAKERS: Final = {
    "griffinlim": ["tacotron2/ljspeech-griffinlim"],
    "wavernn": ["tacotron2/ljspeech", "wavernn/ljspeech"],
}
"""Networks of the engine ``tacotron2`` by its vocoder; each vocoder has a Tacotron2 of its own."""

KIND: Final = "weights"
"""Name of their folder among the archives."""


class WeightFile(PublishedFile):
    """A file with the weights of a network.

    Attributes:
        holds: the layers that it serves alone; None where it holds the whole network.
    """

    holds: list[str] | None = None

    def serves(self, layers: Collection[str]) -> bool:
        """Tell whether it holds what is needed for ``layers``; none named means the whole."""
        return self.holds is None or (bool(layers) and set(layers) <= set(self.holds))


class WeightsManifest(Section):
    """``data/weights.yaml``: alternative files of each network, the preferred one first."""

    sources: dict[str, Source]
    networks: dict[str, Annotated[list[WeightFile], Field(min_length=1)]]

    def alternatives(self, name: str) -> list[WeightFile]:
        """Return the files that serve ``<network>`` or ``<network>/<layer>+<layer>…``.

        None serve a shipped network.

        Raises:
            UserError: if the manifest has no such network, or no file with these layers.
        """
        if name in SHIPPED:
            return []
        network, layers = name, ""
        if name not in self.networks:
            network, _, layers = name.rpartition("/")
        if network not in self.networks:
            known = ", ".join([*SHIPPED, *self.networks])
            raise UserError(
                "pretrained networks",
                got=name,
                expected=f"names out of {known}",
                fix="list the files of another one in data/weights.yaml",
            )
        needed = layers.split("+") if layers else []
        if files := [file for file in self.networks[network] if file.serves(needed)]:
            return files
        raise UserError("pretrained networks", got=name, expected="layers that some file holds")


def choose_files(
    names: Sequence[str], manifest: WeightsManifest, archives: Archives
) -> dict[str, WeightFile]:
    """Choose the weight file of every network that is not shipped.

    Names are those such as ``inception_v3/fid2015/Mixed_6e+Mixed_7a``.

    Of the alternatives, the first that lies in the archives is taken; if none does, the first with
    an address. A file that is fetched for one network counts as lying there for the others, so that
    each network has one file whoever loads it.

    Raises:
        UserError: if a network is unknown.
    """
    alternatives = {name: files for name in names if (files := manifest.alternatives(name))}
    chosen = {name: _first(files, archives, ()) for name, files in alternatives.items()}
    to_come = {file.name for file in chosen.values()}
    return {name: _first(files, archives, to_come) for name, files in alternatives.items()}


def _first(files: list[WeightFile], archives: Archives, to_come: Collection[str]) -> WeightFile:
    here = [file for file in files if file.name in to_come or archives.find(KIND, file.name)]
    published = [file for file in files if file.addresses]
    return [*here, *published, *files][0]


def for_corpus(
    weights: Mapping[str, Sequence[str]], kind: str, archives: Archives
) -> dict[str, list[str]]:
    """Say which fine-tuned network is meant, and add the one that it began as.

    Args:
        weights: networks by stage, ``fine_tuned`` perhaps among them.
        kind: of the corpus.
        archives: where the fine-tuned file lies; one that does not adds nothing.

    Returns:
        Networks by stage, all of them names that :func:`choose_files` takes.

    Raises:
        UserError: if the fine-tuned file is broken, or made for another corpus.
    """
    added: list[str] = []
    if any(FINE_TUNED in names for names in weights.values()):
        file = archives.find(KIND, file_name(kind))
        added = [] if file is None else [read_fine_tuning(file, kind).backbone]
    return {
        stage: [*(of_corpus(name, kind) for name in names), *(added if FINE_TUNED in names else [])]
        for stage, names in weights.items()
    }


def collect_weights(
    names: Sequence[str], manifest: Path, archives: Archives
) -> tuple[dict[str, WeightFile], dict[str, Path]]:
    """Find, else fetch, and verify the weight files of networks; shipped ones need none.

    Returns:
        The file of each network, and the path of each file by its file name.

    Raises:
        UserError: if a network is unknown, or a file cannot be had or is wrong.
    """
    chosen = choose_files(names, read_manifest(manifest, WeightsManifest), archives)
    files = {file.name: file for file in chosen.values()}
    return chosen, locate(list(files.values()), KIND, archives)


def copy_weights(found: Mapping[str, Path], folder: Path) -> None:
    """Copy weight files into an existing folder, under their own names.

    Raises:
        UserError: if the disk is too full.
    """
    require_space(folder, sum(path.stat().st_size for path in found.values()))
    for name, path in found.items():
        shutil.copyfile(path, folder / name)
