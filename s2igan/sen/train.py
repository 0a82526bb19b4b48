"""Training of SEN: both encoders learn one space (paper §2.2)."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from s2igan.engine.adam import Adam
from s2igan.engine.ahead import made_ahead
from s2igan.engine.curves import Curves, write_curves
from s2igan.engine.device import autocast
from s2igan.engine.distributed import (
    average_gradients,
    gathered,
    is_first,
    own_rows,
    spread_from_first,
)
from s2igan.engine.divergence import fit_past_faults, require_finite, require_finite_state
from s2igan.engine.folders import fresh_folder
from s2igan.engine.graphs import CapturedSteps, capturable
from s2igan.engine.keeper import Keeper, last_state
from s2igan.engine.progress import Bar, bar
from s2igan.engine.session import Session
from s2igan.sen.artifact import save_sen
from s2igan.sen.batches import Augmentation, Batch, PairStream
from s2igan.sen.build import ENCODERS
from s2igan.sen.checks import check_reach, check_readable, check_trainable
from s2igan.sen.choice import Choice
from s2igan.sen.config import SenConfig
from s2igan.sen.data import SenData
from s2igan.sen.model import build_model
from s2igan.sen.schedule import learning_rate

_FORM = 64  # T of a captured step is a multiple of it, frames or bytes
_FIX = "lower sen.lr or set sen.precision to float32"


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

    Test classes are never read, but with ``keep: best_test_as_published``. Validation classes,
    where the corpus has any, are watched, and with ``keep: best_val`` they choose the weights.
    Where pictures have no classes, each is its own: the distinctive loss, which would learn every
    picture by heart, is off, and so is the same-class mask, but for a picture that a batch holds
    twice.

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
    data = SenData(corpus, features, ENCODERS[config.encoder].reads)
    lengths = data.sequences.lengths
    check_readable(config, empty=int((lengths == 0).sum()), descriptions=len(lengths))
    _tell(config, data)
    training = fit_past_faults(lambda: SenTraining(config, data, session), config.when_not_finite)
    if not is_first():
        return
    write_curves(curves, training.curves.rows)
    with fresh_folder(out) as partial:
        save_sen(
            partial,
            training.model.speech_encoder,
            training.model.image_encoder,
            encoder=config.encoder,
            objective=config.objective,
            seed=config.seed,
            mel=training.data.mel_description,
            backbones=training.data.backbone_description["names"],
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
        val_classes, test_classes = (
            len(np.unique(data.captions(split).classes)) for split in ("val", "test")
        )
        has_classes = data.corpus.has_classes
        check_trainable(
            config,
            classes=len(classes),
            val_classes=val_classes,
            test_classes=test_classes,
            has_classes=has_classes,
        )
        self.choice = Choice(config.keep, data, has_val=val_classes > 1)
        joint = config.objective == "joint"
        self.distinctive = joint and config.distinctive_loss and has_classes
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
            rows=own_rows(config.batch, "sen.batch"),
        )
        self.model = build_model(
            config,
            bands=data.mel_description["bands"],
            feature_dim=data.backbone.shape[2],
            classes=len(classes),
            distinctive=self.distinctive,
        ).to(session.device)
        check_reach(config, self.model.speech_encoder.shortest, int(data.sequences.lengths.max()))
        spread_from_first(self.model)
        self.optimizer = Adam(
            self.model.parameters(),
            lr=config.lr,
            betas=config.betas,
            weight_decay=config.weight_decay,
            device=session.device,
        )
        self._captures = capturable(session.device)
        self._graphs = CapturedSteps(session.device)
        self.step = 0
        self.curves = Curves("SEN", _FIX)

    def fit(self) -> None:
        """Train to the last step, on from the checkpoint where there is one."""
        saved = last_state(self.session)
        if saved is not None:
            self.load_state_dict(saved)
        self.model.train()
        config, keeper = self.config, self._keeper()
        batches = made_ahead(self.stream.__getitem__, self.step, config.steps)
        with keeper.watching(), self._bar() as progress:
            for step, batch in enumerate(batches, self.step + 1):
                self._update(self.placed(batch))
                self.step = step
                if self._on_interval():
                    progress.note(_main_losses(self.curves.rows[-1]))
                progress.update()
                keeper.after(self.step)
        self.choice.apply(self.model)
        self.model.eval()

    def _keeper(self) -> Keeper:
        return Keeper(
            self.session,
            self.curves,
            state=self.state_dict,
            every=self.config.checkpoint_every_steps,
            steps=self.config.steps,
        )

    def _bar(self) -> Bar[None]:
        config = self.config
        return bar(
            config.steps,
            "train_sen",
            done=self.step,
            unit="utterances",
            each=config.batch,
            shown=self.session.progress,
        )

    def placed(self, batch: Batch) -> Batch:
        """Send a batch to the device; where a graph is captured for every T, there are few."""
        return batch.to(self.session.device, multiple=_FORM if self._captures else 1)

    def _update(self, batch: Batch) -> None:
        self._set_rate()
        if self._captures:
            self.curves.add(self._graphs(batch.frames.shape[1], self._learn, batch))
        else:
            self.curves.add(self._learn(batch))

    def _learn(self, values: Sequence[Tensor]) -> dict[str, Tensor]:
        batch = Batch(*values)
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.session.device, self.config.precision):
            described, seen = self.model.compared(batch)
        # The losses are of the global batch: every process computes them from all rows.
        losses = self.model.objective(gathered(described), gathered(seen), gathered(batch.labels))
        losses["loss"].backward()
        average_gradients(self.model.parameters())
        self.optimizer.step()
        return {name: value.detach() for name, value in losses.items()}

    def _set_rate(self) -> None:
        config = self.config
        rate = learning_rate(
            self.step,
            steps=config.steps,
            lr=config.lr,
            schedule=config.schedule,
            warmup_steps=config.warmup_steps,
            decay_every_steps=config.decay_every_steps,
            decay_factor=config.decay_factor,
        )
        for group in self.optimizer.param_groups:
            if not self._captures:
                group["lr"] = rate
            elif isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:  # a graph knows the place of a value, not the value
                group["lr"] = torch.tensor(rate, device=self.session.device)

    def _on_interval(self) -> bool:
        config, last = self.config, self.step == self.config.steps
        logs = last or self.step % config.log_every_steps == 0
        watches = bool(self.choice.columns) and (last or self.step % config.val_every_steps == 0)
        if logs or watches:
            self._log(watches)
        return logs or watches

    def _log(self, watches: bool) -> None:
        rate = float(self.optimizer.param_groups[0]["lr"])
        figures = self._watch() if watches else {}
        self.session.tracker.log(self.step, self.curves.close_row(self.step, lr=rate, **figures))

    def _watch(self) -> dict[str, float]:
        # A loss that is not finite is told before what follows from it. Losses tell of the weights
        # before a step; those after it are measured.
        self.curves.check(self.step)
        require_finite_state({"model": self.model.state_dict()}, self.step, _FIX)
        self.model.eval()
        figures = self.choice.measure(
            self.model, self.step, device=self.session.device, precision=self.config.precision
        )
        for name, value in figures.items():
            require_finite(f"figure {name!r} of SEN", value, self.step, _FIX)
        self.model.train()
        return figures

    def state_dict(self) -> dict[str, Any]:
        """Everything that :meth:`load_state_dict` needs to go on as if nothing had happened."""
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "curves": self.curves.state_dict(),
            "best": self.choice.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.step, self.choice.best = state["step"], state["best"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.curves.load_state_dict(state["curves"], self.session.device)
        self._graphs.forget()  # they know the optimiser's old places

    def summary(self) -> dict[str, object]:
        """Figures about the run for ``sen.json``."""
        return {
            **self.summary_counts,
            "steps": self.step,
            **self.choice.summary(self.step),
            "batch": self.config.batch,
            "final": self.curves.rows[-1],
        }


def _main_losses(row: dict[str, float]) -> str:
    shown = (name for name in row if name not in ("step", "lr"))
    return ", ".join(f"{name} {row[name]:.4g}" for name in shown)


def _tell(config: SenConfig, data: SenData) -> None:
    if config.objective == "joint" and not data.corpus.has_classes:
        sys.stderr.write(
            "train_sen: the pictures have no classes; the distinctive loss and the same-class mask "
            "are off\n"
        )
    if config.keep == "best_test_as_published":
        sys.stderr.write(
            "train_sen: weights are chosen on the test classes, as the authors published; figures "
            "on them are optimistic\n"
        )


def _augmentation(config: SenConfig) -> Augmentation:
    # Picture features are an input that is roughened, but a teacher's word that is not.
    teaches = config.objective == "teacher_student"
    return Augmentation(
        time_masks=config.time_masks,
        time_mask_frames=config.time_mask_frames,
        band_masks=config.band_masks,
        band_mask_bands=config.band_mask_bands,
        frame_noise=config.frame_noise,
        feature_noise=0.0 if teaches else config.feature_noise,
        feature_dropout=0.0 if teaches else config.feature_dropout,
    )
