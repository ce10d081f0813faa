"""The run store: ids, files, checkpoints, damage."""

import contextlib
import json
from dataclasses import replace

import pytest
from filelock import Timeout
from hypothesis import given, settings
from hypothesis import strategies as st

from core import data, load_model, training
from core.checkpoints import MANIFEST, WEIGHTS
from core.errors import CheckpointError, LabError, RunError, UnknownNameError
from core.evaluation import evaluate
from core.files import read_json, write_json
from core.metrics import MetricsReader
from core.runs import RUN_ID, Run, RunStore, clean_name, places
from core.training import End, State
from core.worker import work

NO_IDS = ["../x", "", "x" * 4096, "<b>hi</b>", ".trash", "..", "/etc", "20261123-194059-k3f9/..", 7, None]


@pytest.mark.parametrize("run_id", NO_IDS)
def test_what_is_no_id_is_refused_and_shortened(store, run_id):
    with pytest.raises(UnknownNameError) as caught:
        store.get(run_id)
    assert "not the id of a run" in str(caught.value)
    assert len(str(caught.value)) < 400


@given(st.text())
@settings(max_examples=300)
def test_no_text_escapes_the_store_as_an_id(text):
    if RUN_ID.match(text):
        assert "/" not in text
        assert ".." not in text
        assert text == text.strip()


def test_ids_are_made_by_the_store_and_differ(store):
    ids = [store.new_id() for _ in range(200)]
    assert len(set(ids)) == 200
    assert all(RUN_ID.match(run_id) for run_id in ids)


def test_a_run_is_there_whole_or_not_at_all(store, small):
    run = store.create(small, "first")
    assert store.get(run.id) is run
    assert (run.name, run.config, run.status().state) == ("first", small, "queued")
    assert run.environment["torch"]
    assert [path.name for path in store.root.iterdir()] == [run.id]


def test_the_newest_run_is_listed_first(store, small):
    ids = [store.create(small, run_id=f"20260101-00000{n}-aaaa").id for n in range(3)]
    own = [run.id for run in store.list() if not run.is_shipped]
    assert own == ids[::-1]


def test_a_store_that_cannot_be_written_is_a_clear_error(tmp_path, small):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="CNNLAB_RUNS"):
        RunStore(tmp_path / "file").create(small)


def test_one_token_makes_one_run(store, small):
    ids = {store.create_once(small, "", "form-1").id for _ in range(10)}
    assert len(ids) == 1
    assert store.create_once(small, "", "form-2").id not in ids


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("  two\nlines\x00 ", "two lines"),
        ("<b>x</b>", "<b>x</b>"),
        ("n" * 4096, "n" * 100),
        ("", ""),
        ("=1+1", "=1+1"),
    ],
)
def test_names_are_kept_on_one_line_and_short(given_name, kept):
    assert clean_name(given_name) == kept


def test_rename_changes_nothing_else(trained):
    before = trained.config
    trained.rename("Ada's net")
    assert Run(trained.path).name == "Ada's net"
    assert Run(trained.path).config == before


def test_a_running_run_whose_lock_is_free_is_interrupted(store, small):
    run = store.create(small)
    with run.held():
        run.set_status(state="running")
        assert run.status().state == "running"
    assert run.status().state == "interrupted"


def test_two_processes_cannot_hold_one_run(store, small):
    run = store.create(small)
    with run.held(), pytest.raises(Timeout), Run(run.path).held():
        pass


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("status.json", ""),
        ("status.json", "[]"),
        ("status.json", '{"state": "flying"}'),
        ("config.json", "{"),
        ("config.json", '{"config": {"model": "gone"}}'),
        ("config.json", '{"config": 3}'),
        ("status.json", None),
    ],
)
def test_a_damaged_run_is_shown_as_damaged_and_breaks_nothing(store, small, file, content):
    run, whole = store.create(small), store.create(small)
    (run.path / file).unlink() if content is None else (run.path / file).write_text(content)
    states = {found.id: found.status().state for found in RunStore(store.root).list() if not found.is_shipped}
    assert states == {run.id: "damaged", whole.id: "queued"}
    assert all(found.name for found in store.list())


