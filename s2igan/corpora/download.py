"""The stage ``download``: the corpus that the parameters name, and the weights they need."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from s2igan.corpora import cub, oxford102, recorded
from s2igan.corpora.archives import Archives, refuse_unpublished
from s2igan.corpora.config import CorpusConfig
from s2igan.corpora.consumers import write_consumers
from s2igan.corpora.minibirds import build as minibirds
from s2igan.corpora.published import Task
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
    _require_corpus(config, manifests, archives)
    chosen, found = collect_weights(names, manifests / "weights.yaml", archives)
    with fresh_folder(out_weights) as folder:
        copy_weights(found, folder)
        write_consumers(folder, {name: file.name for name, file in chosen.items()}, weights)
        _build_corpus(config, manifests, archives, out_corpus, workers)


def _require_corpus(config: CorpusConfig, manifests: Path, archives: Archives) -> None:
    """Refuse what can neither be found nor be fetched before the first weights are fetched."""
    manifest = manifests / f"{config.kind}.yaml"
    match config.kind:
        case "cub":
            refuse_unpublished(cub.files_of(config.edition, manifest), config.kind, archives)
        case "oxford102":
            files = oxford102.files_of(
                config.edition, manifest, authors_speech=config.authors_speech
            )
            refuse_unpublished(files, config.kind, archives)
        case "recorded":
            recorded.find_index(config.edition, archives)


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
            cub.build(_task(config, manifests, archives, out, workers))
        case "oxford102":
            task = _task(config, manifests, archives, out, workers)
            oxford102.build(task, authors_speech=config.authors_speech)
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


def _task(
    config: CorpusConfig, manifests: Path, archives: Archives, out: Path, workers: int
) -> Task:
    return Task(
        manifest=manifests / f"{config.kind}.yaml",
        edition=config.edition,
        archives=archives,
        seed=config.seed,
        val_classes=config.val_classes,
        on_broken=config.on_broken,
        out=out,
        workers=workers,
    )
