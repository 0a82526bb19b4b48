import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from s2igan.rdg import step as module
from s2igan.rdg.discriminator import Verdict
from s2igan.rdg.generator import NextStage
from s2igan.rdg.networks import to_scales
from s2igan.rdg.step import RdgStep
from tests.rdg.makers import EMBEDDING_DIM, embed_image, random_batch, rdg_config

CPU = torch.device("cpu")


def make(supervised: bool = False, **changes: Any) -> RdgStep:
    config = rdg_config(use_rs=supervised, **changes)
    looks = config.use_rs or config.matching_weight > 0
    return RdgStep(
        config,
        embedding_dim=EMBEDDING_DIM,
        embed_image=embed_image if looks else None,
        device=CPU,
    )


def test_no_global_generator_is_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    state = torch.random.get_rng_state()
    make(supervised=True)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not seeded


def test_the_config_decides_whether_speech_is_standardised() -> None:
    mean, names = np.linspace(-1, 1, EMBEDDING_DIM, dtype=np.float32), ("mean", "scale")
    given: dict[str, Any] = {"embedding_dim": EMBEDDING_DIM, "embed_image": None, "device": CPU}
    for standardise, expected in ((True, (mean, 0.5)), (False, (np.zeros_like(mean), 1.0))):
        config = rdg_config(standardise_speech=standardise)
        step = RdgStep(config, speech_statistics=(mean, 2.0), **given)
        for generator in (step.generator, step.averaged_generator):
            for name, value in zip(names, expected, strict=True):
                np.testing.assert_array_equal(getattr(generator.conditioning, name), value)
    said = "^rdg.standardise_speech is true, but `speech_statistics` is None$"
    with pytest.raises(ValueError, match=said):
        RdgStep(rdg_config(standardise_speech=True), **given)


def generator_weights(step: RdgStep) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in step.generator.parameters()])


def test_an_update_moves_every_network() -> None:
    step = make(supervised=True)
    assert step.supervision is not None
    networks = [step.generator, *step.discriminators, step.supervision.relation]
    before = [[p.detach().clone() for p in network.parameters()] for network in networks]
    average = [p.clone() for p in step.averaged_generator.parameters()]
    terms = step(0, random_batch(step.config))
    for network, old in zip(networks, before, strict=True):
        moved = [not torch.equal(a, b) for a, b in zip(network.parameters(), old, strict=True)]
        assert all(moved)
    for now, was, live in zip(
        step.averaged_generator.parameters(), average, step.generator.parameters(), strict=True
    ):
        torch.testing.assert_close(now, 0.9 * was + 0.1 * live)
    assert {"D_8", "D_16", "D_32", "G_8", "G_16", "G_32", "KL", "RS", "G_RS"} <= set(terms)
    assert all(torch.isfinite(value) and not value.requires_grad for value in terms.values())


def test_all_networks_and_optimisers_go_on_from_a_state() -> None:
    one, other = make(supervised=True), make(supervised=True, seed=9)
    batch = random_batch(one.config)
    one(0, batch)
    other.load_state_dict(copy.deepcopy(one.state_dict()))
    for step in (one, other):
        step(1, batch)
    for mine, theirs in zip(networks_of(one), networks_of(other), strict=True):
        for name, value in mine.state_dict().items():
            torch.testing.assert_close(theirs.state_dict()[name], value, rtol=0, atol=0)


def networks_of(step: RdgStep) -> list[nn.Module]:
    assert step.supervision is not None
    learning = [step.generator, *step.discriminators, step.supervision.relation]
    return [*learning, step.averaged_generator]


def test_without_supervisor_no_trace_of_it_is_left() -> None:
    config = rdg_config()
    batch = random_batch(config)
    step, other = make(), make()
    terms = step(0, batch)
    changed = replace(batch, truth_seen=-batch.truth_seen, same_seen=-batch.same_seen)
    other(0, changed)
    assert step.supervision is None
    assert "supervision" not in step.state_dict()
    assert not {"RS", "G_RS"} & set(terms)
    torch.testing.assert_close(generator_weights(step), generator_weights(other), rtol=0, atol=0)


def test_the_supervisor_reaches_the_generator() -> None:
    batch = random_batch(rdg_config())
    plain, supervised = make(), make(supervised=True)
    torch.testing.assert_close(generator_weights(plain), generator_weights(supervised))
    plain(0, batch)
    supervised(0, batch)
    assert not torch.equal(generator_weights(plain), generator_weights(supervised))


def test_without_matching_weight_no_matching_loss_is_left() -> None:
    batch = random_batch(rdg_config())
    plain, supervised, matching = make(), make(supervised=True), make(matching_weight=2.0)
    assert "G_match" not in supervised(0, batch)
    plain(0, batch)
    terms = matching(0, batch)
    assert "G_match" in terms
    assert not {"RS", "G_RS"} & set(terms)
    assert not torch.equal(generator_weights(plain), generator_weights(matching))


def test_matching_loss_is_that_of_the_sen_on_generated_pictures() -> None:
    step = make(matching_weight=1.0)
    batch = random_batch(step.config)
    inputs = (batch.speech, batch.noise, batch.condition_noise)
    with torch.no_grad():
        images = step.generator(*(torch.from_numpy(value) for value in inputs)).images[-1]
    seen = embed_image((images + 1) / 2)
    scores = 10 * torch.from_numpy(batch.speech) @ seen.T
    expected = -scores.log_softmax(dim=1).diagonal().mean()
    expected -= scores.log_softmax(dim=0).diagonal().mean()
    torch.testing.assert_close(step(0, batch)["G_match"], expected)


