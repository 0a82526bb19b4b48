"""The authors' training loop of the speech embedding network, one step at a time.

Their loop holds its step within itself, so it runs in a thread of its own over a loader that hands
out a batch when a step is asked for.
"""

import tempfile
import threading
from argparse import Namespace
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from bench.stand_ins import import_reference
from bench.synthetic import FRAMES

CLASSES, BANDS, SIDE = 150, 40, 256
_CONFIG = "cfg/Pretrain/bird_train.yml"


class SenReference:
    """Their trainer, networks and losses, with Inception-v3 in the loop, ``batch`` pairs a step.

    Raises:
        RuntimeError: saying in one line what is missing.
    """

    def __init__(self, folder: str, batch: int) -> None:
        loop, audio, images, classes, config = import_reference(
            folder,
            "steps/pre_traintest.py",
            [
                "steps.pre_traintest",
                "models.AudioModels",
                "models.ImageModels",
                "models.classification",
                "cfg.Pretrain.config",
            ],
        )
        config.cfg_from_file(f"{folder}/{_CONFIG}")
        config.cfg.CUDA, config.cfg.DATA_DIR = True, "data/birds"
        config.cfg.TRAIN.BATCH_SIZE = self.images = batch
        networks = [
            audio.CNN_RNN_ENCODER(),
            images.Inception_v3(),
            images.LINEAR_ENCODER(),
            classes.CLASSIFIER(),
        ]
        self._batch = _batch(batch)
        self._asked, self._given = threading.Semaphore(0), threading.Semaphore(0)
        self._problem: Exception | None = None
        threading.Thread(target=self._train, args=(loop, networks), daemon=True).start()
        self._await()

    def step(self) -> None:
        """Let their loop take one step."""
        self._given.release()
        self._await()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield a batch for every step that is asked for, without end."""
        while True:
            self._asked.release()
            self._given.acquire()
            yield self._batch

    def _train(self, loop: Any, networks: list[Any]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            settings = Namespace(
                save_root=folder, optim="adam", lr=1e-3, lr_decay=50, weight_decay=1e-3
            )
            try:
                loop.train(networks, self, None, settings)
            except Exception as error:
                self._problem = error
                self._asked.release()

    def _await(self) -> None:
        self._asked.acquire()
        if self._problem is not None:
            raise RuntimeError(f"the authors' loop ended: {self._problem}") from self._problem


def _batch(count: int) -> tuple[Any, ...]:
    # What their collating function gives: utterances by falling length, labels from 0.
    rng = np.random.default_rng(0)
    lengths = np.sort(rng.integers(*FRAMES, count))[::-1].copy()
    frames = torch.randn(count, int(lengths[0]), BANDS)
    labels = torch.from_numpy(rng.integers(0, CLASSES, count))
    pictures = torch.rand(count, 1, 3, SIDE, SIDE) * 2 - 1
    return pictures, frames, labels, None, torch.from_numpy(lengths), labels
