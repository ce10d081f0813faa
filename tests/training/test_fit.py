"""fit: what it tells, when it stops, and that a resume changes nothing."""

import math
import time
from dataclasses import replace

import pytest
import torch

from core import data, models, training
from core.config import TrainConfig
from core.errors import CheckpointError, ConfigError
from core.training.learner import Learner
from core.training.optim import learning_rate

SMALL = {"dataset": "mnist-mini", "train_size": 240, "batch_size": 40, "epochs": 2, "threads": 1}
NARROW = {"mlp": 16, "cnn": 4, "convnet": 4, "resnet": 4, "speednet": 4, "fcn": 4}


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def last_weights(events):
    return of_kind(events, training.Weights)[-1].tensors


def small(model="mlp", **knobs):
    scenes = {"dataset": "mnist-mini-scenes"} if models.describe(model).task == "masks" else {}
    return TrainConfig(**{"model": model, "width": NARROW[model], **SMALL, **scenes, **knobs})


class StopAt:
    """A control that says a word once so many steps were taken."""

    def __init__(self, word, steps):
        self.word, self.left = word, steps

    def __call__(self):
        self.left -= 1
        return self.word if self.left < 0 else "run"


@pytest.mark.parametrize("model", models.names())
def test_pause_and_resume_give_the_same_weights_and_epochs_as_a_run_never_paused(model):
    config = small(model, shift=1, rotate=5.0)
    whole = list(training.fit(config))
    first = list(training.fit(config, control=StopAt("pause", 8)))  # in the second epoch
    state = of_kind(first, training.State)[-1]
    assert state.step == 8
    second = list(training.fit(config, state=state))
    for name, tensor in last_weights(whole).items():
        assert torch.equal(tensor, last_weights(first + second)[name]), name
    epochs = of_kind(first, training.Epoch) + of_kind(second, training.Epoch)
    assert timeless(epochs) == timeless(of_kind(whole, training.Epoch))


def timeless(epochs):
    """The epochs without how long they took, which is known to be positive."""
    assert all(epoch.seconds > 0 and epoch.cpu_seconds > 0 for epoch in epochs)
    return [replace(epoch, seconds=0, cpu_seconds=0) for epoch in epochs]


def test_images_are_small_for_the_share_of_steps_that_asks_for_it_and_whole_after_also_across_a_resume():
    config = small("resnet", low_resolution=0.5)  # 6 steps an epoch, 2 epochs
    learner, sides = Learner(config, data.load(config.dataset)), []
    learner.model.register_forward_pre_hook(lambda model, inputs: sides.append(tuple(inputs[0].shape[2:])))
    for index in [*learner.epoch_order(), *learner.epoch_order()]:
        learner.learn(index)
    assert sides == [(21, 21)] * 6 + [(28, 28)] * 6
    whole = list(training.fit(config))
    first = list(training.fit(config, control=StopAt("pause", 4)))
    second = list(training.fit(config, state=of_kind(first, training.State)[-1]))
    assert all(torch.equal(t, last_weights(second)[name]) for name, t in last_weights(whole).items())


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "muon"])
def test_every_optimiser_resumes_exactly(optimizer):
    config = small("cnn", optimizer=optimizer, learning_rate=0.01)
    state = of_kind(training.fit(config, control=StopAt("pause", 3)), training.State)[-1]
    resumed, whole = list(training.fit(config, state=state)), list(training.fit(config))
    assert all(
        torch.equal(a, b) for a, b in zip(last_weights(resumed).values(), last_weights(whole).values(), strict=True)
    )


def test_a_learner_of_ones_own_goes_on_as_fit_would_from_where_it_is():
    config = small(shift=1)
    fitted, learner = list(training.fit(config)), Learner(config, data.load(config.dataset))
    begun = list(training.train(learner, control=StopAt("pause", 8)))
    assert begun[-1].state == "paused"
    trained = begun + list(training.train(learner))
    assert timeless(of_kind(trained, training.Epoch)) == timeless(of_kind(fitted, training.Epoch))
    for name, tensor in last_weights(fitted).items():
        assert torch.equal(tensor, last_weights(trained)[name])


def test_another_seed_gives_other_weights_and_the_same_seed_the_same():
    first, again, other = (last_weights(training.fit(small(seed=seed))) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["fc1.weight"], other["fc1.weight"])


def test_it_learns_real_digits():
    events = list(training.fit(TrainConfig(model="mlp", dataset="mnist-mini", epochs=3, width=128, threads=1)))
    epochs = of_kind(events, training.Epoch)
    assert epochs[-1].val_accuracy > 0.85
    assert epochs[-1].val_loss < epochs[0].val_loss
    assert events[-1] == training.End("finished", "All 3 epochs done.")


def test_the_time_of_a_validation_does_not_count_as_slow_learning(monkeypatch):
    clock, validate, validations = time.perf_counter, Learner.validate, []

    def slow(learner):
        validations.append(1000.0)
        return validate(learner)

    monkeypatch.setattr(time, "perf_counter", lambda: clock() + sum(validations))
    monkeypatch.setattr(Learner, "validate", slow)
    steps = of_kind(training.fit(small(epochs=3, train_size=2000)), training.Step)
    assert steps[-1].seconds > 2000
    assert min(step.images_per_second for step in steps) > 2 * 2000 / 1000  # far from an epoch's in a validation's time


