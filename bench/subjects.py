"""What is measured: one subject is one kind of work on one set of artifacts."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import torch

from s2igan.config import Params, read_params
from s2igan.corpora.index import Corpus
from s2igan.engine.ahead import made_ahead
from s2igan.engine.session import plain_session
from s2igan.rdg.batches import TrainingPictures
from s2igan.rdg.draw import draw, noise_vectors
from s2igan.rdg.networks import build_generator
from s2igan.rdg.speech_modes import open_speech
from s2igan.rdg.step import RdgStep
from s2igan.rdg.train import open_stream
from s2igan.sen.data import SenData
from s2igan.sen.images import load_image_embedding
from s2igan.sen.train import SenTraining
from s2igan.vision.backbones import load_backbone
from s2igan.vision.device_pixels import Crops, open_pixels
from s2igan.vision.features import see_squares

Kind = Literal["rdg", "sen", "sen_live", "tts", "features", "sample", "evaluate"]
T = TypeVar("T")
_FAR = 10**9  # more steps than are ever taken


class Subject(Protocol):
    """One kind of work, step by step."""

    images: int  # per step

    def step(self) -> None:
        """Do the work of one step."""
        ...


@dataclass(frozen=True)
class Setting:
    """How a subject works.

    Attributes:
        params: file of parameters, whose sizes, terms and precisions count.
        artifacts: what the pipeline has made, or a folder of synthetic artifacts.
        kind: the work.
        plain: plain float32 with nothing clever, see :mod:`bench.plain`.
        precision: instead of the parameters' own, or None.
        batch: instead of the parameters' own, or None.
        device: where.
    """

    params: str
    artifacts: str
    kind: Kind
    plain: bool = False
    precision: Literal["float32", "bfloat16"] | None = None
    batch: int | None = None
    device: str = "cpu"

    def read(self) -> Params:
        """Read the parameters with what is changed about them."""
        params = read_params(Path(self.params))
        precision = "float32" if self.plain else self.precision
        changes: dict[str, Any] = {}
        for name, size in (
            ("rdg", "batch_size"),
            ("sen", "batch"),
            ("features", "batch"),
            ("sample", "batch_size"),
            ("evaluate", "batch_size"),
        ):
            update: dict[str, Any] = {"precision": precision} if precision else {}
            update |= {size: self.batch} if self.batch else {}
            changes[name] = getattr(params, name).model_copy(update=update)
        return params.model_copy(update=changes)


def open_subject(setting: Setting) -> Subject:
    """Set up what ``setting`` describes."""
    params, folder = setting.read(), Path(setting.artifacts)
    device = torch.device(setting.device)
    if setting.kind == "rdg":
        return _Rdg(setting, params, folder, device)
    if setting.kind in ("sen", "sen_live"):
        return _Sen(setting, params, folder, device)
    if setting.kind == "tts":
        # Reads and writes audio, which a machine that only trains may have no library for.
        from bench.speech_subject import Speech

        return Speech(params, folder, plain=setting.plain)
    if setting.kind == "sample":
        return _Sample(params, device)
    return _Looking(setting, params, folder, device)


def _batches(make: Callable[[int], T], setting: Setting) -> Iterator[T]:
    return map(make, range(_FAR)) if setting.plain else made_ahead(make, 0, _FAR)


class _Rdg:
    def __init__(
        self, setting: Setting, params: Params, folder: Path, device: torch.device
    ) -> None:
        config = params.rdg
        corpus = Corpus(folder / "corpus")
        pictures = TrainingPictures(corpus.images, corpus.descriptions)
        kept = {name: folder / name for name in ("features", "embeddings", "sen")}
        with tempfile.TemporaryDirectory() as scratch:
            speech = open_speech(
                config, pictures.captions, **kept, folder=Path(scratch), device=device
            )
            stream = open_stream(
                config,
                pictures,
                speech.source,
                folder / "features",
                folder / "embeddings",
                device=None if setting.plain else device,
            )
            statistics = speech.statistics() if config.standardise_speech else None
        embed = None
        if config.use_rs or config.matching_weight:
            embed = load_image_embedding(
                folder / "features", folder / "weights", folder / "sen", device
            )
        self._update = RdgStep(
            config,
            embedding_dim=speech.source.embedding_dim,
            embed_image=embed,
            encoder=speech.learning,
            speech_statistics=statistics,
            device=device,
        )
        self.images, self._number = config.batch_size, 0
        self._batches = _batches(stream.__getitem__, setting)

    def step(self) -> None:
        self._update(self._number, next(self._batches))
        self._number += 1


class _Sen:
    def __init__(
        self, setting: Setting, params: Params, folder: Path, device: torch.device
    ) -> None:
        config = params.sen
        data = SenData(folder / "corpus", folder / "features")
        self._training = SenTraining(config, data, plain_session(str(device)))
        self._training.model.train()
        self.images = config.batch
        self._batches = _batches(self._training.stream.__getitem__, setting)
        self._live, self._number = setting.kind == "sen_live", 0
        self._crop, self._count = params.features.crop, len(data.backbone)
        if self._live:
            self._pixels = open_pixels(folder / "features", device)
            names, weights = params.features.backbones, folder / "weights"
            self._backbones = [load_backbone(name, weights).to(device) for name in names]

    def step(self) -> None:
        training = self._training
        batch = training.placed(next(self._batches))
        if self._live:
            batch = batch._replace(features=self._look())
        training._update(batch)
        training.step = self._number = self._number + 1

    @torch.no_grad()
    def _look(self) -> torch.Tensor:
        rng = np.random.default_rng(self._number)
        rows = rng.integers(0, self._count, self.images)
        crops = self._pixels.crops(rows, self._crop, rng)
        pictures = crops.cut() if isinstance(crops, Crops) else torch.from_numpy(crops)
        device = self._training.session.device
        images = pictures.to(device).permute(0, 3, 1, 2).float() / 255
        return torch.cat([network(images).features.float() for network in self._backbones], dim=1)


class _Looking:
    """What ``features`` and ``evaluate`` spend their time with: backbones over pictures."""

    def __init__(
        self, setting: Setting, params: Params, folder: Path, device: torch.device
    ) -> None:
        of_features = setting.kind == "features"
        names = params.features.backbones if of_features else [params.evaluate.backbone]
        section = params.features if of_features else params.evaluate
        self._precision = section.precision
        self.images = params.features.batch if of_features else params.evaluate.batch_size
        self._backbones = [load_backbone(name, folder / "weights").to(device) for name in names]
        rng = np.random.default_rng(0)
        self._squares = [
            rng.integers(0, 256, (self.images, b.input_size, b.input_size, 3), np.uint8)
            for b in self._backbones
        ]

    def step(self) -> None:
        see_squares(self._backbones, [self._squares], batch=self.images, precision=self._precision)


class _Sample:
    def __init__(self, params: Params, device: torch.device) -> None:
        self._config, self._device = params.sample, device
        size = params.sen.embedding_dim
        self._generator = build_generator(params.rdg, size).eval().to(device)
        self.images = params.sample.batch_size
        dimension = params.rdg.noise_dim + params.rdg.condition_dim
        self._noise = noise_vectors(0, range(self.images), dimension)
        rng = np.random.default_rng(0)
        self._speech = rng.standard_normal((self.images, size), np.float32)

    def step(self) -> None:
        draw(
            self._generator,
            self._speech,
            self._noise,
            device=self._device,
            precision=self._config.precision,
        )
