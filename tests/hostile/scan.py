"""What no source of CNN Lab may do, found in its syntax tree: run what it read, or show it as markup."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "marshal", "shelve", "dill", "joblib", "jsonpickle"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
UNSAFE_CALLS = {"os.system", "os.popen", "torch.load", "torch.jit.load", "st.html", "yaml.load", "builtins.eval"}
UNSAFE_VALUES = {"shell": True, "unsafe_allow_html": True, "allow_pickle": True, "unsafe_allow_javascript": True}
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function\(|srcdoc")
REMOTE = re.compile(r"\b(?:https?|wss?):|@import|(?:src|href)\s*=\s*['\"]?//|url\(\s*['\"]?(?!data:)|\bimport\(", re.I)


def in_python(source: str) -> Iterator[str]:
    """What a Python source does that none may, each as "line: what"."""
    for node in ast.walk(ast.parse(source)):
        for what in _of(node):
            yield f"{getattr(node, 'lineno', 0)}: {what}"


def _of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (f"import {a.name}" for a in node.names if a.name.split(".")[0] in UNSAFE_MODULES)
    elif isinstance(node, ast.ImportFrom):
        names = {alias.name for alias in node.names}
        if (node.module or "").split(".")[0] in UNSAFE_MODULES:
            yield f"import {node.module}"
        yield from (f"import {node.module}.{name}" for name in names if f"{node.module}.{name}" in UNSAFE_CALLS)
    elif isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and MARKUP.search(node.value):
        yield "a script that makes markup"


def _of_call(node: ast.Call) -> Iterator[str]:
    called = ast.unparse(node.func)
    if isinstance(node.func, ast.Name) and called in RUNS_TEXT:
        yield f"{called}()"
    if called in UNSAFE_CALLS:
        yield f"{called}()"
    if called.endswith("import_module") and called.startswith(("import_module", "importlib")):
        text = ast.unparse(node.args[0])
        if any(module in re.findall(r"\w+", text) for module in UNSAFE_MODULES):
            yield f"import {text}"
    for keyword in node.keywords:
        if keyword.arg in UNSAFE_VALUES and not (isinstance(keyword.value, ast.Constant) and not keyword.value.value):
            yield f"{keyword.arg}={ast.unparse(keyword.value)}"


def in_web(source: str) -> Iterator[str]:
    """What a script or style of the browser's side does that none may, each as "line: what"."""
    for number, line in enumerate(source.splitlines(), 1):
        yield from (f"{number}: {found[0]}" for rule in (MARKUP, REMOTE) for found in rule.finditer(line))