def test_a_trained_run_holds_everything_that_it_should(trained):
    status, metrics, test = trained.status(), trained.metrics(), trained.test()
    assert (status.state, status.epoch, status.precision) == ("finished", 2, status.precision)
    assert status.memory_mb > 50
    assert metrics.epochs["epoch"] == [1, 2]
    assert status.parameters == sum(p.numel() for p in load_model(trained).parameters())
    assert status.multiply_adds == 784 * 16 + 2 * 16 * 16 + 16 * 10
    assert metrics.end == {"state": "finished", "reason": "All 2 epochs done."}
    assert test["images"] == 2000
    assert sum(map(sum, test["confusion"])) == 2000
    assert len(test["opened"]) == 1
    assert not list(trained.path.glob("state-*"))


def test_loaded_weights_give_the_stored_test_answers(trained):
    import numpy as np
    import torch

    from core import data
    from core.evaluation import evaluate

    split = data.load(trained.config.dataset).test
    for place in (trained, trained.path, str(trained.path / WEIGHTS)):
        model = load_model(place)
        assert not model.training
        result = evaluate(model, split)
        assert result.accuracy == pytest.approx(trained.test()["accuracy"])
    stored = np.load(trained.path / "predictions.npz", allow_pickle=False)
    assert stored["prediction"].dtype == np.uint8
    assert stored["probability"].dtype == np.float16
    assert torch.equal(torch.from_numpy(stored["prediction"]).long(), result.predictions)


def test_a_run_is_read_with_the_activations_that_it_learned_with(store, small):
    from torch import nn

    def kinds(run):
        return {type(module) for module in load_model(run).modules()}

    learned = store.create(replace(small, silu=True))
    assert work(learned) == "finished"
    assert nn.SiLU in kinds(learned)
    assert nn.ReLU not in kinds(learned)
    path = learned.path / "config.json"
    content = read_json(path)
    del content["config"]["silu"]  # as those that were made before there was such a knob
    write_json(path, content)
    assert nn.ReLU in kinds(RunStore(store.root).get(learned.id))


def test_damaged_weights_are_found_before_they_are_parsed(trained):
    path = trained.path / WEIGHTS
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(trained)


def state_at(step):
    import torch

    return State({"model.w": torch.full((3,), float(step))}, {"step": step})


def test_a_damaged_state_is_set_aside_and_the_one_before_is_used(store, small):
    run = store.create(small)
    for step in (1, 2, 3):
        run.append(End("finished", f"line {step}"))
        run.save_state(state_at(step))
    assert sorted(path.name for path in run.path.glob("state-*")) == ["state-2.safetensors", "state-3.safetensors"]
    state, metrics_bytes, warning = run.load_state()
    assert (state.step, warning) == (3, "")
    newest = run.path / "state-3.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    state, older_bytes, warning = run.load_state()
    assert state.step == 2
    assert older_bytes < metrics_bytes
    assert "state-3.safetensors was damaged" in warning
    assert (run.path / "state-3.damaged").exists()
    (run.path / "state-2.safetensors").unlink()
    with pytest.raises(CheckpointError, match="Every stored checkpoint"):
        run.load_state()


def test_the_state_that_stood_in_for_a_damaged_one_is_kept_when_the_next_is_stored(store, small):
    run = store.create(small)
    for step in (1, 2):
        run.save_state(state_at(step))
    (run.path / "state-2.safetensors").write_bytes(b"cut")
    assert run.load_state()[0].step == 1
    run.save_state(state_at(3))
    (run.path / "state-3.safetensors").write_bytes(b"cut")
    assert run.load_state()[0].step == 1


@pytest.mark.parametrize("content", ['{"word": "stop"}', '{"sha256": "0", "word": "stop"}'])
def test_a_json_file_that_another_wrote_is_no_file_of_ours(store, small, content):
    run = store.create(small)
    run.say("pause")
    assert run.word() == "pause"
    (run.path / "control.json").write_text(content)
    assert run.word() == "run"


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "state-/../x", "config.json"])
def test_a_manifest_that_names_another_file_is_refused(store, small, name):
    run = store.create(small)
    (run.path / MANIFEST).write_text(json.dumps({"current": {"file": name, "bytes": 1, "sha256": "0"}}))
    with pytest.raises(CheckpointError, match="manifest"):
        run.load_state()


