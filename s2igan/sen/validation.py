"""Retrieval while SEN trains: the figures that choices are made by."""

from itertools import chain

import numpy as np
import numpy.typing as npt
import torch

from s2igan.engine.device import Precision
from s2igan.errors import unreadable_output
from s2igan.sen.data import Captions, SenData, authors_queries
from s2igan.sen.encode import encode_pictures, encode_speech
from s2igan.sen.model import SenModel
from s2igan.sen.retrieval import Embedded, mean_average_precision

FRAMES_PER_BATCH = 65_536


def validation_map(
    data: SenData, model: SenModel, *, device: torch.device, precision: Precision
) -> float:
    """Mean average precision from speech to image over all captions of the split ``val``.

    Args:
        data: corpus and features.
        model: on ``device``, in evaluation mode.
        device: where to compute.
        precision: arithmetic of matrix products.

    Returns:
        In [0, 1]; a picture of the same class is relevant, which without classes is the described
        picture alone. Pictures are seen in view 0. NaN if an embedding is not finite.

    Raises:
        UserError: if that is because of a feature.
    """
    return _mean_average_precision(data, model, data.captions("val"), "val", device, precision)


def published_test_map(
    data: SenData, model: SenModel, *, device: torch.device, precision: Precision
) -> float:
    """Mean average precision on the test classes, by which the authors' code chooses its weights.

    One query per class, the first caption of its first picture, searches all test pictures. Note:
    the authors' pictures are random crops here too, ours are view 0, the centre.

    Arguments, what is returned and what is raised are as in :func:`validation_map`.
    """
    captions = data.captions("test")
    asked = authors_queries(captions)
    queries = Captions(captions.utterances[asked], captions.images[asked], captions.classes[asked])
    return _mean_average_precision(data, model, queries, "test", device, precision)


def _mean_average_precision(
    data: SenData,
    model: SenModel,
    captions: Captions,
    split: str,
    device: torch.device,
    precision: Precision,
) -> float:
    encoder, pictures = model.speech_encoder, data.described_images(split)
    speech = np.empty((len(captions.utterances), encoder.embedding_dim), np.float32)
    for positions, embeddings in encode_speech(
        encoder,
        data.sequences,
        captions.utterances,
        frames_per_batch=FRAMES_PER_BATCH,
        device=device,
        precision=precision,
    ):
        speech[positions] = embeddings
    views = data.backbone[pictures, 0]  # (n, D)
    image = np.concatenate(
        list(encode_pictures(model.image_encoder, views, device=device, precision=precision))
    )
    if not (np.isfinite(speech).all() and np.isfinite(image).all()):
        _check_features(data, captions, views)
        return np.nan
    queries = Embedded(speech, captions.classes)
    gallery = Embedded(image, data.image_classes[pictures])
    return mean_average_precision(queries, gallery)


def _check_features(data: SenData, captions: Captions, views: npt.NDArray[np.float32]) -> None:
    described = (data.sequences[utterance] for utterance in captions.utterances.tolist())
    if not all(np.isfinite(part).all() for part in chain([views], described)):
        raise unreadable_output("features", "some that are not finite", "features")
