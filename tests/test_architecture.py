"""What the package map promises: who imports whom, and what is never used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
ORDER = (
    "errors causes files machine names tensors data models recipes config evaluation drawings segmentation explain "
    "statistics training checkpoints metrics runs summaries answers comparison experiments tables loading export "
    "forecast relay jobs launch reference worker cluster bench cli __main__ rank"
)
LAYERS = ORDER.split()
ALLOWED_IN_CORE = {"core", "torch", "numpy", "cv2", "safetensors", "filelock", "torchvision", "scipy", "onnxruntime"}
ALLOWED_IN = {"cluster/connection.py": {"ray"}}  # optional, so in one place


def imports(path):
    """Modules that a file imports when it runs; those for type checkers only are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "core":
            yield from (f"core.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", [*PROJECT.glob("core/**/*.py")], ids=lambda path: str(path.relative_to(PROJECT)))
def test_core_imports_only_what_stands_below_it(path):
    inside = path.relative_to(PROJECT / "core")
    own = inside.parts[0].removesuffix(".py")
    for module in imports(path):
        top, _, rest = module.partition(".")
        allowed = ALLOWED_IN_CORE | ALLOWED_IN.get(str(inside), set())
        assert top in allowed or top in sys.stdlib_module_names, module
        if top == "core" and own != "__init__":
            other = rest.split(".")[0]
            assert LAYERS.index(other) <= LAYERS.index(own), f"{inside} imports {module}"


def test_pages_never_import_torch():
    for path in [*PROJECT.glob("pages/**/*.py"), PROJECT / "app.py"]:
        assert not [module for module in imports(path) if module.split(".")[0] == "torch"], path


def test_modules_of_pages_that_claim_to_do_without_streamlit_do():
    claim = re.compile(r"\b(no|neither) streamlit\b", re.IGNORECASE)
    paths = [path for path in PROJECT.glob("pages/ui/*.py") if claim.search(docstring(path))]
    assert {"audience", "bands", "charts", "drawing", "overlay", "series"} <= {path.stem for path in paths}
    for path in paths:
        assert not [module for module in imports(path) if module.split(".")[0] == "streamlit"], path
    names = ", ".join(f"pages.ui.{path.stem}" for path in paths)
    script = f"import sys, {names}; sys.exit('streamlit' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False).returncode == 0


def docstring(path):
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def test_every_module_of_core_is_in_its_map():
    text = (PROJECT / "core/__init__.py").read_text(encoding="utf-8")
    for path in (PROJECT / "core").iterdir():
        if path.name not in ("__init__.py", "__pycache__"):
            assert path.name in text or f"{path.name}/" in text, path.name


def test_what_the_server_needs_at_its_start_imports_no_torch():
    modules = "core, core.jobs, core.forecast, core.config, core.data, core.models"
    script = f"import sys, {modules}; sys.exit('torch' in sys.modules or 'torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=False).returncode == 0


def test_every_dependency_is_pinned_and_has_a_reason():
    for name in ("requirements.txt", "tests/requirements.txt"):
        for line in (PROJECT / name).read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                assert re.fullmatch(r"[a-z0-9-]+==[\d.]+ +# .+", line), line
