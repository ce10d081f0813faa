"""The forecast: measured where nothing is known, taken from earlier runs where there are some."""

import errno
from dataclasses import replace

import pytest

from core import forecast, models
from core.config import TrainConfig
from core.errors import RunError
from core.forecast import Forecaster, figures_of, kind_of, measure
from core.models.cost import cost
from core.training.events import Epoch

CONFIG = TrainConfig(model="mlp", dataset="mnist-mini", width=32, epochs=3, threads=1)


def test_runs_that_differ_only_in_what_they_learn_are_of_one_kind():
    assert kind_of(CONFIG) == kind_of(replace(CONFIG, seed=5, epochs=9, learning_rate=0.5))
    assert kind_of(CONFIG) != kind_of(replace(CONFIG, batch_size=64))
    assert kind_of(CONFIG) != kind_of(replace(CONFIG, model="cnn"))


def test_a_measurement_tells_time_memory_and_size(monkeypatch):
    monkeypatch.setattr(forecast, "MEASURED_SECONDS", 0.05)
    figures = measure(CONFIG)
    size = cost(models.build("mlp", (1, 28, 28), 10, width=CONFIG.width), (1, 28, 28))
    assert (figures["parameters"], figures["multiply_adds"]) == (size.parameters, size.multiply_adds)
    assert figures["epoch_seconds"] > 0
    assert figures["memory_mb"] > 100


def test_the_first_question_is_answered_later_and_the_second_at_once(store, monkeypatch):
    figures = {"epoch_seconds": 2.0, "start_seconds": 1.0, "memory_mb": 300, "parameters": 5, "multiply_adds": 6,
               "source": "a few steps just now"}  # fmt: skip
    monkeypatch.setattr(forecast, "measure_in_child", lambda config: figures)
    forecaster = Forecaster(store)
    assert forecaster.ask(CONFIG) is None
    for thread in list(forecaster._measuring.values()):
        thread.join()
    assert forecaster.ask(CONFIG).seconds == pytest.approx(1.0 + 3 * 2.0)
    assert Forecaster(store).ask(replace(CONFIG, epochs=10)).seconds == pytest.approx(21.0)


def test_a_measurement_beside_a_training_is_shown_as_such_and_made_again_when_the_machine_is_free(store, monkeypatch):
    figures = {"epoch_seconds": 9.0, "start_seconds": 0.0, "memory_mb": 300, "parameters": 5, "multiply_adds": 6,
               "source": "a few steps just now"}  # fmt: skip
    monkeypatch.setattr(forecast, "measure_in_child", lambda config: dict(figures))
    forecaster, running = Forecaster(store), store.create(CONFIG)
    running.set_status(state="running")
    with running.held():
        assert asked(forecaster, CONFIG) is None
        assert forecaster.ask(CONFIG).source == "a few steps beside a run that trains now"
    running.set_status(state="finished")
    figures["epoch_seconds"] = 4.0
    assert asked(forecaster, CONFIG) is None
    assert (forecaster.ask(CONFIG).seconds_per_epoch, forecaster.ask(CONFIG).source) == (4.0, "a few steps just now")


def asked(forecaster, config):
    """Ask, and wait until what was begun has ended."""
    answer = forecaster.ask(config)
    for thread in list(forecaster._measuring.values()):
        thread.join()
    return answer


def test_small_images_cost_by_their_pixels_in_what_is_measured_and_in_what_earlier_runs_tell(store, monkeypatch):
    figures = {"epoch_seconds": 16.0, "start_seconds": 1.0, "memory_mb": 300, "parameters": 5, "multiply_adds": 6,
               "source": "a few steps just now"}  # fmt: skip
    monkeypatch.setattr(forecast, "measure_in_child", lambda config: figures)
    config = TrainConfig(model="resnet", dataset="mnist-mini", width=4, epochs=4, low_resolution=0.5, threads=1)
    forecaster = Forecaster(store)
    asked(forecaster, config)
    assert forecaster.ask(config).seconds == pytest.approx(1.0 + 2 * 9.0 + 2 * 16.0)
    run = store.create(config)
    for epoch, seconds in enumerate((10.0, 19.0, 35.0, 51.0), start=1):
        run.append(Epoch(epoch * 10, epoch, seconds, 1.0, 0.5, 1.0, 0.5, True, None))
    monkeypatch.setattr(forecast, "_is_from_here", lambda run: True)
    assert (figures_of(run)["epoch_seconds"], figures_of(run)["start_seconds"]) == (pytest.approx(16), pytest.approx(1))


def test_an_earlier_run_is_believed_more_than_a_few_steps(store, trained, monkeypatch):
    monkeypatch.setattr(
        forecast, "measure_in_child",
        lambda config: {"epoch_seconds": 1e6, "start_seconds": 0, "memory_mb": 1, "parameters": 1, "multiply_adds": 1,
                        "source": "a few steps just now"},
    )  # fmt: skip
    forecaster = Forecaster(store)
    assert forecaster.ask(trained.config) is None
    for thread in list(forecaster._measuring.values()):
        thread.join()
    told = forecaster.ask(trained.config)
    seconds = trained.metrics().epochs["seconds"]
    assert told.source == "earlier runs"
    epoch = seconds[1] - seconds[0]
    assert told.seconds == pytest.approx(max(0.0, seconds[0] - epoch) + 2 * epoch)
    assert figures_of(trained)["memory_mb"] == trained.status().memory_mb


def test_a_forecast_that_fails_says_why(store, monkeypatch, tmp_path):
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path))
    (tmp_path / "mnist.safetensors").write_bytes(b"nothing")
    forecaster, config = Forecaster(store), TrainConfig(model="mlp", dataset="mnist")
    assert forecaster.ask(config) is None
    for thread in list(forecaster._measuring.values()):
        thread.join()
    with pytest.raises(RunError, match=r"No forecast: .*mnist\.safetensors"):
        forecaster.ask(config)


def test_what_a_disk_refuses_is_said_and_after_a_minute_it_is_tried_again(store, monkeypatch):
    def full(config):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(forecast, "measure_in_child", full)
    forecaster = Forecaster(store)
    assert asked(forecaster, CONFIG) is None
    with pytest.raises(RunError, match=r"No forecast .*No space left on device.*Free some space"):
        forecaster.ask(CONFIG)
    monkeypatch.setattr(forecast, "SECONDS_OF_AN_ERROR", 0.0)
    assert asked(forecaster, CONFIG) is None


def test_what_a_machine_of_a_cluster_computed_says_nothing_about_this_one(store, trained):
    assert figures_of(trained)
    with trained.held():
        trained.set_status(node="another", state="running")
        assert figures_of(trained) is None
        assert not Forecaster(store)._busy()
        trained.set_status(node="")
        assert Forecaster(store)._busy()
