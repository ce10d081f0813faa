"""The audit: silent about what is whole, one sentence for each thing that is not, and it changes nothing."""

from __future__ import annotations

import re
import threading

import pytest

from core import files
from core.__main__ import main
from core.checkpoints import MANIFEST, WEIGHTS
from core.config import TrainConfig
from core.files import write_json
from core.runs import Run, RunStore, audit, auditing, places
from core.worker import work


def sentences(store) -> list[str]:
    return [f"{finding.severity}: {finding.sentence}" for finding in audit(store)]


def test_what_is_whole_gives_no_finding(store, small, trained, paused):
    queued = store.create(small)
    assert sentences(store) == []
    assert {run.status().state for run in store.list()} == {"finished", "paused", "queued"}
    assert not (queued.path / "lock").exists()


def test_a_shipped_run_needs_no_weights(store, trained):
    places.SHIPPED.mkdir()
    shipped = Run(trained.path.rename(places.SHIPPED / "ref-cnn"))
    write_json(shipped.path / MANIFEST, {})
    (shipped.path / WEIGHTS).unlink()
    assert [run.id for run in store.list()] == ["ref-cnn"]
    assert sentences(store) == []


class Killed(BaseException):
    """What no code of ours catches."""


def after(steps, what):
    """A control that says "run" so many times, then a word, or raises."""
    left = [steps]

    def word():
        left[0] -= 1
        if left[0] < 0 and isinstance(what, type):
            raise what
        return what if left[0] < 0 else "run"

    return word


def test_a_run_that_was_killed_after_a_new_best_and_is_stopped_before_it_has_caught_up_is_whole(store):
    run = store.create(TrainConfig(model="mlp", dataset="mnist-mini", epochs=9, width=16, train_size=200, batch_size=50,
                                   threads=1))  # fmt: skip
    assert work(run, control=after(6, "pause")) == "paused"  # 4 steps an epoch
    with pytest.raises(Killed):
        work(run, control=after(20, Killed))
    assert run.status().epoch > 3
    assert work(run, control=after(1, "stop")) == "stopped"
    assert sentences(store) == []


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def rewrite(run, name, **changes):
    write_json(run.path / name, {**files.read_json(run.path / name), **changes})


def relearn(run, change):
    """Rewrite the metrics, and let the status vouch for them."""
    path = run.path / "metrics.jsonl"
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    rewrite(run, "status.json", metrics_sha256=run.metrics_sha256())


def without_the_first_epoch(lines):
    return [line for line in lines if b'"epoch": 1, ' not in line or b'"event": "step"' in line]


DAMAGE = {
    "status.json is not as it was written": lambda run: flip(run.path / "status.json"),
    "config of run .* can't be read": lambda run: flip(run.path / "config.json"),
    "state 'flying'": lambda run: rewrite(run, "status.json", state="flying"),
    "meta.json can't be read": lambda run: flip(run.path / "meta.json"),
    "control.json can't be read": lambda run: (run.path / "control.json").write_text('{"word": "run"}'),
    "manifest.json can't be read": lambda run: flip(run.path / MANIFEST),
    "test.json can't be read .* evaluate": lambda run: flip(run.path / "test.json"),
    "metrics.jsonl is not as the run left it": lambda run: flip(run.path / "metrics.jsonl"),
    "model.safetensors is missing or not as it was written": lambda run: flip(run.path / WEIGHTS),
    "model.safetensors is missing": lambda run: (run.path / WEIGHTS).unlink(),
    "model.safetensors is not in its manifest": lambda run: write_json(run.path / MANIFEST, {}),
    "predictions.npz is not as it was written": lambda run: flip(run.path / "predictions.npz"),
    r"do not agree \(.*No such file": lambda run: (run.path / "predictions.npz").unlink(),
    "says 0.9999": lambda run: rewrite(run, "test.json", accuracy=0.9999),
    "figures of 7 images": lambda run: rewrite(run, "test.json", images=7),
    "confusion counts 10 answers": lambda run: rewrite(run, "test.json", confusion=[[10]]),
    "2 epochs, but has no weights": lambda run: [write_json(run.path / MANIFEST, {}), (run.path / WEIGHTS).unlink()],
    "an epoch is missing or told twice": lambda run: relearn(run, without_the_first_epoch),
    "steps of its epoch events do not rise": lambda run: relearn(run, lambda lines: lines[:-1] + lines[-2:]),
    "steps of its step events do not rise": lambda run: relearn(run, lambda lines: lines[:1] + lines),
    "1 damaged lines": lambda run: relearn(run, lambda lines: [b"{}\n", *lines]),
    "last line of metrics.jsonl is cut off": lambda run: relearn(run, lambda lines: [*lines[:-1], lines[-1][:-1]]),
    "the end that metrics.jsonl tells is none": lambda run: relearn(run, lambda lines: lines[:-1]),
    "it is stopped, but the end .* is finished": lambda run: rewrite(run, "status.json", state="stopped"),
    "goes on after its end": lambda run: relearn(run, lambda lines: [*lines, lines[-1]]),
    "status says 3 epochs, metrics.jsonl has 2": lambda run: rewrite(run, "status.json", epoch=3),
    "weights are those of step 7": lambda run: rewrite(
        run, MANIFEST, best={**files.read_json(run.path / MANIFEST)["best"], "step": 7}
    ),
    "extra is no plain file": lambda run: (run.path / "extra").mkdir(),
}
LOOSE_ENDS = {
    "marked as running, but no process": lambda run: rewrite(run, "status.json", state="running", metrics_sha256=""),
    "its test set was never opened": lambda run: (run.path / "test.json").unlink(),
    "checkpoints are left over: state-5.safetensors": lambda run: (run.path / "state-5.safetensors").write_bytes(b"x"),
    "left behind by a crash": lambda run: (run.path / ".model.safetensors.77.tmp").write_bytes(b"x"),
    "damaged and set aside": lambda run: (run.path / "state-5.damaged").write_bytes(b"x"),
    "notes.txt is no file of a run": lambda run: (run.path / "notes.txt").write_text("mine"),
}