def test_the_supervisor_may_come_every_other_step() -> None:
    step = make(supervised=True, rs_every=2)
    batch = random_batch(step.config)
    assert "RS" in step(0, batch)
    assert "RS" not in step(1, batch)
    assert "RS" in step(2, batch)


def test_the_adversarial_loss_reaches_the_conditioning_through_the_discriminators() -> None:
    # Without KL and with a generator that ignores the condition, no other way is left.
    step = make(kl_weight=0.0, condition_on="mu")
    torch.nn.init.zeros_(step.generator.first.linear.weight)
    for stage in step.generator.later:
        assert isinstance(stage, NextStage)
        torch.nn.init.zeros_(stage.joint.weight)
    before = step.generator.conditioning.linear.weight.detach().clone()
    step(0, random_batch(step.config))
    assert not torch.equal(step.generator.conditioning.linear.weight.detach(), before)


def test_noise_of_one_value_is_not_spread_over_the_condition() -> None:
    batch = random_batch(rdg_config())
    batch = replace(batch, condition_noise=batch.condition_noise[:, :1])
    with pytest.raises(ValueError, match=r"^noise of F_ca is \(4, 1\), expected \(4, 5\)$"):
        make()(0, batch)


def test_augmentation_is_seeded_by_the_step() -> None:
    kinds = ["translation", "cutout", "brightness", "saturation", "contrast"]
    batch = random_batch(rdg_config())
    same = [make(augment=kinds) for _ in range(2)]
    for step in same:
        step(4, batch)
    torch.testing.assert_close(*map(generator_weights, same), rtol=0, atol=0)
    later = make(augment=kinds)
    later(5, batch)
    assert not torch.equal(generator_weights(later), generator_weights(same[0]))
    plain = make()
    plain(4, batch)
    assert not torch.equal(generator_weights(plain), generator_weights(same[0]))


def test_every_set_of_pictures_draws_its_own_transforms(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Tensor] = []

    def noted(images: Tensor, _kinds: Any, numbers: Any) -> Tensor:
        drawn.append(numbers[0][0].flatten())
        return images

    monkeypatch.setattr(module, "transform", noted)
    step = make(augment=["brightness"], wrong_pairs="pictures")
    step(0, random_batch(step.config))
    assert len(drawn) == 9  # generated, real and wrong ones at three scales
    assert len({tuple(numbers.tolist()) for numbers in drawn}) == 9


def test_accuracies_are_of_the_conditional_logits() -> None:
    right, wrong, half = (torch.tensor(v) for v in ([1.0, 2], [-1.0, -2], [-1.0, 2]))
    terms = module._discriminator_terms(
        8, torch.tensor(3.0), Verdict(right, wrong), Verdict(wrong, right), (half, right)
    )
    assert {name: float(value) for name, value in terms.items()} == {
        "D_8": 3,
        "D_8_real_accuracy": 1,
        "D_8_fake_accuracy": 1,
        "D_8_wrong_accuracy": 0.5,
    }


@pytest.mark.usefixtures("emulated_bfloat16")
def test_bfloat16_keeps_losses_and_weights_in_float32() -> None:
    step = make(precision="bfloat16")
    terms = step(0, random_batch(step.config))
    assert {value.dtype for value in terms.values()} == {torch.float32}
    assert {weight.dtype for weight in step.generator.parameters()} == {torch.float32}


@pytest.mark.usefixtures("emulated_bfloat16")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_pass_is_as_precise_as_the_parameters_say(precision: str) -> None:
    step = make(precision=precision)
    layers = [later.get_submodule("joint") for later in step.generator.later]
    layers += [judge.joint for judge in step.discriminators]
    found: list[torch.dtype] = []

    def note(_layer: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
        found.append(output.dtype)

    for layer in layers:
        layer.register_forward_hook(note)
    step(0, random_batch(step.config))
    # A generator passes once, discriminators twice to learn and once to teach.
    assert found == [getattr(torch, precision)] * len(found)
    assert len(found) >= 2 + 3 * 3


def test_scales_are_area_averages() -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    scales = to_scales(torch.from_numpy(crop), (8, 16, 32))
    for scale, side in zip(scales, (8, 16, 32), strict=True):
        cell = 64 // side
        means = crop.reshape(2, side, cell, side, cell, 3).mean(axis=(2, 4))
        expected = torch.from_numpy(means / 127.5 - 1).permute(0, 3, 1, 2).float()
        torch.testing.assert_close(scale, expected, atol=1e-6, rtol=0)


STILL = 1e-12  # a rate at which nothing moves


def test_one_batch_is_learnt_by_heart_on_both_sides() -> None:
    judging = make(lr_g=STILL, lr_d=2e-3)
    batch = random_batch(judging.config)
    first = judging(0, batch)
    for number in range(1, 40):
        last = judging(number, batch)
    for size in (8, 16, 32):
        assert float(last[f"D_{size}"]) < 0.3 * float(first[f"D_{size}"])
        for kind in ("real", "fake", "wrong"):
            assert float(last[f"D_{size}_{kind}_accuracy"]) == 1

    # Against judges that stand still, the generator finds what they take for real.
    drawing = make(lr_g=5e-3, lr_d=STILL)
    for judge, taught in zip(drawing.discriminators, judging.discriminators, strict=True):
        judge.load_state_dict(taught.state_dict())
    before = drawing(0, batch)
    for number in range(1, 20):
        after = drawing(number, batch)
    for size in (8, 16, 32):
        assert float(after[f"G_{size}"]) < 0.3 * float(before[f"G_{size}"])
        assert float(after[f"D_{size}_fake_accuracy"]) < 0.5
