"""Training of SEN: both encoders learn one space (paper §2.2)."""

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from s2igan.engine.device import autocast
from s2igan.engine.divergence import fit_past_faults, require_finite
from s2igan.engine.folders import fresh_folder
from s2igan.engine.progress import bar
from s2igan.engine.session import Session
from s2igan.sen.artifact import save_sen
from s2igan.sen.batches import Augmentation, Batch, PairStream
from s2igan.sen.checks import check_trainable
from s2igan.sen.config import SenConfig
from s2igan.sen.data import SenData
from s2igan.sen.image_encoder import ImageEncoder
from s2igan.sen.losses import SenObjective
from s2igan.sen.schedule import learning_rate
from s2igan.sen.speech_encoder import SpeechEncoder
from s2igan.sen.validation import validation_map


def train_sen(
    config: SenConfig,
    *,
    corpus: Path,
    features: Path,
    out: Path,
    curves: Path,
    session: Session,
) -> None:
    """Train on the captions of the split ``train`` and write ``artifacts/sen``.

    Test classes are never read. Validation classes, where the corpus has any, are watched, and with
    ``keep: best_val`` they choose the weights. Where pictures have no classes, each is its own: the
    distinctive loss, which would learn every picture by heart, is off, and so is the same-class
    mask, but for a picture that a batch holds twice.

    Args:
        config: the section ``sen``.
        corpus: ``artifacts/corpus``.
        features: ``artifacts/features``.
        out: ``artifacts/sen``.
        curves: TSV of losses and validation mAP over the steps.
        session: device, tracking and checkpoints.

    Raises:
        UserError: if the corpus cannot be trained on, or the loss stops being finite.
    """
    data = SenData(corpus, features)
    if not data.corpus.has_classes:
        sys.stderr.write(
            "train_sen: the pictures have no classes; the distinctive loss and the same-class mask "
            "are off\n"
        )
    training = fit_past_faults(lambda: SenTraining(config, data, session))
    write_curves(curves, training.rows)
    with fresh_folder(out) as partial:
        save_sen(
            partial,
            training.speech_encoder,
            training.image_encoder,
            encoder=config.encoder,
            objective=config.objective,
            seed=config.seed,
            mel=training.data.mel_description,
            training=training.summary(),
        )
    for path in sorted(out.iterdir()):
        session.tracker.file(path, "sen")


