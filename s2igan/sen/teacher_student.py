"""The objective of direct speech-to-image translation, the paper's [12]: learn the teacher's words.

Li et al. 2020, arXiv 2004.03413, as ``smallflyingpig/speech-to-image-translation-without-text``
publishes it: ``Audio_to_Image/jel.py``, ``train_audio_encoder.py`` and, for the factors, its
readme. The description is the student; the teacher is a frozen backbone's features of the picture.
Published is the 1024-d ``pool5`` of GoogLeNet; here it is the joined, standardised backbones.

A student is compared before it is scaled to unit length, as published.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MARGIN = 1.0
SAME_CLASS_WEIGHT = 0.1
L1_WEIGHT = 5.0
DISTILLATION_WEIGHT = 1000.0
TEMPERATURE = 2.0


def joint_embedding_loss(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    """Structured joint embedding: no picture fits a description better than its own.

    With ``s_ij`` the inner product of picture i and description j, a picture of another class costs
    ``max(0, s_ij - s_jj + 1)`` and one of the same class ``0.1 max(0, s_ij - s_jj)``.

    Args:
        student: (n, D) float, descriptions.
        teacher: (n, D) float, features of their pictures.
        labels: (n,) int64, class of every pair.

    Returns:
        Scalar, the mean over all n x n.
    """
    scores = teacher @ student.T  # (n, n): row i holds picture i against every description
    excess = scores - scores.diagonal()  # (n, n): column j less s_jj
    same = labels[:, None] == labels[None, :]  # (n, n)
    costs = torch.where(same, SAME_CLASS_WEIGHT * excess.relu(), (excess + MARGIN).relu())
    return costs.mean()


def l1_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean absolute difference of (n, D), each batch scaled to a Frobenius norm of 1."""
    return F.l1_loss(student / student.norm(), teacher / teacher.norm())


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Divergence of the student's softmax over D from the teacher's, whose temperature is 2.

    Published is the mean over all n x D values, and the student has no temperature.
    """
    target = F.log_softmax(teacher / TEMPERATURE, dim=1)  # (n, D)
    predicted = F.log_softmax(student, dim=1)  # (n, D)
    return (target.exp() * (target - predicted)).mean()


class TeacherStudentObjective(nn.Module):
    """The three terms with the factors of the published readme; no weights of its own."""

    def forward(self, student: Tensor, teacher: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Compute every term and their weighted sum.

        Args:
            student: (n, D) float32, descriptions, of any length.
            teacher: (n, D) float32, standardised features of their pictures.
            labels: (n,) int64, class of every pair.

        Returns:
            Scalars: ``loss`` and, unweighted, ``joint_embedding``, ``l1`` and ``distillation``.
        """
        terms = {
            "joint_embedding": joint_embedding_loss(student, teacher, labels),
            "l1": l1_loss(student, teacher),
            "distillation": distillation_loss(student, teacher),
        }
        total = terms["joint_embedding"] + L1_WEIGHT * terms["l1"]
        return {"loss": total + DISTILLATION_WEIGHT * terms["distillation"], **terms}
