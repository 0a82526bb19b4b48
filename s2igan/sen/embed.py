"""The stage ``embed``: utterances and pictures as vectors, and how well they find each other."""

from pathlib import Path

import numpy as np

from s2igan.engine.arrays import ArrayWriter, open_array
from s2igan.engine.distributed import exhaust, first_folder, is_first
from s2igan.engine.session import Session
from s2igan.engine.showcase import values_of
from s2igan.engine.tables import write_json
from s2igan.errors import UserError, unreadable_output
from s2igan.sen.artifact import check_front_end, load_image_encoder, load_speech_encoder
from s2igan.sen.config import EmbedConfig
from s2igan.sen.data import Captions, SenData, authors_queries
from s2igan.sen.encode import Embeddings, encode_pictures, encode_speech
from s2igan.sen.encoder import DescriptionEncoder
from s2igan.sen.images import check_backbones
from s2igan.sen.origin import write_origin
from s2igan.sen.retrieval import Embedded, Judge, retrieval_figures


def embed(
    config: EmbedConfig,
    *,
    corpus: Path,
    features: Path,
    sen: Path,
    out: Path,
    metrics: Path,
    session: Session,
) -> None:
    """Write ``speech.npy``, ``image.npy`` and the retrieval figures on the test classes.

    Args:
        config: the section ``embed``.
        corpus: ``artifacts/corpus``.
        features: ``artifacts/features``.
        sen: ``artifacts/sen``.
        out: ``artifacts/embeddings``: ``speech.npy`` (utterances, E) float32 and ``image.npy``
            (images, views, E) float32, of unit length, in row order; and ``embeddings.json``, which
            tells by which weights they were made.
        metrics: JSON file of the figures.
        session: device and tracking.

    Raises:
        UserError: if the test classes cannot be searched, or inputs do not belong together.
    """
    encoder = load_speech_encoder(sen)
    check_front_end(sen, features)
    data = SenData(corpus, features, encoder.reads)
    test = data.captions("test")
    check_searchable(test, data.corpus.has_classes)
    with first_folder(out) as folder:
        _write_speech(config, data, encoder, folder / "speech.npy", session)
        _write_pictures(config, data, sen, folder / "image.npy", session)
        if is_first():
            write_origin(folder, sen)
    if not is_first():
        return
    pictures = data.described_images("test")
    figures = retrieval_figures(
        Embedded(open_array(out / "speech.npy")[test.utterances], test.classes),
        Embedded(open_array(out / "image.npy")[pictures, 0], data.image_classes[pictures]),
        authors_queries(test),
        Judge(
            seed=config.seed,
            permutations=config.chance_permutations,
            draws=config.bootstrap_draws,
            protocol=_protocol(config, data, test),
            has_classes=data.corpus.has_classes,
        ),
    )
    write_json(metrics, figures)
    session.tracker.summary(dict(values_of(figures, "retrieval")))


def check_searchable(test: Captions, has_classes: bool) -> None:
    """Refuse a test split in which there is nothing to tell apart.

    Raises:
        UserError: if its captions are all of one class, or of one picture without classes.
    """
    unit, count = "classes" if has_classes else "pictures", len(np.unique(test.classes))
    if count < 2:
        raise UserError(
            f"{unit} with captions in the split test",
            got=count,
            expected="at least 2, for retrieval to tell apart",
            fix=f"give the corpus more test {unit}",
        )


def _write_speech(
    config: EmbedConfig, data: SenData, encoder: DescriptionEncoder, path: Path, session: Session
) -> None:
    utterances = np.arange(len(data.sequences))
    encoded = encode_speech(
        encoder.to(session.device),
        data.sequences,
        utterances,
        frames_per_batch=config.frames_per_batch,
        device=session.device,
        precision=config.precision,
    )
    if not is_first():
        exhaust(encoded)
        return
    with ArrayWriter(path, np.float32, (encoder.embedding_dim,)) as writer:
        for positions, embeddings in encoded:
            writer.place(positions, _finite(embeddings, "speech"))


def _write_pictures(
    config: EmbedConfig, data: SenData, sen: Path, path: Path, session: Session
) -> None:
    encoder = load_image_encoder(sen).to(session.device)
    check_backbones(sen, encoder, data.backbone_description["names"], data.backbone.shape[2])
    encoded = encode_pictures(
        encoder, data.backbone, device=session.device, precision=config.precision
    )
    if not is_first():
        exhaust(encoded)
        return
    views = data.backbone.shape[1]
    with ArrayWriter(path, np.float32, (views, encoder.embedding_dim)) as writer:
        for embeddings in encoded:
            writer.append(_finite(embeddings, "pictures"))


def _finite(embeddings: Embeddings, what: str) -> Embeddings:
    # Every figure on them would be a number all the same.
    if not np.isfinite(embeddings).all():
        raise unreadable_output(f"features of the {what}", "some without a finite embedding")
    return embeddings


def _protocol(config: EmbedConfig, data: SenData, test: Captions) -> tuple[str, ...]:
    info, backbone = data.corpus.info, data.backbone_description
    unit, relevant = "pictures", "the described picture is relevant"
    if data.corpus.has_classes:
        unit, relevant = "classes", "same class is relevant"
    return (
        f"corpus {info['kind']}, edition {info['edition']}; {len(np.unique(test.classes))} test "
        f"{unit}, unseen in training; {relevant}",
        f"cosine of SEN embeddings; pictures through {' + '.join(backbone['names'])} "
        f"({backbone['dimension']}-d), one centre view",
        f"chance: descriptions permuted, mean of {config.chance_permutations} permutations",
        f"low, high: 95 % bootstrap over {unit}, {config.bootstrap_draws} draws",
    )
