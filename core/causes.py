"""Why a training, or a press of a button, could not go on, in words for a person: memory, disk, a lock, or a defect.

Owns: the words. Leaves errors of ours, which have their own, to `core.errors`.
"""

from __future__ import annotations

import errno
import signal

SMALLER = "Take a smaller batch size or width."
TOO_LITTLE_MEMORY = f"The machine has too little free memory for this run. {SMALLER}"
SIGNS_OF_MEMORY = (  # torch, C++, CUDA, threads and shared libraries each say it in their own words
    *("can't allocate memory", "cannot allocate memory", "bad_alloc", "out of memory"),
    *("can't start new thread", "failed to map segment"),
)
SIGNS_OF_A_LOST_PROCESS = ("gloo", "nccl", "connection closed by peer")
LOST_PROCESS = "Another process that learned this run has ended. Resume goes on from the last checkpoint."
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "Free some space on the disk"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Let CNN Lab write to that folder"),
    errno.ENOENT: "See whether its folder is still there",
}
OTHERWISE = "See whether the disk is in order"
OUT_OF_MEMORY = ", probably because the machine ran out of memory"


def in_words(error: Exception) -> str:
    """The cause of a failed training: what happened and what to do."""
    if _is_about_memory(error):
        return TOO_LITTLE_MEMORY
    if isinstance(error, RuntimeError) and tells_of_a_lost_process(str(error)):
        return LOST_PROCESS  # whoever started them all may know which, and why
    if isinstance(error, SystemError):  # so Python ends an import for which the memory did not suffice
        return f"Python itself gave up ({error}), probably because memory ran out. {SMALLER}"
    if isinstance(error, OSError):
        remedy = REMEDIES.get(error.errno or 0, OTHERWISE)
        return f"The run's files could not be written: {error}. {remedy}, then resume: the last checkpoint is whole."
    return f"{type(error).__name__}: {error}"


def refused(what: str, error: OSError) -> str:
    """What a disk or a lock refused, and what to do. what: the sentence so far, such as "It could not be renamed"."""
    if isinstance(error, TimeoutError):  # as filelock's is
        return f"{what}: another process is busy with it. Try again in a moment."
    return f"{what}: {error}. {REMEDIES.get(error.errno or 0, OTHERWISE)}, then try again."


def killed(who: str, signal_number: int, said: str) -> str:
    """What became of a process that a signal has ended. who: begins the sentence. said: the signal, in brackets."""
    probably = OUT_OF_MEMORY if signal_number == signal.SIGKILL else ""
    return f"{who} was killed ({said}){probably}. Resume goes on from the last checkpoint."


def lost_member(place: int, of: int, exit_code: int, said: str = "The end of the run's log says more.") -> str:
    """What became of one of the processes that learned a run together.

    place: from 1. exit_code: negative for a signal. said: what there is to know of another end.
    """
    which = f"Process {place} of the {of} that learned this run together"
    if exit_code >= 0:
        return f"{which} ended with exit code {exit_code}. {said}".strip()
    return killed(which, -exit_code, signal.Signals(-exit_code).name)


def tells_of_a_lost_process(words: str) -> bool:
    """Whether an error's words mean that another process that learned the same run has gone."""
    return any(sign in words.lower() for sign in SIGNS_OF_A_LOST_PROCESS)


def _is_about_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError | ImportError) and any(sign in words for sign in SIGNS_OF_MEMORY)