def test_the_validation_loss_is_the_loss_that_is_trained():
    learner = Learner(small(label_smoothing=0.3, precision="float32"), data.load("mnist-mini"))
    learner.model.eval()
    with torch.no_grad():
        learner.model.fc4.weight.mul_(20)  # a network that is sure of itself, so that smoothing matters
        logits = learner.model(learner.data.val.images.float() / 255)
    expected = torch.nn.functional.cross_entropy(logits, learner.data.val.labels, label_smoothing=0.3)
    plain = torch.nn.functional.cross_entropy(logits, learner.data.val.labels)
    assert learner.validate().loss == pytest.approx(expected.item(), rel=1e-5)
    assert learner.validate().loss != pytest.approx(plain.item(), rel=1e-3)


def test_events_add_up():
    events = list(training.fit(small()))
    steps, epochs = of_kind(events, training.Step), of_kind(events, training.Epoch)
    assert [e.epoch for e in epochs] == [1, 2]
    assert [e.step for e in epochs] == [6, 12]
    assert steps[0].step == 1
    assert [s.seconds for s in steps] == sorted(s.seconds for s in steps)
    assert all(0 <= s.accuracy <= 1 and s.images_per_second > 0 and s.lr > 0 for s in steps)
    assert epochs[0].patience_left is None


def test_weights_are_those_of_the_best_epoch():
    config = small(epochs=4, learning_rate=0.05)
    events = list(training.fit(config))
    best = min(of_kind(events, training.Epoch), key=lambda e: e.val_loss)
    assert of_kind(events, training.Weights)[-1].step == best.step
    learner = Learner(config, data.load(config.dataset))
    learner.model.load_state_dict(last_weights(events))
    assert learner.validate().loss == pytest.approx(best.val_loss, abs=1e-6)


def test_early_stopping_ends_after_its_patience_and_counts_down():
    events = list(training.fit(small(epochs=50, patience=2, learning_rate=0.1, schedule="constant")))
    epochs = of_kind(events, training.Epoch)
    assert len(epochs) < 50
    assert epochs[-1].patience_left == 0
    assert events[-1].state == "finished"
    assert "no better validation loss for 2 epochs" in events[-1].reason
    best = min(epochs, key=lambda e: e.val_loss)
    assert epochs[-1].epoch == best.epoch + 2


def test_a_huge_learning_rate_ends_as_diverged_and_not_as_an_exception():
    events = list(training.fit(small(optimizer="sgd", learning_rate=100.0, warmup=0.0)))
    assert events[-1].state == "diverged"
    assert "smaller learning rate" in events[-1].reason
    assert all(math.isfinite(e.loss) for e in of_kind(events, training.Step))


def test_stop_in_the_first_epoch_still_leaves_weights():
    events = list(training.fit(small(), control=StopAt("stop", 3)))
    assert events[-1].state == "stopped"
    assert len(of_kind(events, training.Weights)) == 1


def test_stop_waits_for_the_epoch_of_the_weights_that_an_earlier_training_left():
    config = small(epochs=4)  # 6 steps an epoch
    state = of_kind(training.fit(config, control=StopAt("pause", 8)), training.State)[-1]
    events = list(training.fit(config, state=state, control=StopAt("stop", 0), catch_up=18))
    assert [epoch.step for epoch in of_kind(events, training.Epoch)] == [12, 18]
    assert events[-1].state == "stopped"
    assert of_kind(training.fit(config, state=state, control=StopAt("stop", 0)), training.Epoch) == []


def test_stop_before_the_first_step_leaves_nothing_behind():
    assert list(training.fit(small(), control=lambda: "stop")) == [training.End("stopped", "Stopped by hand.")]


def test_leaving_hands_over_a_state_first():
    *_, state, end = training.fit(small(), control=StopAt("leave", 2))
    assert isinstance(state, training.State)
    assert end.state == "interrupted"


def test_a_state_of_another_network_is_refused_in_words():
    state = of_kind(training.fit(small("mlp"), control=StopAt("pause", 1)), training.State)[-1]
    with pytest.raises(CheckpointError, match="does not fit a cnn"):
        list(training.fit(small("cnn"), state=state))


def test_a_device_that_is_not_there_is_refused_in_words():
    if torch.cuda.is_available():
        pytest.skip("this machine has the device")
    with pytest.raises(ConfigError, match="this machine offers cpu"):
        list(training.fit(small(device="cuda")))


def test_skips_are_the_only_difference_between_convnet_and_resnet():
    with_skips, without = (Learner(small(m), data.load("mnist-mini")).model.state_dict() for m in ("resnet", "convnet"))
    assert all(torch.equal(with_skips[name], without[name]) for name in with_skips)


def test_learning_rate_rises_to_its_peak_and_falls_to_nothing():
    config = TrainConfig(learning_rate=0.1, warmup=0.25, schedule="linear")
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1 / 25)
    assert max(rates) == rates[24] == rates[25] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.1 / 75)
    assert learning_rate(replace(config, schedule="constant"), 99, 100) == pytest.approx(0.1)
    halfway = learning_rate(replace(config, schedule="cosine", warmup=0.0), 50, 100)
    assert halfway == pytest.approx(0.05)


def test_bf16_learns_the_same_thing_roughly():
    accuracies = [
        of_kind(training.fit(small("cnn", precision=precision, epochs=6)), training.Epoch)[-1].val_accuracy
        for precision in ("float32", "bf16")
    ]
    assert accuracies[1] == pytest.approx(accuracies[0], abs=0.1)
