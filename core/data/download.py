"""Download a data set with torchvision and make its cache file: the program that `fetching.py` runs as a child.

    python -m core.data.download NAME FOLDER TIMEOUT_SECONDS

Owns: what torchvision fetches and checks, and how its arrays become ours. A process of its own, because a download that
hangs can be killed there, because its socket timeout is nobody else's, and because a web server that only wants a file
should not carry torchvision. Its end: exit code 0 with FOLDER/NAME.safetensors there, or 1 with the cause on the last
line of standard error. It leaves at once when its standard input ends, which means that its parent is gone.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.error import URLError

from core.data import cache
from core.data.catalogue import describe
from core.data.vision import import_torchvision

if TYPE_CHECKING:
    from torch import Tensor


def download(name: str, folder: Path, timeout_seconds: float) -> Path:
    """Fetch a data set into `folder` and make its cache file there; returns the file.

    timeout_seconds: how long the server may be silent.

    Raises: what torchvision, the network and the disk raise; `cause` puts it into words.
    """
    info = describe(name)
    datasets = import_torchvision().datasets
    folder.mkdir(parents=True, exist_ok=True)  # the parent takes the folder as the sign that the download begins
    with socket_timeout(timeout_seconds):
        tensors = SOURCES[name](datasets, folder)
    file = folder / f"{name}.safetensors"
    cache.write(file, info, tensors)
    return file


@contextmanager
def socket_timeout(seconds: float) -> Iterator[None]:
    """Give up on a silent network after `seconds`: torchvision itself would wait for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def mnist(datasets: ModuleType, folder: Path) -> dict[str, Tensor]:
    """MNIST's four tensors as the cache keeps them; four files, each checked by its MD5."""
    train = datasets.MNIST(folder, train=True, download=True)
    test = datasets.MNIST(folder, train=False)
    return {
        "train_images": train.data[..., None],  # [N, H, W] -> [N, H, W, 1]
        "train_labels": train.targets.byte(),
        "test_images": test.data[..., None],
        "test_labels": test.targets.byte(),
    }


def cifar10(datasets: ModuleType, folder: Path) -> dict[str, Tensor]:
    """CIFAR-10's four tensors as the cache keeps them; an archive and its parts, each checked by its MD5.

    The parts are pickles, which torchvision opens only once their MD5 is the published one.
    """
    import torch

    train = datasets.CIFAR10(folder, train=True, download=True)
    test = datasets.CIFAR10(folder, train=False)
    return {
        "train_images": torch.from_numpy(train.data),
        "train_labels": torch.tensor(train.targets, dtype=torch.uint8),
        "test_images": torch.from_numpy(test.data),
        "test_labels": torch.tensor(test.targets, dtype=torch.uint8),
    }


SOURCES: dict[str, Callable[[ModuleType, Path], dict[str, Tensor]]] = {"mnist": mnist, "cifar10": cifar10}


def cause(error: BaseException, timeout_seconds: float) -> str:
    """What went wrong, on one line, in words for people."""
    text = " ".join(str(error).split())
    if isinstance(error, TimeoutError) or "timed out" in text:
        return f"the server fell silent for {timeout_seconds:g} s"
    if "not found or corrupted" in text:
        return f"what arrived is incomplete or damaged, its checksum is wrong ({text})"
    if isinstance(error, URLError) and isinstance(error.reason, OSError):
        return f"no network, or its server can't be reached ({error.reason.strerror or error.reason})"
    return text or type(error).__name__


def main(arguments: list[str]) -> int:
    """Run the program; returns its exit code."""
    name, folder, timeout_seconds = arguments[0], Path(arguments[1]), float(arguments[2])
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        download(name, folder, timeout_seconds)
    except Exception as error:  # whatever it is, the parent can only be told in words
        print(f"\n{cause(error, timeout_seconds)}", file=sys.stderr)
        return 1
    return 0


def _leave_with_parent() -> None:
    os.read(0, 1)  # returns when the parent closes its end or dies
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
