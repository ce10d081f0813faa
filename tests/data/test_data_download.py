"""The real downloading code against a server on this machine that serves tiny sets in the official formats."""

import gc
import gzip
import hashlib
import io
import json
import os
import pickle
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import warnings
from collections import Counter
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import URLError

import numpy as np
import pytest

from core import data
from core.data import cache, catalogue, download, fetching, vision
from core.errors import DataError

TINY_MNIST = replace(catalogue.KNOWN["mnist"], train_size=30, val_size=10, test_size=20)
TINY_CIFAR10 = replace(catalogue.KNOWN["cifar10"], train_size=30, val_size=10, test_size=8)
MNIST_FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
REQUESTS_A_FILE = 2  # torchvision asks once to learn of redirects, then for the content


class Server:
    """Serves `files`; counts GET requests. `broken` names one that is sent half and then hangs."""

    def __init__(self):
        self.files, self.requests, self.broken = {}, Counter(), None
        self.closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                self.answer(with_body=False)

            def do_GET(self):
                outer.requests[self.path[1:]] += 1
                self.answer(with_body=True)

            def answer(self, with_body):
                name = self.path[1:]
                if name not in outer.files:
                    self.send_error(404)
                    return
                content = outer.files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if with_body and name == outer.broken:
                    self.wfile.write(content[: len(content) // 2])
                    outer.closing.wait(20)
                elif with_body:
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/"
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self):
        self.closing.set()
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The cache folder, empty, with tiny sets in the catalogue."""
    monkeypatch.setenv("CNNLAB_DATA", str(tmp_path / "cache"))
    monkeypatch.setitem(catalogue.KNOWN, "mnist", TINY_MNIST)
    monkeypatch.setitem(catalogue.KNOWN, "cifar10", TINY_CIFAR10)
    return tmp_path / "cache"


def mnist_arrays():
    random = np.random.default_rng(0)
    return {
        "train_images": random.integers(0, 256, (40, 28, 28), dtype=np.uint8),
        "train_labels": np.arange(40, dtype=np.uint8) % 10,
        "test_images": random.integers(0, 256, (20, 28, 28), dtype=np.uint8),
        "test_labels": np.arange(20, dtype=np.uint8) % 10,
    }


def serve_mnist(server):
    """Put a tiny MNIST on the server; returns what to set on torchvision's class."""
    for key, array in mnist_arrays().items():
        idx = struct.pack(f">I{array.ndim}I", 0x800 + array.ndim, *array.shape) + array.tobytes()
        server.files[MNIST_FILES[key]] = gzip.compress(idx)
    resources = [(name, md5(server.files[name])) for name in MNIST_FILES.values()]
    return {"mirrors": [server.url], "resources": resources}


def serve_cifar10(server):
    """Put a tiny CIFAR-10 on the server: its arrays [N, 3, 32, 32] and what to set on torchvision's class."""
    random = np.random.default_rng(1)
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    arrays = {name: random.integers(0, 256, (8, 3, 32, 32), dtype=np.uint8) for name in names}
    files = {
        name: pickle.dumps({"data": array.reshape(8, 3072), "labels": [place, *range(7)]}, protocol=2)
        for place, (name, array) in enumerate(arrays.items())
    }
    files["batches.meta"] = pickle.dumps({"label_names": list(catalogue.CIFAR10_CLASSES)}, protocol=2)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    server.files["cifar-10-python.tar.gz"] = archive.getvalue()
    return arrays, {
        "url": server.url + "cifar-10-python.tar.gz",
        "tgz_md5": md5(archive.getvalue()),
        "train_list": [[name, md5(files[name])] for name in names[:5]],
        "test_list": [["test_batch", md5(files["test_batch"])]],
        "meta": {"filename": "batches.meta", "key": "label_names", "md5": md5(files["batches.meta"])},
    }


def md5(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def patch(monkeypatch, kind, settings):
    target = getattr(vision.import_torchvision().datasets, kind)
    for name, value in settings.items():
        monkeypatch.setattr(target, name, value)


def program(tmp_path, monkeypatch, body):
    """Run `body` instead of the downloading program."""
    path = tmp_path / "program.py"
    path.write_text(f"import sys\nsys.path.insert(0, {str(fetching.ROOT)!r})\n{body}", encoding="utf-8")
    monkeypatch.setattr(fetching, "PROGRAM", (sys.executable, str(path)))
    return path


def real_program(tmp_path, monkeypatch, settings):
    """The real downloading program with a tiny MNIST and torchvision's addresses set to the server's."""
    body = f"""
import json
from dataclasses import replace
from core.data import catalogue, download, vision
catalogue.KNOWN["mnist"] = replace(catalogue.KNOWN["mnist"], train_size=30, val_size=10, test_size=20)
for name, value in json.loads({json.dumps(settings)!r}).items():
    setattr(vision.import_torchvision().datasets.MNIST, name, value)
sys.exit(download.main(sys.argv[1:]))
"""
    return program(tmp_path, monkeypatch, body)


def failing(monkeypatch, tmp_path, words):
    program(tmp_path, monkeypatch, f"print('noise'); sys.exit({words!r})")


def assert_nothing_left(folder):
    assert [path.name for path in folder.iterdir() if path.suffix != ".lock"] == []


# What is downloaded, in this process.


def test_mnist_arrives_exactly_as_it_was_served(server, folder, monkeypatch):
    patch(monkeypatch, "MNIST", serve_mnist(server))
    tensors = cache.read(download.download("mnist", folder, 5), TINY_MNIST)
    for key, array in mnist_arrays().items():
        expected = array[..., None] if key.endswith("images") else array
        np.testing.assert_array_equal(tensors[key].numpy(), expected)


@pytest.mark.filterwarnings("ignore:Python 3.14 will:DeprecationWarning")
def test_cifar10_arrives_exactly_as_it_was_served(server, folder, monkeypatch):
    arrays, settings = serve_cifar10(server)
    patch(monkeypatch, "CIFAR10", settings)
    tensors = cache.read(download.download("cifar10", folder, 5), TINY_CIFAR10)
    served = np.concatenate([arrays[f"data_batch_{i}"] for i in range(1, 6)])
    np.testing.assert_array_equal(tensors["train_images"].numpy(), served.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(tensors["test_images"].numpy(), arrays["test_batch"].transpose(0, 2, 3, 1))
    assert tensors["train_labels"].tolist() == [n for place in range(5) for n in (place, *range(7))]
    assert tensors["test_labels"].tolist() == [5, *range(7)]


def test_a_file_that_is_not_on_the_server_is_told(server, folder, monkeypatch):
    settings = serve_mnist(server)
    del server.files[MNIST_FILES["test_labels"]]
    patch(monkeypatch, "MNIST", settings)
    assert "HTTP Error 404: Not Found" in told(folder)


def test_a_wrong_checksum_is_told(server, folder, monkeypatch):
    settings = serve_mnist(server)
    content = bytearray(server.files[MNIST_FILES["train_images"]])
    content[len(content) // 2] ^= 1
    server.files[MNIST_FILES["train_images"]] = bytes(content)
    patch(monkeypatch, "MNIST", settings)
    assert "damaged, its checksum is wrong" in told(folder)


def test_no_network_is_told(server, folder, monkeypatch):
    with socket.socket() as unused:  # bound and not listening: a port that refuses
        unused.bind(("127.0.0.1", 0))
        settings = serve_mnist(server) | {"mirrors": [f"http://127.0.0.1:{unused.getsockname()[1]}/"]}
        patch(monkeypatch, "MNIST", settings)
        assert "Connection refused" in told(folder)


def test_a_server_that_sends_half_and_falls_silent_is_given_up(server, folder, monkeypatch):
    patch(monkeypatch, "MNIST", serve_mnist(server))
    server.broken = MNIST_FILES["train_images"]
    assert told(folder, timeout_seconds=0.3) == "the server fell silent for 0.3 s"


@pytest.mark.parametrize("before", [None, 7.5])
def test_the_socket_timeout_is_set_only_during_the_download(server, folder, monkeypatch, before):
    seen = []
    monkeypatch.setitem(download.SOURCES, "mnist", lambda *_: seen.append(socket.getdefaulttimeout()) or 1 / 0)
    socket.setdefaulttimeout(before)
    try:
        with pytest.raises(ZeroDivisionError):
            download.download("mnist", folder, 3)
        assert socket.getdefaulttimeout() == before
    finally:
        socket.setdefaulttimeout(None)
    assert seen == [3]


def test_a_conversion_that_breaks_off_leaves_no_file(server, folder, monkeypatch):
    patch(monkeypatch, "MNIST", serve_mnist(server))

    def full_disk(_tensors, path, _metadata):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full_disk)
    assert "No space left on device" in told(folder)
    assert list(folder.glob("*.safetensors*")) + list(folder.glob(".*")) == []


def told(folder, timeout_seconds=5.0):
    """The words for a download that fails. urllib leaves sockets of failed requests to the garbage collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        words = words_of_failure(folder, timeout_seconds)
        gc.collect()
    assert not (folder / "mnist.safetensors").exists()
    return words


def words_of_failure(folder, timeout_seconds):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one is torchvision's affair
        download.download("mnist", folder, timeout_seconds)
    return download.cause(caught.value, timeout_seconds)


# Fetching, with the real program as a child.


def test_two_processes_that_ask_at_once_download_once(server, folder, tmp_path, monkeypatch):
    child = real_program(tmp_path, monkeypatch, serve_mnist(server))
    asking = tmp_path / "ask.py"
    asking.write_text(
        f"""
import sys
sys.path.insert(0, {str(fetching.ROOT)!r})
from core.data import fetch, fetching
fetching.PROGRAM = (sys.executable, {str(child)!r})
seen = []
print(fetch("mnist", lambda done, total: seen.append((done, total))))
assert seen[-1] == (11594722, 11594722) and seen == sorted(seen), seen
"""
    )
    asked = [subprocess.Popen([sys.executable, asking], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = [process.communicate()[0].strip() for process in asked]
    assert [process.returncode for process in asked] == [0, 0]
    assert answers == [str(folder / "mnist.safetensors")] * 2
    assert server.requests == dict.fromkeys(MNIST_FILES.values(), REQUESTS_A_FILE)
    assert_only_the_file(folder)
    expected = mnist_arrays()["test_images"][:, None]
    np.testing.assert_array_equal(data.load("mnist", download=False).test.images.numpy(), expected)


def assert_only_the_file(folder):
    assert {path.name for path in folder.iterdir()} <= {"mnist.safetensors", "mnist.lock"}


def test_a_failed_fetch_says_why_what_works_and_where_a_file_can_be_put(server, folder, tmp_path, monkeypatch):
    settings = serve_mnist(server)
    server.files.clear()
    real_program(tmp_path, monkeypatch, settings)
    with pytest.raises(DataError) as caught:
        data.load("mnist")
    message = str(caught.value)
    assert message.startswith("MNIST could not be fetched: ")
    assert "HTTP Error 404" in message
    assert "mnist-mini and cifar10-mini ship with CNN Lab and need no network" in message
    assert message.endswith(str(folder / "mnist.safetensors"))
    assert "\n" not in message
    assert_nothing_left(folder)


# Fetching, with stand-ins for the program.


def test_a_network_that_drips_is_given_up(folder, tmp_path, monkeypatch):
    body = """
import pathlib, time
folder = pathlib.Path(sys.argv[2]); folder.mkdir(parents=True)
with (folder / "a.gz").open("wb", buffering=0) as file:
    for _ in range(5000):
        file.write(b"x"); time.sleep(0.02)
"""
    program(tmp_path, monkeypatch, body)
    seen = []
    with pytest.raises(DataError, match=r"too slow or has stalled \(nearly nothing came in 0.9 s\)"):
        data.fetch("mnist", lambda done, total: seen.append((done, total)), timeout_seconds=0.3)
    assert 0 < seen[-1][0] < 5000
    assert_nothing_left(folder)


def test_a_slow_conversion_is_no_stall(folder, tmp_path, monkeypatch):
    body = """
import pathlib, time
folder = pathlib.Path(sys.argv[2]); folder.mkdir(parents=True)
(folder / "a.gz").write_bytes(bytes(11594722))
time.sleep(1)
(folder / "mnist.safetensors").write_bytes(b"made")
"""
    program(tmp_path, monkeypatch, body)
    assert data.fetch("mnist", timeout_seconds=0.1).read_bytes() == b"made"
    assert_only_the_file(folder)


def test_what_a_killed_download_left_is_cleared_and_never_taken_for_whole(folder, tmp_path, monkeypatch):
    left = folder / ".download-mnist" / "MNIST" / "raw"
    left.mkdir(parents=True)
    (left / "train-images-idx3-ubyte").write_bytes(b"half")
    (folder / ".download-mnist" / "mnist.safetensors").write_bytes(b"half")
    program(tmp_path, monkeypatch, "import pathlib; sys.exit(f'left: {pathlib.Path(sys.argv[2]).exists()}')")
    with pytest.raises(DataError, match="left: False"):
        data.fetch("mnist")
    assert_nothing_left(folder)


def test_a_program_that_is_killed_is_told(folder, tmp_path, monkeypatch):
    program(tmp_path, monkeypatch, "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(DataError, match=r"was killed \(signal 9\), probably for want of memory"):
        data.fetch("mnist")
    assert_nothing_left(folder)


def test_a_machine_without_a_network_is_told_so_without_pythons_words():
    nobody = URLError(socket.gaierror(-2, "Name or service not known"))
    assert download.cause(nobody, 1.0) == "no network, or its server can't be reached (Name or service not known)"


def test_the_last_line_of_the_program_is_the_cause(folder, tmp_path, monkeypatch):
    failing(monkeypatch, tmp_path, "first\nthe cause")
    with pytest.raises(DataError, match=r"could not be fetched: the cause\. mnist-mini"):
        data.fetch("mnist")


def test_somebody_who_gives_up_watching_ends_the_download(folder, tmp_path, monkeypatch):
    pid = tmp_path / "pid"
    program(tmp_path, monkeypatch, f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(60)")

    def give_up(_done, _total):
        if pid.exists() and pid.read_text():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        data.fetch("mnist", give_up)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert_nothing_left(folder)


def test_the_program_leaves_when_its_parent_is_gone(folder, tmp_path, monkeypatch):
    body = """
import time
from core.data import download
download.download = lambda *_: time.sleep(60)
sys.exit(download.main(sys.argv[1:]))
"""
    path = program(tmp_path, monkeypatch, body)
    child = subprocess.Popen([sys.executable, path, "mnist", folder, "5"], stdin=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.7)
    child.stdin.close()
    assert child.wait(10) == 1


def test_a_file_that_is_there_is_taken_without_a_lock_or_a_write(folder, tmp_path, monkeypatch):
    folder.mkdir()
    (folder / "mnist.safetensors").write_bytes(b"there")
    failing(monkeypatch, tmp_path, "must not run")
    monkeypatch.setattr(fetching, "FileLock", lambda *_: pytest.fail("no lock is needed"))
    folder.chmod(0o555)
    try:
        assert data.fetch("mnist") == folder / "mnist.safetensors"
    finally:
        folder.chmod(0o755)
    assert [path.name for path in folder.iterdir()] == ["mnist.safetensors"]


def test_a_set_that_ships_needs_no_fetching(folder, tmp_path, monkeypatch):
    failing(monkeypatch, tmp_path, "must not run")
    assert data.fetch("cifar10-mini") == data.location("cifar10-mini")
    assert not folder.exists()


def test_a_cache_folder_that_cannot_be_made_is_told(folder, tmp_path, monkeypatch):
    folder.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"could not be fetched: the folder .* can't be used .*mnist-mini") as caught:
        data.fetch("mnist")
    assert str(folder / "mnist.safetensors") in str(caught.value)


# The late import of torchvision.


def test_a_torchvision_that_fits_is_left_alone(monkeypatch):
    monkeypatch.setattr(vision, "import_module", lambda name: name)
    monkeypatch.setattr(vision, "_declare_operators", lambda: pytest.fail("nothing to mend"))
    assert vision.import_torchvision() == "torchvision"


def test_a_torchvision_without_its_operators_is_mended_once(monkeypatch):
    calls = []

    def importing(name):
        calls.append("import")
        if "declare" not in calls:
            raise RuntimeError(vision.MISSING)
        return name

    monkeypatch.setattr(vision, "import_module", importing)
    monkeypatch.setattr(vision, "_declare_operators", lambda: calls.append("declare"))
    assert vision.import_torchvision() == "torchvision"
    assert calls == ["import", "declare", "import"]


def test_another_failure_of_the_import_is_not_hidden(monkeypatch):
    def importing(_name):
        raise RuntimeError("something else")

    monkeypatch.setattr(vision, "import_module", importing)
    with pytest.raises(RuntimeError, match="something else"):
        vision.import_torchvision()
