"""What a disk or another process refuses at the press of a button: an error of ours, that says what to do."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from core import causes, models
from core.config import TrainConfig
from core.errors import RunError
from core.jobs import JobManager
from core.runs import Run, RunStore
from core.runs import store as stores
from core.training import End, State
from core.worker import work


@pytest.fixture
def idle(store, small) -> Run:
    """A run that nobody works on."""
    return store.create(small, state="paused")


@pytest.fixture
def manager(store):
    with JobManager(store) as manager:
        yield manager


def full(path: Path, content: bytes) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@pytest.mark.parametrize(
    "press",
    [
        lambda manager, run: run.rename("mine"),
        lambda manager, run: run.tag(["mine"]),
        lambda manager, run: run.hide(True),
        lambda manager, run: run.say("pause"),
        lambda manager, run: manager.stop(run.id),
        lambda manager, run: manager.resume(run.id),
        lambda manager, run: manager.discard(run.id),
    ],
)
def test_a_full_disk_is_told_with_what_to_do(manager, idle, monkeypatch, press):
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match=r"could not be .*No space left on device.*Free some space on the disk"):
        press(manager, idle)


def test_a_run_that_another_process_is_busy_with_is_resumed_a_moment_later(manager, idle, monkeypatch):
    with idle.held(), pytest.raises(RunError, match=r"busy with it\. Try again in a moment"):
        manager.resume(idle.id)
    monkeypatch.setattr(manager, "_leads", lambda: False)
    manager.resume(idle.id)
    assert idle.status().state in ("queued", "running")


def test_a_form_that_is_being_sent_elsewhere_is_sent_a_moment_later(store, small, monkeypatch):
    first = store.create_once(small, "", "form")
    (token,) = [path for path in (store.root / ".tokens").iterdir() if path.suffix == ".lock"]
    monkeypatch.setattr(stores, "SECONDS_FOR_LOCK", 0.0)
    with FileLock(token), pytest.raises(RunError, match=r"busy with it\. Try again in a moment"):
        store.create_once(small, "", "form")
    assert store.create_once(small, "", "form") is first


def test_a_form_that_cannot_be_remembered_makes_no_run(store, small, monkeypatch):
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RunError, match=r"No run could be made in .*Free some space"):
        store.create_once(small, "", "form")
    assert store.list() == []


def test_a_folder_of_runs_that_is_a_file_is_told(tmp_path, small):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="No run could be made in"):
        RunStore(tmp_path / "file").create_once(small, "", "form")
    with pytest.raises(RunError, match="could not be made"):
        JobManager(RunStore(tmp_path / "file"))


def test_a_token_that_is_no_text_makes_a_new_run(store, small):
    first = store.create_once(small, "", "form")
    (token,) = [path for path in (store.root / ".tokens").iterdir() if path.suffix != ".lock"]
    token.write_bytes(b"\xff\xfe")
    assert store.create_once(small, "", "form").id != first.id


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "Free some space on the disk, then try again"),
        (errno.EACCES, "Let CNN Lab write to that folder, then try again"),
        (errno.ENOENT, "See whether its folder is still there, then try again"),
        (errno.EIO, "See whether the disk is in order, then try again"),
    ],
)
def test_each_refusal_has_its_remedy(code, remedy):
    words = causes.refused("It could not be done", OSError(code, os.strerror(code)))
    assert words.startswith("It could not be done: ")
    assert words.endswith(f"{remedy}.")


# Discarding, in several processes


def test_two_that_discard_the_same_run_at_once_move_it_once(store, idle, monkeypatch):
    """The other has moved it between this one's look and its move."""
    other, look, is_first = RunStore(store.root), Run.word, iter([True])

    def word(run: Run) -> str:
        said = look(run)
        if next(is_first, False):
            other.settle_discarded()
        return said

    idle.say("discard")
    monkeypatch.setattr(Run, "word", word)
    store.settle_discarded()
    assert not idle.path.exists()
    assert store.restore_discarded(idle.id).status().state == "paused"


def test_a_run_is_not_moved_while_another_process_moves_runs(store, idle, monkeypatch):
    monkeypatch.setattr(stores, "SECONDS_FOR_LOCK", 0.0)
    idle.say("discard")
    with store._trash_lock():
        for ask in (RunStore(store.root).settle_discarded, lambda: store.restore_discarded(idle.id)):
            with pytest.raises(RunError, match="busy with it"):
                ask()
    assert idle.path.is_dir()
    store.settle_discarded()
    assert not idle.path.exists()


def test_one_that_was_brought_back_meanwhile_stays(store, idle, monkeypatch):
    lock, idle_again = store._trash_lock, RunStore(store.root)
    idle.say("discard")

    def late() -> FileLock:
        idle_again.restore_discarded(idle.id)
        return lock()

    monkeypatch.setattr(store, "_trash_lock", late)
    store.settle_discarded()
    assert idle.path.is_dir()
    assert idle.word() == "run"


def test_a_lock_does_not_bring_a_folder_back_that_is_gone(idle):
    shutil.rmtree(idle.path)
    assert not idle.is_held()
    with pytest.raises(FileNotFoundError), idle.held():
        pass
    assert not idle.path.exists()


def test_trash_that_another_process_empties_meanwhile_is_no_trouble(store, monkeypatch):
    monkeypatch.setattr(stores, "run_folders", lambda root: [root / "gone"] if root.name == stores.TRASH else [])
    store.settle_discarded()


# Going on without the run that it began with


def test_a_run_that_began_with_anothers_weights_goes_on_without_them(store):
    asked = []

    def fit(config, *, state, weights, control, catch_up):
        asked.append((state is not None, weights is not None))
        yield State({}, {"step": 1})
        yield End("paused", "")

    cnn = store.create(TrainConfig(model="cnn", dataset="mnist-mini", width=4))
    cnn.save_weights(models.build("cnn", (1, 28, 28), 10, width=4).state_dict(), 1)
    run = store.create(TrainConfig(model="fcn", dataset="mnist-mini-scenes", width=4, init_from=cnn.id))
    assert work(run, fit=fit) == "paused"
    cnn.say("discard")
    store.settle_discarded()
    assert work(run, fit=fit) == "paused", run.status().reason
    assert asked == [(False, True), (True, False)]
