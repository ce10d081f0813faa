"""What is said of a processor by its flags, and what a process does with the memory that it frees."""

import platform
import subprocess
import sys

import pytest

from core import machine

FAULTS = """
import ctypes, resource
from core.machine import keep_freed_memory
if {keep}:
    keep_freed_memory()
c_library = ctypes.CDLL(None)
c_library.malloc.restype = ctypes.c_void_p
c_library.free.argtypes = [ctypes.c_void_p]
def fill(size=64_000_000):
    block = c_library.malloc(size)
    ctypes.memset(block, 1, size)
    c_library.free(block)
for _ in range(2):
    fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize(
    ("flags", "bf16", "amx"),
    [("avx2 fma", False, False), ("avx2 avx512_bf16", True, False), ("avx512_bf16 amx_bf16 amx_tile", True, True)],
)
def test_the_flags_of_a_processor_say_whether_it_has_bf16_and_amx(flags, bf16, amx, monkeypatch):
    monkeypatch.setattr(machine, "_processor_facts", lambda: {"flags": flags})
    found = machine.describe.__wrapped__()
    assert (found.bf16, found.amx) == (bf16, amx)


def faults(keep):
    """Pages that a process gets from the system to fill 64 MB five times, after two times that do not count."""
    script = FAULTS.format(keep=keep)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is GNU's")
def test_memory_that_was_freed_is_used_again_without_asking_the_system():
    kept, handed_back = faults(keep=True), faults(keep=False)
    assert handed_back > 10_000  # or the test would prove nothing here
    assert kept < handed_back / 5  # at most one of the five by chance, should the heap's layout have it so
