"""The stage ``sample``: pictures for the utterances of a split and for the controls."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from s2igan.corpora.index import Corpus
from s2igan.engine.arrays import ArrayWriter, Ragged
from s2igan.engine.distributed import exhaust, is_first
from s2igan.engine.folders import fresh_folder
from s2igan.engine.pictures import Picture, tile
from s2igan.engine.progress import Bar, bar
from s2igan.engine.session import Session
from s2igan.engine.tables import write_json, write_table
from s2igan.errors import unreadable_output
from s2igan.rdg.artifact import load_generator
from s2igan.rdg.config import SampleConfig
from s2igan.rdg.draw import draw_all
from s2igan.rdg.plan import plan
from s2igan.rdg.utterances import embed_utterances
from s2igan.sen.artifact import check_front_end, load_speech_encoder

# Of the noise only z's, which other models have, too: F_ca's is a matter of this generator.
SCHEMA = pa.schema(
    [
        ("set", pa.string()),
        ("utterance", pa.int32()),
        ("target", pa.int32()),
        ("noise", pa.int32()),
    ]
)


def sample(
    config: SampleConfig,
    *,
    corpus: Path,
    features: Path,
    rdg: Path,
    out: Path,
    session: Session,
) -> None:
    """Draw every picture of :func:`s2igan.rdg.plan.plan` and write ``artifacts/samples``.

    Args:
        config: the section ``sample``.
        corpus: ``artifacts/corpus``.
        features: ``artifacts/features``.
        rdg: ``artifacts/rdg``, whose own speech encoder embeds what is spoken.
        out: receives ``images.npy``, ``(n, S, S, 3)`` uint8, ``samples.parquet`` and
            ``samples.json``, which says how they were drawn.
        session: device and tracker.

    Raises:
        UserError: if an input is missing or unfit, or the split has no captions.
    """
    opened = Corpus(corpus)
    rows = plan(opened.descriptions, config)
    generator = load_generator(rdg).to(session.device)
    encoder = load_speech_encoder(rdg).to(session.device)
    if encoder.embedding_dim != generator.embedding_dim:
        raise unreadable_output(
            f"generator {str(rdg)!r}",
            f"one of {generator.embedding_dim} numbers beside an encoder of "
            f"{encoder.embedding_dim}",
            "train_rdg",
        )
    check_front_end(rdg, features)
    sequences = Ragged(features, encoder.reads)
    opened.check_rows(utterances={f"{encoder.reads}.npy": len(sequences)})
    embeddings = embed_utterances(
        encoder,
        sequences,
        rows["utterance"].to_numpy(np.int64),
        folder=out.parent,
        device=session.device,
        name="sample",
    )
    side = generator.sizes[-1]
    batches = draw_all(
        generator,
        embeddings,
        rows["utterance"].tolist(),
        rows["noise"].tolist(),
        rows["condition_noise"].tolist(),
        seed=config.seed,
        batch_size=config.batch_size,
        device=session.device,
        precision=config.precision,
        ca_noise=config.ca_noise,
        truncation=config.truncation,
    )
    if not is_first():
        exhaust(batches)
        return
    first: list[Picture] = []
    with fresh_folder(out) as partial:
        progress: Bar[None] = bar(len(rows), "sample", unit="pictures")
        with ArrayWriter(partial / "images.npy", np.uint8, (side, side, 3)) as writer, progress:
            for pictures in batches:
                writer.append(pictures)
                progress.update(len(pictures))
                if not first:
                    first.append(pictures[:64])
        write_table(
            partial / "samples.parquet",
            pa.Table.from_pandas(rows, schema=SCHEMA, preserve_index=False),
        )
        write_json(partial / "samples.json", protocol(config))
    session.tracker.picture("samples", tile(first[0], columns=8))


def protocol(config: SampleConfig) -> dict[str, object]:
    """Return what of ``config`` a figure on the pictures has to name."""
    named = {"split", "noise", "ca_noise", "truncation", "captions_per_picture"}
    return config.model_dump(mode="json", include=named)
