"""The stage ``download``: the corpus that the parameters name, and the weights they need."""

from collections.abc import Sequence
from pathlib import Path

from s2igan.corpora import cub, oxford102, recorded
from s2igan.corpora.archives import Archives
from s2igan.corpora.config import CorpusConfig, conflicts
from s2igan.corpora.minibirds import build as minibirds
from s2igan.corpora.weights import copy_weights, locate_weights
from s2igan.engine.folders import fresh_folder
from s2igan.errors import UserError


def download(
    config: CorpusConfig,
    *,
    weights: Sequence[str],
    manifests: Path,
    archives: Archives,
    out_corpus: Path,
    out_weights: Path,
    workers: int,
) -> None:
    """Write the corpus folder and the folder of weights, both whole or not at all.

    Published files are taken from the folder of archives and verified against the manifests.

    Args:
        config: section ``corpus``.
        weights: pretrained networks, such as ``squeezenet1_1/keras``.
        manifests: the folder ``data/``.
        archives: where published files, prepared folders and weight files lie or go to.
        out_corpus: the corpus folder to (re)place.
        out_weights: the folder of weights to (re)place; it is there even if it stays empty.
        workers: processes for host work; no influence on the result.

    Raises:
        UserError: if an archive, a prepared folder or a weight file is missing or wrong, the
            corpus has defects, or the disk is too full.
    """
    if wrong := conflicts(config):
        raise UserError("; ".join(wrong))
    found = locate_weights(weights, manifests / "weights.yaml", archives)
    with fresh_folder(out_weights) as folder:
        copy_weights(found, folder)
        _build_corpus(config, manifests, archives, out_corpus, workers)


def _build_corpus(
    config: CorpusConfig, manifests: Path, archives: Archives, out: Path, workers: int
) -> None:
    match config.kind:
        case "minibirds":
            minibirds.build(
                config.minibirds,
                config.seed,
                config.val_classes,
                manifests / "minibirds.yaml",
                out,
                workers,
            )
        case "cub":
            cub.build(
                manifests / "cub.yaml",
                config.edition,
                archives=archives,
                seed=config.seed,
                val_classes=config.val_classes,
                on_broken=config.on_broken,
                out=out,
                workers=workers,
            )
        case "oxford102":
            oxford102.build(
                manifests / "oxford102.yaml",
                config.edition,
                archives=archives,
                seed=config.seed,
                val_classes=config.val_classes,
                on_broken=config.on_broken,
                authors_speech=config.authors_speech,
                out=out,
                workers=workers,
            )
        case "recorded":
            recorded.build(
                config.edition,
                archives=archives,
                seed=config.seed,
                val_classes=config.val_classes,
                test_share=config.test_share,
                on_broken=config.on_broken,
                out=out,
                workers=workers,
            )
