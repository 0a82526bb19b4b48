"""The stage ``train_rdg`` (paper §2.3): on the embeddings of SEN, or on speech as it is."""

from pathlib import Path

import torch

from s2igan.corpora.index import Corpus
from s2igan.engine.arrays import open_array
from s2igan.engine.curves import write_curves
from s2igan.engine.distributed import is_first, own_rows
from s2igan.engine.divergence import fit_past_faults
from s2igan.engine.folders import fresh_folder
from s2igan.engine.session import Session
from s2igan.errors import UserError, unreadable_output
from s2igan.rdg.artifact import save_generator, write_speech_encoder
from s2igan.rdg.batches import BatchStream, TrainingPictures
from s2igan.rdg.config import RdgConfig
from s2igan.rdg.speech_modes import open_speech
from s2igan.rdg.speech_source import SpeechSource
from s2igan.rdg.training import RdgTraining
from s2igan.sen.artifact import (
    check_front_end,
    load_speech_encoder,
    read_description,
    seeded_speech_encoder,
)
from s2igan.sen.images import load_image_embedding
from s2igan.sen.origin import check_origin
from s2igan.vision.device_pixels import open_pixels


def train_rdg(
    config: RdgConfig,
    *,
    corpus: Path,
    features: Path,
    embeddings: Path,
    sen: Path,
    weights: Path,
    out: Path,
    curves: Path,
    grid: Path,
    session: Session,
) -> None:
    """Train on the pictures of the split ``train`` and write ``artifacts/rdg``.

    The generator that is kept is the average over the steps, at the last step, and so is a speech
    encoder that learnt with it.

    Args:
        config: the section ``rdg``.
        corpus: ``artifacts/corpus``.
        features: ``artifacts/features``.
        embeddings: ``artifacts/embeddings``; those of speech are read where SEN's trained encoder
            is the one that the generator obeys.
        sen: ``artifacts/sen``.
        weights: ``artifacts/weights``, read where generated pictures are embedded.
        out: ``artifacts/rdg``.
        curves: TSV of every loss term over the steps.
        grid: PNG of fixed captions and noise over the steps.
        session: device, tracking and checkpoints.

    Raises:
        UserError: if an input is missing or unfit, or a loss stops being finite.
    """
    opened = Corpus(corpus)
    check_inputs(config, opened, features, embeddings, sen)
    pictures = TrainingPictures(opened.images, opened.descriptions)
    speech = open_speech(
        config,
        pictures.captions,
        features=features,
        embeddings=embeddings,
        sen=sen,
        folder=out.parent,
        device=session.device,
    )
    stream = open_stream(
        config, pictures, speech.source, features, embeddings, device=session.device
    )
    if config.use_rs:
        check_views(stream)
    embed_image = None
    if config.use_rs or config.matching_weight:
        embed_image = load_image_embedding(features, weights, sen, session.device)
    training = fit_past_faults(
        lambda: RdgTraining(config, stream, speech, embed_image, session), config.when_not_finite
    )
    generator, encoder = training.averaged()
    if not is_first():
        return
    with fresh_folder(out) as partial:
        summary = {
            "steps": config.steps,
            "speech_encoder": config.speech_encoder,
            "final": training.curves.rows[-1],
        }
        save_generator(partial, generator, training=summary)
        if encoder is None:
            speech.write(partial)
        else:
            write_speech_encoder(partial, encoder, read_description(sen))
    write_curves(curves, training.curves.rows)
    training.grid.write(grid)
    for path in sorted(out.iterdir()):
        session.tracker.file(path, "rdg")


def check_inputs(
    config: RdgConfig, corpus: Corpus, features: Path, embeddings: Path, sen: Path
) -> None:
    """Refuse inputs that do not belong together, before anything learns from them.

    Raises:
        UserError: if one was made of another corpus or by another encoder, or is missing or
            damaged. Embeddings of a version that did not tell what made them are compared by width.
    """
    packed = open_array(features / "shapes.npy", ndim=2)
    seen = open_array(embeddings / "image.npy", ndim=3, dtype="float32")
    corpus.check_rows(pictures={"shapes.npy": len(packed), "image.npy": len(seen)})
    widths = {"image.npy": seen.shape[2:]}
    if config.speech_encoder == "trained":
        encoder = load_speech_encoder(sen)
        speech = open_array(embeddings / "speech.npy", ndim=2, dtype="float32")
        corpus.check_rows(utterances={"speech.npy": len(speech)})
        widths["speech.npy"] = speech.shape[1:]
    else:
        encoder = seeded_speech_encoder(sen)
        check_front_end(sen, features)
    for name, width in widths.items():
        if width != (encoder.embedding_dim,):
            raise unreadable_output(
                f"embeddings {str(embeddings / name)!r}",
                f"rows that end in {width}, not in {encoder.embedding_dim} numbers as in SEN",
                "embed",
            )
    check_origin(embeddings, sen, widths)


def open_stream(
    config: RdgConfig,
    pictures: TrainingPictures,
    speech: SpeechSource,
    features: Path,
    embeddings: Path,
    *,
    device: torch.device | None = None,
) -> BatchStream:
    """Open what the RDG trains on, pictures in the memory of ``device`` where that is a GPU.

    Raises:
        UserError: if an input is missing.
    """
    return BatchStream(
        pictures,
        open_pixels(features, device or torch.device("cpu")),
        speech,
        open_array(embeddings / "image.npy"),
        seed=config.seed,
        batch_size=config.batch_size,
        crop=config.crop,
        noise_dim=config.noise_dim,
        condition_dim=config.condition_dim,
        wrong_pictures=config.wrong_pairs == "pictures",
        wrong_speech=config.wrong_pairs == "speech",
        embedding_mix=config.embedding_mix,
        rows=own_rows(config.batch_size, "rdg.batch_size"),
    )


def check_views(stream: BatchStream) -> None:
    """Refuse pictures that the relation supervisor could compare with nothing but themselves.

    Raises:
        UserError: if a picture is the only one of its class and was looked at in a single view.
    """
    lonely, views = stream.pictures.lonely, stream.seen.shape[1]
    if lonely and views < 2:
        raise UserError(
            "features.views",
            got=views,
            expected=f"at least 2, since {lonely} training pictures have no other picture of their "
            "class and the relation supervisor compares each with another view of itself",
            fix="raise it or set rdg.use_rs to false",
        )
