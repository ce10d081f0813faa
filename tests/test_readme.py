"""The README's code runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

from core.jobs import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_the_ten_lines_of_code_run(environment, tmp_path: Path):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"finished 0\.[89]", done.stdout)


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