@pytest.mark.parametrize(
    ("severity", "words", "spoil"),
    [("damage", words, spoil) for words, spoil in DAMAGE.items()]
    + [("loose end", words, spoil) for words, spoil in LOOSE_ENDS.items()],
    ids=[*DAMAGE, *LOOSE_ENDS],
)
def test_what_is_wrong_with_a_finished_run_is_said_and_nothing_is_changed(store, trained, severity, words, spoil):
    spoil(trained)
    before = {path.name: path.read_bytes() for path in trained.path.iterdir() if path.is_file()}
    found = [finding for finding in audit(store) if finding.severity == severity]
    assert {finding.run_id for finding in found} == {trained.id}
    assert any(re.search(words, finding.sentence) for finding in found), found
    assert all(finding.sentence.endswith((".", trained.id, "--again")) for finding in found)
    assert {path.name: path.read_bytes() for path in trained.path.iterdir() if path.is_file()} == before


def test_a_paused_run_whose_checkpoint_is_damaged_can_go_on_from_the_other_one(store, paused):
    newest, older = (
        entry["file"] for entry in map(files.read_json(paused.path / MANIFEST).get, ("current", "previous"))
    )
    flip(paused.path / newest)
    assert sentences(store) == [
        f"damage: the checkpoint {newest} is missing or not as it was written. Resume goes on from the other one."
    ]
    (paused.path / older).unlink()
    assert all("It can't go on: fork it." in sentence for sentence in sentences(store))


def test_a_lock_that_is_held_without_running_is_a_loose_end(store, trained, monkeypatch):
    monkeypatch.setattr(auditing, "SECONDS_BETWEEN_LOOKS", 0.01)
    with trained.held():
        assert ["holds its lock" in sentence for sentence in sentences(store)] == [True]


def test_a_tensor_file_is_never_parsed(store, trained, monkeypatch):
    def parsed(*_, **__):
        raise AssertionError("parsed")

    monkeypatch.setattr("core.checkpoints.read_tensors", parsed)
    assert sentences(store) == []
    flip(trained.path / WEIGHTS)
    assert len(sentences(store)) == 1


def test_a_run_that_is_written_meanwhile_gives_no_findings(store, small):
    """A training with a checkpoint at nearly every step, audited all the while."""
    from functools import partial

    from core import training, worker

    run = store.create(TrainConfig.from_dict({**small.as_dict(), "epochs": 60}))
    fast = partial(training.fit, checkpoint_seconds=0.01)
    found, looks = [], 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker.training, "fit", fast)
        thread = threading.Thread(target=work, args=(run,))
        thread.start()
        while thread.is_alive():
            found += audit(store)
            looks += 1
        thread.join()
    assert looks > 20
    assert found == []
    assert run.status().state == "finished"
    assert sentences(store) == []


def test_the_command_prints_a_line_a_finding_and_a_sentence_of_counts(store, trained, paused, capsys):
    assert main(["audit"]) == 0
    assert capsys.readouterr().out.startswith("All is well with 2 runs")
    flip(trained.path / WEIGHTS)
    (paused.path / "notes.txt").write_text("mine")
    assert main(["audit"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[0] for line in lines[:2]) == sorted([trained.id, paused.id])
    assert lines[2:] == ["Damage: 1, loose ends: 1, in 2 of 2 runs."]


def test_the_runs_that_ship_are_whole(monkeypatch):
    monkeypatch.undo()
    shipped = [run for run in RunStore().list() if run.is_shipped]
    assert shipped
    assert [finding for run in shipped for finding in auditing.audit_run(run)] == []