class SenTraining:
    """One training run: encoders, optimiser and position, as a checkpoint holds them.

    Args:
        config: the section ``sen``.
        data: corpus and features.
        session: device, tracking and checkpoints.

    Raises:
        UserError: if the config or the corpus leaves nothing to train.
    """

    def __init__(self, config: SenConfig, data: SenData, session: Session) -> None:
        self.config, self.data, self.session = config, data, session
        train = data.captions("train")
        classes, labels = np.unique(train.classes, return_inverse=True)
        self.watched = len(np.unique(data.captions("val").classes)) > 1
        has_classes = data.corpus.has_classes
        check_trainable(config, classes=len(classes), watched=self.watched, has_classes=has_classes)
        self.distinctive = config.distinctive_loss and has_classes
        self.summary_counts = {
            "classes" if has_classes else "pictures": len(classes),
            "utterances": len(train.utterances),
            "distinctive": self.distinctive,
        }
        self.stream = PairStream(
            data.sequences,
            data.backbone,
            utterances=train.utterances,
            images=train.images,
            labels=labels.astype(np.int64),
            batch=config.batch,
            seed=config.seed,
            augmentation=_augmentation(config),
        )
        self._build(len(classes))
        self.step = 0
        self.rows: list[dict[str, float]] = []
        self.best: dict[str, Any] = {"val_mAP": -math.inf, "step": 0, "model": {}}
        self._sums: dict[str, Tensor] = {}

    def _build(self, classes: int) -> None:
        config, device = self.config, self.session.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.speech_encoder = SpeechEncoder(
                bands=self.data.sequences.values.shape[1],
                channels=config.channels,
                kernel=config.kernel,
                stride=config.stride,
                activation=config.activation,
                gru_hidden=config.gru_hidden,
                gru_layers=config.gru_layers,
                attention_hidden=config.attention_hidden,
                embedding_dim=config.embedding_dim,
            )
            self.image_encoder = ImageEncoder(self.data.backbone.shape[2], config.embedding_dim)
            self.objective = SenObjective(
                config.embedding_dim,
                classes,
                matching=config.matching_loss,
                distinctive=self.distinctive,
                distinctive_weight=config.distinctive_weight,
                beta=config.beta,
                reduction=config.reduction,
            )
        self.model = nn.ModuleList([self.speech_encoder, self.image_encoder, self.objective])
        self.model.to(device)
        self.optimizer = torch.optim.Adam(
            self.model.parameters(),
            betas=(config.betas[0], config.betas[1]),
            weight_decay=config.weight_decay,
        )

    def fit(self) -> None:
        """Train to the last step, on from the checkpoint where there is one."""
        saved = self.session.checkpoints.load()
        if saved is not None:
            self.load_state(saved)
        self.model.train()
        steps = range(self.step, self.config.steps)
        for step in bar(steps, "train_sen") if self.session.progress else steps:
            self._update(self.stream[step].to(self.session.device))
            self.step = step + 1
            self._on_interval()
        if self.config.keep == "best_val":
            self.model.load_state_dict(self.best["model"])
        self.model.eval()

    def _update(self, batch: Batch) -> None:
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(
                self.step,
                steps=config.steps,
                lr=config.lr,
                schedule=config.schedule,
                warmup_steps=config.warmup_steps,
                decay_every_steps=config.decay_every_steps,
                decay_factor=config.decay_factor,
            )
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.session.device, config.precision):
            speech = self.speech_encoder(batch.frames, batch.lengths)
            image = self.image_encoder(batch.features)
        losses = self.objective(speech, image, batch.labels)
        losses["loss"].backward()
        self.optimizer.step()
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, torch.zeros_like(value)) + value.detach()

    def _on_interval(self) -> None:
        config, last = self.config, self.step == self.config.steps
        logs = last or self.step % config.log_every_steps == 0
        watches = self.watched and (last or self.step % config.val_every_steps == 0)
        if logs or watches:
            self._log(watches)
        if self.step % config.checkpoint_every_steps == 0 and not last:
            self._check()
            self.session.checkpoints.save(self.state())

    def _log(self, watches: bool) -> None:
        since = self.rows[-1]["step"] if self.rows else 0
        self._check()
        row = {name: float(value) / (self.step - since) for name, value in self._sums.items()}
        row["lr"] = self.optimizer.param_groups[0]["lr"]
        if watches:
            row["val_mAP"] = self._watch()
        self.rows.append({"step": self.step, **row})
        self._sums = {}
        self.session.tracker.log(self.step, row)

    def _check(self) -> None:
        loss = float(self._sums.get("loss", 0.0))
        fix = "lower sen.lr or set sen.precision to float32"
        require_finite("loss of SEN", loss, self.step, fix)

    def _watch(self) -> float:
        self.model.eval()
        value = validation_map(
            self.data,
            self.speech_encoder,
            self.image_encoder,
            device=self.session.device,
            precision=self.config.precision,
        )
        self.model.train()
        if self.config.keep == "best_val" and value > self.best["val_mAP"]:
            weights = {
                name: v.detach().cpu().clone() for name, v in self.model.state_dict().items()
            }
            self.best = {"val_mAP": value, "step": self.step, "model": weights}
        return value

    def state(self) -> dict[str, Any]:
        """Everything that :meth:`load_state` needs to go on as if nothing had happened."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "rows": self.rows,
            "sums": self._sums,
            "best": self.best,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.step, self.rows, self.best = state["step"], state["rows"], state["best"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self._sums = {name: v.to(self.session.device) for name, v in state["sums"].items()}

    def summary(self) -> dict[str, object]:
        """Figures about the run for ``sen.json``."""
        kept = self.best["step"] if self.config.keep == "best_val" else self.step
        return {
            **self.summary_counts,
            "steps": self.step,
            "kept_step": kept,
            "batch": self.config.batch,
            "final": self.rows[-1],
        }


def write_curves(path: Path, rows: list[dict[str, float]]) -> None:
    """Write one line per row, tab-separated; a cell that was not measured stays empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["\t".join(columns)]
    lines += ["\t".join(_cell(row.get(name)) for name in columns) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _augmentation(config: SenConfig) -> Augmentation:
    return Augmentation(
        time_masks=config.time_masks,
        time_mask_frames=config.time_mask_frames,
        band_masks=config.band_masks,
        band_mask_bands=config.band_mask_bands,
        feature_noise=config.feature_noise,
        feature_dropout=config.feature_dropout,
    )
