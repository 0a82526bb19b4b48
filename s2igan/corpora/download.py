"""The stage ``download``: the corpus that the parameters name, and the weights they need."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_never

from s2igan.corpora import cub, oxford102, recorded
from s2igan.corpora.archives import Archives, refuse_unpublished
from s2igan.corpora.config import CorpusConfig
from s2igan.corpora.consumers import write_consumers
from s2igan.corpora.minibirds import build as minibirds
from s2igan.corpora.task import Task
from s2igan.corpora.weights import collect_weights, copy_weights, for_corpus
from s2igan.engine.folders import fresh_folder


def download(
    config: CorpusConfig,
    *,
    weights: Mapping[str, Sequence[str]],
    manifests: Path,
    archives: Archives,
    out_corpus: Path,
    out_weights: Path,
    workers: int,
) -> None:
    """Write the corpus folder and the folder of weights, both whole or not at all.

    Published files are taken from the archives, else fetched into them, and verified against the
    manifests. No other stage opens a connection.

    Args:
        config: section ``corpus``.
        weights: pretrained networks by the stage that loads them, such as
            ``inception_v3/fid2015/Mixed_6e+Mixed_7a``; ``fine_tuned`` is that of the corpus.
        manifests: the folder ``data/``.
        archives: where published files, prepared folders and weight files lie or go to.
        out_corpus: the corpus folder to (re)place.
        out_weights: the folder of weights to (re)place, with the list of each stage that loads any.
        workers: processes for host work; no influence on the result.

    Raises:
        UserError: if an archive, a prepared folder or a weight file cannot be had or is wrong, the
            corpus has defects, or the disk is too full.
    """
    weights = for_corpus(weights, config.kind, archives)
    names = sorted({name for names in weights.values() for name in names})
    task = Task(
        manifest=manifests / f"{config.kind}.yaml",
        edition=config.edition,
        archives=archives,
        seed=config.seed,
        val_classes=config.val_classes,
        test_share=config.test_share,
        on_broken=config.on_broken,
        out=out_corpus,
        workers=workers,
    )
    _require_corpus(config, task)
    chosen, found = collect_weights(names, manifests / "weights.yaml", archives)
    with fresh_folder(out_weights) as folder:
        copy_weights(found, folder)
        write_consumers(folder, {name: file.name for name, file in chosen.items()}, weights)
        _build_corpus(config, task)


def _require_corpus(config: CorpusConfig, task: Task) -> None:
    """Refuse what can neither be found nor be fetched before the first weights are fetched."""
    match config.kind:
        case "cub":
            files = cub.files_of(task.edition, task.manifest)
            refuse_unpublished(files, config.kind, task.archives)
        case "oxford102":
            speech = config.authors_speech
            files = oxford102.files_of(task.edition, task.manifest, authors_speech=speech)
            refuse_unpublished(files, config.kind, task.archives)
        case "recorded":
            recorded.find_index(task.edition, task.archives)


def _build_corpus(config: CorpusConfig, task: Task) -> None:
    match config.kind:
        case "minibirds":
            minibirds.build(config.minibirds, task)
        case "cub":
            cub.build(task)
        case "oxford102":
            oxford102.build(task, authors_speech=config.authors_speech)
        case "recorded":
            recorded.build(task)
        case _:
            assert_never(config.kind)
