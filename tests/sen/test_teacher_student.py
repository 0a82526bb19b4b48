"""The objective of [12] against NumPy loops, and every loss against differences in float64."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from s2igan.sen.losses import Reduction, SenObjective, distinctive_loss, matching_loss
from s2igan.sen.teacher_student import (
    TeacherStudentObjective,
    distillation_loss,
    joint_embedding_loss,
    l1_loss,
)

Array = npt.NDArray[np.float64]
LABELS = torch.tensor([0, 2, 0, 1, 2])


def pairs(seed: int = 0) -> tuple[Tensor, Tensor]:
    student, teacher = torch.randn(
        2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    return 0.5 * student, teacher


def reference_joint_embedding(student: Array, teacher: Array, labels: list[int]) -> float:
    total = 0.0
    for j, description in enumerate(student):
        own = float(teacher[j] @ description)
        for i, picture in enumerate(teacher):
            excess = float(picture @ description) - own
            if labels[i] == labels[j]:
                total += 0.1 * max(0.0, excess)
            else:
                total += max(0.0, excess + 1.0)
    return total / len(student) ** 2


def reference_distillation(student: Array, teacher: Array) -> float:
    total = 0.0
    for a, v in zip(student, teacher, strict=True):
        p, q = np.exp(a) / np.exp(a).sum(), np.exp(v / 2) / np.exp(v / 2).sum()
        total += float((q * np.log(q / p)).sum())
    return total / student.size


def reference_l1(student: Array, teacher: Array) -> float:
    a = student / np.sqrt((student**2).sum())
    v = teacher / np.sqrt((teacher**2).sum())
    return float(np.abs(a - v).mean())


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("labels", [[0, 2, 0, 1, 2], [0, 1, 2, 3, 4], [3, 3, 3, 3, 3]])
def test_every_term_is_the_published_one(seed: int, labels: list[int]) -> None:
    student, teacher = pairs(seed)
    a, v = student.numpy(), teacher.numpy()
    terms = TeacherStudentObjective()(student, teacher, torch.tensor(labels))
    expected = {
        "joint_embedding": reference_joint_embedding(a, v, labels),
        "l1": reference_l1(a, v),
        "distillation": reference_distillation(a, v),
    }
    for name, value in expected.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-12)
    total = expected["joint_embedding"] + 5 * expected["l1"] + 1000 * expected["distillation"]
    assert terms["loss"].item() == pytest.approx(total, rel=1e-12)


def test_a_student_that_says_half_of_the_teacher_has_nothing_to_learn_but_the_margin() -> None:
    _, teacher = pairs()
    terms = TeacherStudentObjective()(teacher / 2, teacher, LABELS)
    assert terms["l1"].item() == pytest.approx(0.0, abs=1e-12)
    assert terms["distillation"].item() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("loss", [l1_loss, distillation_loss])
def test_gradients_to_the_student_are_those_of_differences(loss: object) -> None:
    student, teacher = pairs()
    assert callable(loss)
    assert torch.autograd.gradcheck(lambda a: loss(a, teacher), (student.requires_grad_(),))


def test_gradients_of_the_joint_embedding_are_those_of_differences() -> None:
    student, teacher = pairs()
    assert torch.autograd.gradcheck(
        lambda a: joint_embedding_loss(a, teacher, LABELS), (student.requires_grad_(),)
    )


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_of_the_paper_s_losses_are_those_of_differences(reduction: Reduction) -> None:
    speech, image = (x.requires_grad_() for x in pairs())
    both = (speech, image)
    assert torch.autograd.gradcheck(lambda a, v: matching_loss(a, v, LABELS, 10.0, reduction), both)
    assert torch.autograd.gradcheck(lambda a, v: distinctive_loss(a, v, LABELS, reduction), both)
    torch.manual_seed(0)
    objective = SenObjective(4, 3, distinctive_weight=0.5, reduction=reduction).double()
    assert torch.autograd.gradcheck(lambda a, v: objective(a, v, LABELS)["loss"], both)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("left", ["matching", "distinctive"])
def test_an_ablation_removes_exactly_its_term(left: str, reduction: Reduction) -> None:
    speech, image = pairs()
    whole, part = (_objective(terms, reduction) for terms in (("matching", "distinctive"), (left,)))
    if whole.classifier is not None and part.classifier is not None:
        part.classifier.load_state_dict(whole.classifier.state_dict())
    all_terms, terms = whole(speech, image, LABELS), part(speech, image, LABELS)
    assert set(terms) == {"loss", left}
    torch.testing.assert_close(terms[left], all_terms[left], atol=0, rtol=0)
    (removed,) = {"matching", "distinctive"} - {left}
    weights = {"matching": 1.0, "distinctive": 0.5}
    rest = all_terms["loss"] - weights[removed] * all_terms[removed]
    assert terms["loss"].item() == pytest.approx(rest.item(), rel=1e-12)


def _objective(terms: tuple[str, ...], reduction: Reduction) -> SenObjective:
    return SenObjective(
        4,
        3,
        matching="matching" in terms,
        distinctive="distinctive" in terms,
        distinctive_weight=0.5,
        reduction=reduction,
    ).double()