def test_weights_can_be_read_after_a_crash_at_any_write(store, small, monkeypatch):
    import torch

    from core import files

    run = store.create(small)
    run.save_weights({"w": torch.zeros(2)}, 1)
    for crash_at in range(1, 4):
        calls = iter(range(1, 10))
        real = files.sync_folder

        def crash(folder, calls=calls, crash_at=crash_at, real=real):
            if next(calls) == crash_at:
                raise OSError("power cut")
            real(folder)

        with monkeypatch.context() as patch:
            patch.setattr(files, "sync_folder", crash)
            with contextlib.suppress(OSError):
                run.save_weights({"w": torch.full((2,), float(crash_at))}, crash_at + 1)
        assert run.load_weights()["w"].shape == (2,)


def test_metrics_are_read_on_from_where_the_last_look_ended(tmp_path):
    path = tmp_path / "metrics.jsonl"
    reader = MetricsReader(path)
    assert reader.read().version == 0
    lines = [json.dumps(training.as_dict(training.Epoch(9, epoch, 1.0, 3.0, 0.5, 3.0 - epoch, 0.5, True, None)))
             for epoch in (1, 2)]  # fmt: skip
    path.write_text(f"{lines[0]}\n{lines[1][:12]}")
    first = reader.read()
    assert (first.epochs["epoch"], first.epochs["val_loss"]) == ([1], [2.0])
    assert reader.read() is first
    with path.open("a") as file:
        file.write(f'{lines[1][12:]}\nnonsense\n{{"event": "end", "state": "finished"}}\n')
    second = reader.read()
    assert second.epochs["val_loss"] == [2.0, 1.0]
    assert second.end == {"state": "finished"}
    assert second.damaged_lines == 1
    assert second.version > first.version


@pytest.mark.parametrize("event", [training.Step(1, 0.1, 0.1, 2.0, 0.5, 0.1, 10.0),
                                   training.Epoch(9, 1, 1.0, 3.0, 0.5, 2.0, 0.5, True, None)])  # fmt: skip
def test_a_line_that_lacks_a_number_is_left_out_and_counted(tmp_path, event):
    whole, path = training.as_dict(event), tmp_path / "metrics.jsonl"
    needed = [name for name in whole if name not in ("event", "patience_left", "cpu_seconds")]
    broken = [{key: value for key, value in whole.items() if key != name} for name in needed]
    broken += [{**whole, needed[0]: wrong} for wrong in ("high", None, [1])]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in (*broken, whole)))
    metrics = MetricsReader(path).read()
    assert metrics.damaged_lines == len(broken)
    assert getattr(metrics, f"{whole['event']}s")["step"] == [whole["step"]]


def test_readers_notice_that_a_resume_cut_the_metrics(store, small):
    run = store.create(small)
    lengths = []
    for loss in (3.0, 2.0):
        run.append(training.Step(1, 0.1, 0.1, loss, 0.5, 0.1, 10.0))
        lengths.append(run.metrics_bytes())
    assert run.metrics().steps["loss"] == [3.0, 2.0]
    run.cut_metrics(lengths[0])
    run.append(training.Step(2, 0.2, 0.2, 1.0, 0.5, 0.1, 10.0))
    assert run.metrics().steps["loss"] == [3.0, 1.0]


def test_discard_hides_a_run_at_once_and_undo_brings_it_back(store, small):
    run = store.create(small)
    run.say("discard")
    assert run.id not in [found.id for found in store.list()]
    store.settle_discarded()
    assert not run.path.exists()
    assert store.restore_discarded(run.id).status().state == "queued"
    assert run.id in [found.id for found in store.list()]


def test_a_config_that_cannot_be_read_is_none(store, small):
    run, damaged = store.create(small), store.create(small)
    (damaged.path / "config.json").write_text("{")
    assert (run.config_or_none, damaged.config_or_none) == (small, None)
    assert store.runs_on(small.dataset) == (run,)


def test_a_shipped_run_is_read_only(trained):
    places.SHIPPED.mkdir()
    run = Run(trained.path.rename(places.SHIPPED / "ref-cnn"))
    result = evaluate(load_model(run), data.load("mnist-mini").test)
    for change in (lambda: run.rename("mine"), lambda: run.say("discard"), lambda: run.save_test(result, "")):
        with pytest.raises(RunError, match="read-only"):
            change()


def test_every_error_of_ours_is_a_lab_error():
    from core import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert all(issubclass(kind, LabError) for kind in kinds if kind.__module__ == "core.errors")
