"""The stage ``sample``: pictures for the test utterances and for the controls."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from s2igan.corpora.index import Corpus
from s2igan.engine.arrays import ArrayWriter, open_array
from s2igan.engine.folders import fresh_folder
from s2igan.engine.pictures import Picture, tile
from s2igan.engine.progress import Bar, bar
from s2igan.engine.session import Session
from s2igan.engine.tables import write_table
from s2igan.rdg.artifact import load_generator
from s2igan.rdg.config import SampleConfig
from s2igan.rdg.draw import draw_all
from s2igan.rdg.plan import plan

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
    embeddings: Path,
    rdg: Path,
    out: Path,
    session: Session,
) -> None:
    """Draw every picture of :func:`s2igan.rdg.plan.plan` and write ``artifacts/samples``.

    Args:
        config: the section ``sample``.
        corpus: ``artifacts/corpus``.
        embeddings: ``artifacts/embeddings``.
        rdg: ``artifacts/rdg``.
        out: receives ``images.npy``, ``(n, S, S, 3)`` uint8, and ``samples.parquet``.
        session: device and tracker.

    Raises:
        UserError: if an input is missing or the corpus has no test captions.
    """
    rows = plan(Corpus(corpus).descriptions, config)
    generator = load_generator(rdg).to(session.device)
    side = generator.sizes[-1]
    batches = draw_all(
        generator,
        open_array(embeddings / "speech.npy"),
        rows["utterance"].tolist(),
        rows["noise"].tolist(),
        seed=config.seed,
        batch_size=config.batch_size,
        device=session.device,
        precision=config.precision,
        ca_noise=config.ca_noise,
        truncation=config.truncation,
    )
    first: list[Picture] = []
    with fresh_folder(out) as partial:
        progress: Bar[None] = bar(len(rows), "sample")
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
    session.tracker.picture("samples", tile(first[0], columns=8))
