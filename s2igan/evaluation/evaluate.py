"""The stage ``evaluate``: how good the drawn pictures are, in figures and in pictures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from s2igan.engine.arrays import open_array
from s2igan.engine.distributed import is_first
from s2igan.engine.pictures import save_png
from s2igan.engine.session import Session
from s2igan.engine.showcase import values_of
from s2igan.engine.tables import write_json
from s2igan.errors import UserError, unreadable_output
from s2igan.evaluation.class_table import class_names, write_class_table
from s2igan.evaluation.config import EvaluateConfig
from s2igan.evaluation.consistency import consistency_figures
from s2igan.evaluation.controls import control_figures
from s2igan.evaluation.diversity import diversity_figures
from s2igan.evaluation.drawing import MEND
from s2igan.evaluation.fidelity import fidelity_figures
from s2igan.evaluation.figures import Resampling, absent
from s2igan.evaluation.fine_tuned import load_fine_tuned
from s2igan.evaluation.grids import samples_grid, samples_row, swap_grid
from s2igan.evaluation.judge import Judge
from s2igan.evaluation.keywords import keyword_figures
from s2igan.evaluation.material import Attributes, Judged, Material
from s2igan.evaluation.networks import load_judge
from s2igan.evaluation.r_precision import Critic, r_precision_figures
from s2igan.evaluation.swap import swap_figures
from s2igan.sen.images import load_image_embedding
from s2igan.sen.origin import check_origin
from s2igan.vision.interface import Backbone
from s2igan.vision.names import FINE_TUNED


def evaluate(
    config: EvaluateConfig,
    *,
    corpus: Path,
    features: Path,
    embeddings: Path,
    samples: Path,
    sen: Path,
    weights: Path,
    metrics: Path,
    classes: Path,
    plots: Path,
    session: Session,
) -> None:
    """Write the figures of the drawn pictures, and pictures to look at.

    Args:
        config: the section ``evaluate``.
        corpus: ``artifacts/corpus``.
        features: ``artifacts/features``.
        embeddings: ``artifacts/embeddings``.
        samples: ``artifacts/samples``.
        sen: ``artifacts/sen``, the critic where no judge reads what descriptions say.
        weights: ``artifacts/weights``, for networks that do not come with the package.
        metrics: JSON file of the figures.
        classes: TSV file of the same class by class.
        plots: folder of ``samples_grid.png``, ``samples_row.png`` and ``swap_grid.png``.
        session: device and tracking.

    Raises:
        UserError: if inputs are missing, do not belong together or are too few for the settings.
    """
    material = Material(
        corpus,
        features,
        samples,
        config.crop,
        training_pictures=config.training_pictures,
        seed=config.seed,
    )
    speech = _embedded_speech(embeddings, material, sen)
    if not len(material.drawn_captions):
        sets = ", ".join(map(repr, material.samples["set"].astype(str).unique()))
        raise UserError(
            f"samples {str(samples)!r}",
            got=f"no picture of the set {material.drawn_set!r}, but of {sets or 'none'}",
            fix=MEND,
        )
    judge = _network(config.backbone, "judge", config, weights, session)
    fidelity = None
    other = config.fidelity_backbone
    if other is not None and other != config.backbone:
        fidelity = _network(other, "fidelity", config, weights, session)
    judged = Judged.of(material, judge, fidelity, _classifier(config, material, weights, session))
    if not is_first():
        return  # all of them look, one counts

    def critic() -> Critic:
        embed = load_image_embedding(features, weights, sen, session.device)
        return Critic(embed, speech, session.device, config.batch_size)

    figures = take_figures(judged, config, embeddings, critic)
    grids = {
        "samples_grid": samples_grid(
            material, features, config.grid_sentences, config.grid_pictures, config.seed
        ),
        "samples_row": samples_row(material, config.grid_sentences, config.seed),
        "swap_grid": swap_grid(material, config.swap_grid_pairs, config.seed),
    }
    write_json(metrics, figures)
    write_class_table(classes, figures, class_names(material.corpus.images))
    session.tracker.summary(dict(values_of(figures)))
    for name, picture in grids.items():
        save_png(plots / f"{name}.png", picture)
        session.tracker.picture(name, picture)


def _embedded_speech(embeddings: Path, material: Material, sen: Path) -> npt.NDArray[np.float32]:
    """Return the embeddings of the corpus's utterances, once those of its pictures fit, too."""
    speech = open_array(embeddings / "speech.npy", ndim=2, dtype="float32")
    seen = open_array(embeddings / "image.npy", ndim=3, dtype="float32")
    material.corpus.check_rows(
        pictures={"image.npy": len(seen)}, utterances={"speech.npy": len(speech)}
    )
    check_origin(embeddings, sen, ["speech.npy", "image.npy"])
    for name, values in (("speech.npy", speech), ("image.npy", seen)):
        # The sum takes no memory, and is finite where every value is.
        if not np.isfinite(values.sum(dtype=np.float64)):
            raise unreadable_output(f"embeddings {str(embeddings / name)!r}", "some not finite")
    return speech


def _classifier(
    config: EvaluateConfig, material: Material, weights: Path, session: Session
) -> Judge | None:
    """Return the network of the inception score, if it has one of its own."""
    name = config.is_backbone
    if name in (None, config.fidelity_backbone or config.backbone):
        return None
    if name != FINE_TUNED:
        return _network(name, "inception score", config, weights, session)
    network = load_fine_tuned(weights, material.corpus, material.drawn_set)
    return _judge(network, "inception score", config, session)


def _network(
    name: str, role: str, config: EvaluateConfig, weights: Path, session: Session
) -> Judge:
    return _judge(load_judge(name, weights), role, config, session)


def _judge(network: Backbone, role: str, config: EvaluateConfig, session: Session) -> Judge:
    return Judge(
        network,
        session.device,
        config.precision,
        config.batch_size,
        role=role,
        progress=session.progress,
    )


def take_figures(
    judged: Judged, config: EvaluateConfig, embeddings: Path, critic: Callable[[], Critic]
) -> dict[str, object]:
    """Take every figure; groups that the corpus or the judge does not allow say why.

    Args:
        judged: the pictures and what the networks saw.
        config: the section ``evaluate``.
        embeddings: ``artifacts/embeddings``.
        critic: opens the SEN.

    Returns:
        Groups ``fidelity``, ``consistency``, ``r_precision``, ``keywords``, ``swap``,
        ``diversity``, ``controls``.
    """
    resampling = Resampling.of(config)
    reason = _no_attributes(judged)
    attributes = None if reason else Attributes.of(judged.material.corpus)
    figures: dict[str, object] = {
        "fidelity": fidelity_figures(judged, config),
        "consistency": consistency_figures(judged, resampling, config),
        **r_precision_figures(judged, attributes, critic, config),
    }
    if attributes is None:
        figures["keywords"] = figures["swap"] = absent(str(reason))
    else:
        figures["keywords"] = keyword_figures(judged, attributes, resampling)
        figures["swap"] = swap_figures(judged, attributes, resampling)
    figures["diversity"] = diversity_figures(judged, resampling)
    figures["controls"] = control_figures(judged, attributes, reason, embeddings, resampling)
    return figures


def _no_attributes(judged: Judged) -> str | None:
    if not judged.material.corpus.has_attributes:
        return "the corpus names no attributes of its pictures"
    if not judged.drawn.reads_attributes:
        return f"{judged.judge}, reads no attributes"
    return None
