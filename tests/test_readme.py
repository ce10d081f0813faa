"""The README's code runs as it stands."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from core.jobs import PROJECT

SEE_IT = """
from core import data, load_model
from core.explain import grad_cam
from core.explain.layers import resolve
from core.models.blueprint import blueprint
from core.runs import RunStore
run = next(run for run in RunStore().list() if run.config.model == "tiny")
model, images = load_model(run), data.load("mnist-mini").test.images[:4].float() / 255
drawn = [step.name for step in blueprint(model, (1, 28, 28)).steps]
print(run.test()["accuracy"], resolve(model, None), len(grad_cam(model, images)), *drawn[1:])
"""
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def code_under(heading: str) -> list[str]:
    """The Python of a section, block by block."""
    return re.findall(r"```python\n(.*?)```", README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0], re.DOTALL)


def test_the_ten_lines_of_code_run(environment, tmp_path: Path):
    (code,) = code_under("`core` as a library")
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"finished 0\.[89]", done.stdout)
    assert len(done.stdout) < 20_000, "tensors flood the events that it prints"


def test_both_commands_install_what_they_need():
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    assert blocks[0].strip().endswith("streamlit run app.py")
    assert "requirements.txt" in blocks[0]
    assert "tests/requirements.txt" in blocks[1]
    assert "pytest" in blocks[1]


def test_the_numbers_of_parameters_are_the_networks_own():
    from core import models
    from core.models.cost import cost

    for name in models.names():
        shape, classes = ((1, 64, 64), 11) if models.describe(name).task == "masks" else ((1, 28, 28), 10)
        size = cost(models.build(name, shape, classes), shape)
        millions = f"{size.multiply_adds / 1e6:.{2 if size.multiply_adds < 1e8 else 3}g}"
        assert re.search(rf"`{name}` \|.*\| {size.parameters:,} \| {millions} million", README), name


def test_the_network_of_ones_own_is_one_file_and_one_line(environment, tmp_path: Path):
    """Written where the README says, it trains, is drawn and is explained like the others."""
    file, line = code_under("Your own network")
    shutil.copytree(PROJECT / "core", tmp_path / "core", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "core/models/tiny.py").write_text(file)
    with (tmp_path / "core/models/__init__.py").open("a") as registry:
        registry.write(line)

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("-m", "core", "train", "--model", "tiny", "--dataset", "mnist-mini", "--recipe", "quick")
    told = run("-c", SEE_IT)
    assert float(told.split()[0]) > 0.5, told
    assert told.split()[1:] == ["relu2", "4", "conv1", "conv2", "fc"]
