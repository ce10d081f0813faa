"""Weights and states that a hostile author vouches for: no code runs, and each is refused in words."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from core import checkpoints, data, load_model, models, training
from core.checkpoints import MANIFEST, WEIGHTS
from core.config import TrainConfig
from core.errors import CheckpointError, LabError, RunError
from core.files import write_json
from core.models.fcn import take_weights
from core.runs import Run
from core.tensors import read_tensors
from core.worker import work
from tests.hostile import files
from tests.hostile.files import Evil, changed, padded, plant, raw, tensor

BODY, ENTRY = bytes(8), b'{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
WEIGHT_FILES = {
    "a pickle": lambda good, evil: pickle.dumps(evil, protocol=2),
    "a new pickle": lambda good, evil: pickle.dumps({"weights": evil}, protocol=5),
    "a file of torch": lambda good, evil: files.torch_file(evil, as_zip=True),
    "an old file of torch": lambda good, evil: files.torch_file(evil, as_zip=False),
    "an array of objects": lambda good, evil: files.array_of(evil),
    "a pickle behind a header": lambda good, evil: files.behind_header(evil),
    "a pickle before the weights": lambda good, evil: pickle.dumps(evil) + save(good),
    "a pickle behind the weights": lambda good, evil: save(good) + pickle.dumps(evil),
    "a zip": lambda good, evil: files.zip_of(save(good)),
    "nothing": lambda good, evil: b"",
    "seven bytes": lambda good, evil: b"\x01" * 7,
    "a huge length": lambda good, evil: raw(b"{}", length=2**63),
    "the greatest length": lambda good, evil: raw(b"{}", length=2**64 - 1),
    "a claim of 100 MB": lambda good, evil: raw(b"{}", BODY, length=100_000_000),
    "2 MB of header": lambda good, evil: padded(save(good), 2_000_000),
    "a header longer than the file": lambda good, evil: raw({}, length=5000),
    "overlapping tensors": lambda good, evil: raw(tensor("F32", [2], 0, 8) | tensor("F32", [1], 4, 8, "b"), BODY),
    "a tensor beyond the end": lambda good, evil: raw(tensor("F32", [200], 0, 800), BODY),
    "a tensor that ends before it begins": lambda good, evil: raw(tensor("F32", [2], 8, 0), BODY),
    "a negative offset": lambda good, evil: raw(tensor("F32", [2], -8, 0), BODY),
    "a hole between tensors": lambda good, evil: raw(tensor("F32", [1], 4, 8), BODY),
    "a negative shape": lambda good, evil: raw(tensor("F32", [-2], 0, 8), BODY),
    "a shape that overflows": lambda good, evil: raw(tensor("F32", [2**62, 8], 0, 8), BODY),
    "a shape beyond 64 bits": lambda good, evil: raw(tensor("F32", [10**30], 0, 8), BODY),
    "an empty tensor of a terabyte's shape": lambda good, evil: raw(tensor("F32", [0, 2**40], 0, 0)),
    "a name that is no UTF-8": lambda good, evil: raw(b'{"\xff":' + ENTRY + b"}", BODY),
    "a header that is a list": lambda good, evil: raw([tensor("F32", [2], 0, 8)], BODY),
    "deep lists": lambda good, evil: raw(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "deep metadata": lambda good, evil: raw(b'{"__metadata__":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001),
    "metadata of numbers": lambda good, evil: raw({"__metadata__": {"a": 1}}),
    "an unknown dtype": lambda good, evil: raw(tensor("F99", [2], 0, 8), BODY),
    "a tensor twice": lambda good, evil: raw(b'{"a":' + ENTRY + b',"a":' + ENTRY + b"}", BODY),
    "no tensors": lambda good, evil: save({}),
    "weights cut off": lambda good, evil: save(good)[:-1],
    "bytes behind the weights": lambda good, evil: save(good) + bytes(100),
    "whole numbers": lambda good, evil: ending(good, lambda bias: bias.long()),
    "doubles": lambda good, evil: ending(good, torch.Tensor.double),
    "complex numbers": lambda good, evil: ending(good, lambda bias: bias.to(torch.complex64)),
    "another shape": lambda good, evil: ending(good, lambda bias: torch.zeros(11)),
    "a dimension more": lambda good, evil: ending(good, lambda bias: bias[None]),
    "a tensor too few": lambda good, evil: ending(good, lambda bias: None),
    "a tensor too many": lambda good, evil: changed(good, more=torch.zeros(1)),
    "a name of 100,000 letters": lambda good, evil: save({**good, "n" * 100_000: torch.zeros(1)}),
    "a name that is markup": lambda good, evil: save({**good, "<script>alert(1)</script>": torch.zeros(1)}),
    "thousands of tensors": lambda good, evil: save({f"{n}": torch.zeros(0) for n in range(20_000)}),
    "NaN": lambda good, evil: ending(good, lambda bias: bias * torch.nan),
    "one infinity": lambda good, evil: ending(good, lambda bias: bias.index_fill(0, torch.tensor(3), -torch.inf)),
}  # fmt: skip


def last(weights):
    """The name of the last layer's biases, of 10 classes."""
    return next(name for name in reversed(weights) if weights[name].shape == (10,))


