"""Schedules and the typed sections."""

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from s2igan.sen.encode import length_buckets
from s2igan.sen.schedule import learning_rate
from s2igan.sen.speech_encoder import LARGEST

from .synthetic import sen_config

SCHEDULE: dict[str, Any] = {
    "steps": 100,
    "lr": 0.01,
    "warmup_steps": 10,
    "decay_every_steps": 40,
    "decay_factor": 0.1,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": []},
        {"channels": [64, 0]},
        {"beta": 0.0},
        {"betas": [0.9]},
        {"betas": [0.9, 1.0]},
        {"batch": 1},
        {"steps": 10.0},
        {"reduction": "none"},
        {"keep": "best"},
        {"unknown": 1},
    ],
)
def test_values_out_of_range_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        sen_config(**changes)


@pytest.mark.parametrize(("name", "largest"), LARGEST.items())
def test_parameters_and_encoder_have_the_same_limits(name: str, largest: int) -> None:
    sen_config(**{name: largest})
    with pytest.raises(ValidationError):
        sen_config(**{name: largest + 1})


def test_cosine_rises_linearly_and_falls_to_zero() -> None:
    rates = [learning_rate(s, schedule="cosine", **SCHEDULE) for s in range(100)]
    assert rates[0] == pytest.approx(0.001)
    assert rates[9] == pytest.approx(0.01)
    assert rates[10] == pytest.approx(0.01)
    assert rates[55] == pytest.approx(0.005)
    assert 0 < rates[99] < 1e-5
    assert (np.diff(rates[10:]) < 0).all()


def test_step_multiplies_by_the_factor() -> None:
    plain = {**SCHEDULE, "warmup_steps": 0}
    rates = [learning_rate(s, schedule="step", **plain) for s in (0, 39, 40, 79, 80)]
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.001, 0.0001])


def test_no_other_word_is_taken_for_a_schedule() -> None:
    with pytest.raises(ValueError, match=r"^schedule is 'linear', expected step or cosine$"):
        learning_rate(0, **SCHEDULE | {"schedule": "linear"})


def test_buckets_hold_every_utterance_once_within_their_budget() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, 200)
    lengths[7] = 1000
    buckets = list(length_buckets(lengths, 400))
    assert sorted(np.concatenate(buckets)) == list(range(200))
    for bucket in buckets:
        assert len(bucket) == 1 or lengths[bucket].max() * len(bucket) <= 400
    assert buckets[-1].tolist() == [7]
    assert len(buckets) < 50
