"""Retrieval on validation classes while SEN trains: the figure that choices are made by."""

import numpy as np
import torch

from s2igan.engine.device import Precision
from s2igan.sen.data import SenData
from s2igan.sen.encode import encode_pictures, encode_speech
from s2igan.sen.encoder import DescriptionEncoder
from s2igan.sen.image_encoder import PictureEncoder
from s2igan.sen.retrieval import Embedded, mean_average_precision

FRAMES_PER_BATCH = 65_536


def validation_map(
    data: SenData,
    speech_encoder: DescriptionEncoder,
    image_encoder: PictureEncoder,
    *,
    device: torch.device,
    precision: Precision,
) -> float:
    """Mean average precision from speech to image over all captions of the split ``val``.

    Args:
        data: corpus and features.
        speech_encoder: on ``device``, in evaluation mode.
        image_encoder: on ``device``, in evaluation mode.
        device: where to compute.
        precision: arithmetic of matrix products.

    Returns:
        In [0, 1]; a picture of the same class is relevant, which without classes is the described
        picture alone. Pictures are seen in view 0.
    """
    captions, pictures = data.captions("val"), data.described_images("val")
    speech = np.empty((len(captions.utterances), speech_encoder.embedding_dim), np.float32)
    for positions, embeddings in encode_speech(
        speech_encoder,
        data.sequences,
        captions.utterances,
        frames_per_batch=FRAMES_PER_BATCH,
        device=device,
        precision=precision,
    ):
        speech[positions] = embeddings
    views = data.backbone[pictures, 0]  # (n, D)
    image = np.concatenate(
        list(encode_pictures(image_encoder, views, device=device, precision=precision))
    )
    queries = Embedded(speech, captions.classes)
    gallery = Embedded(image, data.image_classes[pictures])
    return mean_average_precision(queries, gallery)