def ending(weights, change) -> bytes:
    """A file of these weights with something else for the last biases."""
    return changed(weights, **{last(weights): change(weights[last(weights)])})


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "ran"


@pytest.fixture
def run(store, small) -> Run:
    """A run with a manifest and weights that are its own."""
    made = store.create(small, state="paused")
    made.save_weights(models.build("mlp", (1, 28, 28), 10, width=16).state_dict(), 1)
    return made


def refused(run, what=load_model) -> str:
    """The words in which a run is refused."""
    with pytest.raises(LabError) as caught:
        what(run)
    words = str(caught.value)
    assert len(words) < 600
    assert words.endswith(".")
    return words


def test_the_payload_would_run(marker):
    pickle.loads(pickle.dumps(Evil(marker)))
    assert marker.exists()


@pytest.mark.parametrize("kind", WEIGHT_FILES)
def test_weights_that_are_no_weights_are_refused_in_words(run, marker, kind):
    content = WEIGHT_FILES[kind](run.load_weights(), Evil(marker))
    plant(run.path, content)
    words = refused(run.path)
    assert any(part in words for part in ("no tensors that can be read", "do not fit its config", "NaN", "another pro"))
    assert refused(run.path / WEIGHTS) == words
    assert not marker.exists()


def test_a_header_is_not_parsed_that_is_longer_than_any_network_needs(run, monkeypatch):
    path = run.path / WEIGHTS
    path.write_bytes(padded(save(run.load_weights()), 2_000_000))
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(CheckpointError, match=r"header has 2,[\d,]+ bytes, at most 1,000,000 are read"):
        read_tensors(path)


def test_not_a_number_is_refused_as_that(run):
    weights = run.load_weights()
    plant(run.path, ending(weights, lambda bias: bias * torch.nan))
    assert f"hold NaN or infinity in '{last(weights)}'" in refused(run)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_fewer_bits_are_taken(run, dtype):
    weights = run.load_weights()
    plant(run.path, save({name: w.to(dtype) if w.is_floating_point() else w for name, w in weights.items()}))
    assert {parameter.dtype for parameter in load_model(run.path).parameters()} == {torch.float32}


def as_directory(path, outside):
    path.mkdir()


def as_pipe(path, outside):
    os.mkfifo(path)


def as_link_outside(path, outside):
    path.symlink_to(outside)


def as_link_to_nothing(path, outside):
    path.symlink_to(outside.with_name("gone"))


def as_link_to_zeros(path, outside):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("made", [as_directory, as_pipe, as_link_outside, as_link_to_nothing, as_link_to_zeros])
def test_what_is_no_file_of_the_run_is_not_even_opened(run, tmp_path, made):
    content = save(run.load_weights())
    (tmp_path / "outside").write_bytes(content)
    plant(run.path, content)
    (run.path / WEIGHTS).unlink()
    made(run.path / WEIGHTS, tmp_path / "outside")
    assert "not the ones that it wrote" in refused(run.path)


def test_a_file_that_is_too_large_for_its_network_is_not_read(run, monkeypatch):
    with (run.path / WEIGHTS).open("wb") as file:
        file.truncate(8 << 30)
    write_json(run.path / MANIFEST, {"best": {"file": WEIGHTS, "bytes": 8 << 30, "sha256": "0" * 64}})
    monkeypatch.setattr(checkpoints, "sha256", lambda path: pytest.fail("it was read"))
    assert "8,590 MB, but the tensors of this run's network take less than 1 MB" in refused(run.path)


def test_the_largest_state_is_not_too_large(store):
    config = TrainConfig(model="mlp", dataset="mnist-mini", width=1024, optimizer="adam", epochs=1, train_size=50)
    run = store.create(config, state="paused")
    states = [event for event in training.fit(config, checkpoint_seconds=0.0) if isinstance(event, training.State)]
    run.save_state(states[-1])
    state, _, warning = run.load_state()
    assert (state.step, warning) == (states[-1].step, "")


# States, and going on from them

