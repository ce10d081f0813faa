"""The networks on Home: picked, drawn, linked to, and no torch before that."""

from __future__ import annotations

import subprocess
import sys

import pytest

from core import data, models
from core.models.cost import cost
from core.reference import references
from pages.ui import networks
from tests.made import answered
from tests.pages.conftest import APP, PROJECT, text_of


def chooser(app):
    return next(group for group in app.button_group if group.key == networks.PICK)


def pictures(app):
    return [image.alt for element in app.image for image in element.proto.imgs]


def test_the_first_look_at_home_loads_neither_torch_nor_what_shows_results():
    script = (
        "import sys; from streamlit.testing.v1 import AppTest; from core.jobs import JobManager\n"
        "JobManager._loop = lambda self: None\n"
        f"app = AppTest.from_file({str(APP)!r}, default_timeout=60); app.run(); assert not app.exception\n"
        "assert 'The networks' in [element.value for element in app.header]\n"
        "sys.exit(', '.join({'torch', 'torchvision', 'scipy', 'pandas'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def test_nothing_is_drawn_until_a_network_is_picked(open_page):
    app = open_page("home")
    assert "Pick a network to see its layers drawn" in text_of(app)
    assert not pictures(app)
    assert "network" not in app.query_params


def test_a_picked_network_is_drawn_beside_its_other_half_and_the_address_says_so(open_page):
    app = open_page("home")
    chooser(app).set_value("resnet").run()
    assert not app.exception
    resnet, convnet = pictures(app)
    assert resnet.startswith("ResNet, drawn")
    assert "7 skip connections" in resnet
    assert convnet.startswith("ConvNet, drawn")
    assert "no skip connection" in convnet
    tables = [frame.value for frame in app.dataframe]
    assert [table["parameters"].sum() for table in tables] == [2_158_530] * 2
    assert app.query_params == {"network": "resnet", "beside": "convnet", "images": "cifar10"}


def test_an_address_restores_the_view(open_page):
    app = open_page("home", network="mlp", beside="fcn", images="mnist")
    mlp, fcn = pictures(app)
    assert "an image of 1 map of 28x28" in mlp
    assert "an image of 1 map of 64x64" in fcn
    assert next(element.value for element in app.header) == "The networks"  # what a link names comes first


def test_letting_go_of_a_network_clears_the_address(open_page):
    app = open_page("home", network="cnn")
    assert len(pictures(app)) == 1
    chooser(app).set_value(None).run()
    assert not pictures(app)
    assert not app.query_params


@pytest.mark.parametrize("address", [{"network": "vgg"}, {"network": "cnn", "beside": "cnn", "images": "stars"}])
def test_an_address_of_no_network_does_no_harm(open_page, address):
    app = open_page("home", **address)
    assert len(pictures(app)) == (address["network"] == "cnn")


def test_another_page_and_back_keeps_what_is_drawn(open_page):
    app = open_page("home", network="speednet")
    app.query_params.clear()  # as the menu does
    app.switch_page("segment.py").run()
    app.query_params.clear()
    app.switch_page("home.py").run()
    assert pictures(app)[0].startswith("SpeedNet")


@pytest.mark.parametrize("images", networks.IMAGES)
@pytest.mark.parametrize("name", models.names())
def test_the_numbers_are_those_of_the_form_and_the_table(name, images):
    config = networks.config_of(name, images)
    info = data.describe(config.dataset)
    built = models.build(name, info.image_shape, len(info.classes), width=config.width)
    forecast = cost(built, info.image_shape)  # what `core.forecast` counts for the form, and a run writes down
    found = networks.plan(name, images)
    assert (found.parameters, found.multiply_adds) == (forecast.parameters, forecast.multiply_adds)


@pytest.mark.parametrize("images", networks.IMAGES)
@pytest.mark.parametrize("name", models.names())
def test_what_is_drawn_is_a_reference_run_s_network(name, images):
    assert networks.config_of(name, images) in [reference.config for reference in references()]


def test_the_overview_has_every_network_and_the_mean_of_its_reference_runs(tmp_path, store):
    for seed, right in enumerate((900, 920)):
        answered(tmp_path / "shipped", "mlp", "mnist", right, seed=seed)
    answered(tmp_path / "shipped", "mlp", "cifar10", 655)
    lines = {line.split("**")[1]: line for line in networks.overview(store.list()).splitlines()[2:]}
    assert list(lines) == [models.describe(name).title for name in models.names()]
    assert lines["MLP"].endswith("| 91.00% | 65.50% |")
    assert lines["FCN"].endswith("|  |  |")
