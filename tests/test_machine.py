"""What a process does with the memory that it frees."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from core.machine import keep_freed_memory
if {keep}:
    keep_freed_memory()
for _ in range(2):
    torch.ones(16_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    torch.ones(16_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep):
    """Pages that a process gets from the system to fill 64 MB five times, after two times that do not count."""
    script = FAULTS.format(keep=keep)
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is GNU's")
def test_memory_that_was_freed_is_used_again_without_asking_the_system():
    assert faults(keep=True) < 1_000
    assert faults(keep=False) > 10_000  # or the test would prove nothing here