SCALAR = torch.zeros(())
STATES = {
    "a pickle": lambda good, evil: pickle.dumps(evil),
    "a file of torch": lambda good, evil: files.torch_file(evil, as_zip=True),
    "no metadata": lambda good, evil: save(good.tensors),
    "counters that are no JSON": lambda good, evil: stored(good, "__import__('os').system('true')"),
    "counters that are a list": lambda good, evil: stored(good, "[1, 2]"),
    "deep counters": lambda good, evil: stored(good, '{"step":' + "[" * 100_000 + "]" * 100_000 + "}"),
    "a step that is text": lambda good, evil: stored(good, step="1"),
    "a step that is true": lambda good, evil: stored(good, step=True),
    "a step that is NaN": lambda good, evil: stored(good, step=float("nan")),
    "a step below nought": lambda good, evil: stored(good, step=-1),
    "a step beyond counting": lambda good, evil: stored(good, step=10**40),
    "a count that is an object": lambda good, evil: stored(good, epoch={"a": 1}),
    "half an epoch": lambda good, evil: stored(good, epoch=0.5),
    "a count too few": lambda good, evil: stored(good, json.dumps({"step": 1})),
    "metrics of a negative length": lambda good, evil: stored(good, length="-1"),
    "metrics of no length": lambda good, evil: stored(good, length="all"),
    "no tensors": lambda good, evil: stored(training.State({}, good.counters)),
    "a layer of another shape": lambda good, evil: stored(good, tensors={"model.fc.bias": torch.zeros(3)}),
    "a layer too many": lambda good, evil: stored(good, tensors={"model.more": torch.zeros(3)}),
    "memory of another shape": lambda good, evil: stored(good, tensors={memory(good): torch.zeros(3)}),
    "memory of another name": lambda good, evil: stored(good, tensors={memory(good): None, "optimizer.0.x": SCALAR}),
    "memory of no such parameter": lambda good, evil: stored(good, tensors={"optimizer.99.step": SCALAR}),
    "memory of parameter -1": lambda good, evil: stored(good, tensors=counted_from_the_end(good)),
    "memory of no parameter": lambda good, evil: stored(good, tensors={"optimizer.x": SCALAR}),
}  # fmt: skip


def stored(state, counters=None, *, length="0", tensors=None, **changes) -> bytes:
    """A state as a file, with some of its counters or tensors replaced; None leaves a tensor out."""
    kept = {name: value for name, value in {**state.tensors, **(tensors or {})}.items() if value is not None}
    text = counters or json.dumps({**state.counters, **changes})
    return save(kept, {"counters": text, "metrics_bytes": length})


def memory(state):
    """The name of a tensor that the optimiser remembers."""
    return next(name for name, value in state.tensors.items() if name.startswith("optimizer.") and value.dim())


def counted_from_the_end(state):
    """What the optimiser remembers of the last parameter, under the number -1."""
    numbers = {int(name.split(".")[1]) for name in state.tensors if name.startswith("optimizer.")}
    of_last = f"optimizer.{max(numbers)}."
    moved = {name: value for name, value in state.tensors.items() if name.startswith(of_last)}
    return dict.fromkeys(moved) | {name.replace(of_last, "optimizer.-1."): moved[name] for name in moved}


@pytest.fixture(scope="module")
def digits():
    return data.load("mnist-mini")


@pytest.fixture(scope="module")
def good_state(digits):
    """After one epoch of two; the same for all, since states are copied before they are changed."""
    config = TrainConfig(model="mlp", dataset="mnist-mini", epochs=2, width=16, train_size=100, batch_size=50)
    events = training.fit(config, data=digits, checkpoint_seconds=0.0)
    return config, next(event for event in events if isinstance(event, training.State))


@pytest.mark.parametrize("kind", STATES)
def test_a_state_that_is_no_state_ends_the_resume_in_words(store, good_state, marker, kind):
    config, state = good_state
    run = store.create(config, state="paused")
    plant(run.path, STATES[kind](state, Evil(marker)), "state-1.safetensors", "current")
    assert work(run) == "failed"
    assert any(word in run.status().reason for word in ("no tensors that can", "how far it is", "does not fit"))
    assert "Error" not in run.status().reason
    assert not marker.exists()


def test_a_whole_state_goes_on(store, good_state):
    config, state = good_state
    run = store.create(config, state="paused")
    plant(run.path, stored(state), "state-1.safetensors", "current")
    assert work(run) == "finished"


def test_a_state_without_numbers_ends_as_diverged(store, good_state):
    config, state = good_state
    run = store.create(config, state="paused")
    nan = {name: torch.full_like(value, torch.nan) for name, value in state.tensors.items() if value.dim() > 1}
    plant(run.path, stored(state, tensors=nan), "state-1.safetensors", "current")
    assert work(run) == "diverged"
    assert "The loss is no number any more" in run.status().reason


def test_a_state_that_is_a_link_counts_as_damaged(store, good_state, tmp_path):
    config, state = good_state
    run = store.create(config, state="paused")
    plant(run.path, stored(state), "state-1.safetensors", "current")
    (run.path / "state-1.safetensors").rename(tmp_path / "outside")
    (run.path / "state-1.safetensors").symlink_to(tmp_path / "outside")
    assert "damaged" in refused(run, Run.load_state)
    assert (tmp_path / "outside").exists()


# Weights that another network begins with


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"fc2.bias": torch.full((10,), torch.nan)}, "NaN or infinity"),
        ({"conv2.weight": None}, "there is no 'conv2.weight'"),
        ({"conv2.weight": torch.zeros(1, 2, 3)}, "has the shape"),
        ({"fc2.weight": torch.tensor(1.0)}, "begin with these weights"),
        ({"fc2.weight": torch.zeros(12, 128)}, "has the shape"),
        ({"fc1.bias": torch.zeros(128, dtype=torch.int64)}, "is int64, expected float32"),
        ({"norm2.running_var": torch.zeros(64, dtype=torch.complex64)}, "is complex64"),
        ({"x" * 10_000: torch.zeros(1)}, "which the network has not"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_an_fcn_begins_with_no_other_weights_than_a_cnn_has(what, words):
    fcn, cnn = models.build("fcn", (1, 64, 64), 11), models.build("cnn", (1, 28, 28), 10)
    weights = {name: value for name, value in {**cnn.state_dict(), **what}.items() if value is not None}
    with pytest.raises(CheckpointError, match=words) as caught:
        take_weights(fcn, weights)
    assert len(str(caught.value)) < 400


def test_fit_refuses_weights_without_numbers():
    config = TrainConfig(model="fcn", dataset="mnist-mini-scenes", width=4, train_size=50, batch_size=50, epochs=1)
    cnn = models.build("cnn", (1, 28, 28), 10, width=4)
    weights = {name: value * torch.nan for name, value in cnn.state_dict().items()}
    with pytest.raises(CheckpointError, match="NaN or infinity"):
        next(training.fit(config, weights=weights))


# The files beside them


@pytest.mark.parametrize(
    "entry",
    [
        {"file": "../../outside.safetensors", "bytes": 1, "sha256": "0"},
        {"file": "/etc/passwd", "bytes": 1, "sha256": "0"},
        {"file": "state-1.safetensors/../../x", "bytes": 1, "sha256": "0"},
        {"file": "state-\x00.safetensors", "bytes": 1, "sha256": "0"},
        {"file": "state-" + "1" * 5000 + ".safetensors", "bytes": 1, "sha256": "0"},
        {"file": "state-1.safetensors\n", "bytes": 1, "sha256": "0"},
        {"file": 5, "bytes": 1, "sha256": "0"},
        {"file": WEIGHTS, "bytes": "all", "sha256": "0"},
        {"file": WEIGHTS},
        [],
        "model.safetensors",
        None,
    ],
    ids=str,
)
def test_a_manifest_that_names_anything_else_is_refused(run, entry):
    write_json(run.path / MANIFEST, {"best": entry, "current": entry})
    assert "The manifest" in refused(run)
    assert "The manifest" in refused(run, Run.load_state)


DEEP = '{"more": ' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize("name", [MANIFEST, "config.json"])
@pytest.mark.parametrize("kind", ["deep", "pipe", "directory", "large", "not UTF-8", "a pickle"])
def test_other_files_that_are_no_json_are_refused_in_words(run, marker, monkeypatch, name, kind):
    path = run.path / name
    path.unlink()
    contents = {"deep": files.signed(DEEP), "not UTF-8": b"{\n\xff}", "a pickle": pickle.dumps(Evil(marker))}
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "large":
        with path.open("wb") as file:
            file.write(b"{\n")
            file.truncate(4 << 30)
        real = Path.read_bytes
        monkeypatch.setattr(Path, "read_bytes", lambda one: pytest.fail("it was read") if one == path else real(one))
    else:
        path.write_bytes(contents[kind])
    with pytest.raises((CheckpointError, RunError)) as caught:
        load_model(Run(run.path))
    assert len(str(caught.value)) < 600
    assert not marker.exists()


def test_answers_that_are_objects_are_refused(run, marker):
    from core.answers import answers_of

    write_json(run.path / "test.json", {"accuracy": 1.0, "opened": [1.0]})
    evil = np.array([Evil(marker)], dtype=object)
    np.savez(run.path / "predictions.npz", prediction=evil, probability=evil, label=evil, allow_pickle=True)
    with pytest.raises(RunError, match="can't be read"):
        answers_of(run)
    assert not marker.exists()
