"""Addresses that nobody's page would make: every parameter that a page reads holds nonsense, and every page stands."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from core import models
from core.config import TrainConfig
from pages.ui import verdicts, words
from tests.pages.conftest import _nothing_starts, make_run, open_page, text_of  # noqa: F401 - fixtures

PAGES = Path(__file__).resolve().parents[2] / "pages"
BY_VARIABLE = ("dataset", "model", "recipe", "layer-of-1", "layer-of-3")  # keys that are put together when it runs
SENT = (
    *("../../etc/passwd", "\x00", "<script>alert(1)</script>", "[a](javascript:alert(1))", "9" * 400, "nan", "-1", "٣"),
    *("true", "", "😀", "a" * 10_000, "{{7*7}}", "20261123-194059-k3f9", "1e999", ["a", "a", "../b"], "%00", "\u202e"),
    *("0-0", "9-99", "12", "loss", "[]", "null", ["", ""]),
)
NASTY_NAMES = (
    *(
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "![a](http://evil.example)",
    ),
    *(
        "**bold** _a_ `b` ~~c~~",
        "https://evil.example",
        "www.evil.example",
        ":material/home: :red[x] $x^2$",
        "a -> b -- c",
    ),
    *("# head", "a@evil.example | :smile:"),
)
NETWORKS = (*[("mlp", "cifar10-mini", (3, 32, 32), 10)] * 5, ("fcn", "mnist-mini-scenes", (1, 64, 64), 11))
ROUNDS = 12


def read_by_pages():
    """Names of the parameters that pages read or bind, found in their source."""
    for path in PAGES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                given = {keyword.arg: keyword.value for keyword in node.keywords}
                if "bind" in given and isinstance(given.get("key"), ast.Constant):
                    yield given["key"].value
                if "st.query_params." in ast.unparse(node.func) and isinstance(node.args[0], ast.Constant):
                    yield node.args[0].value


PARAMETERS = sorted({*read_by_pages(), *BY_VARIABLE})


@pytest.fixture
def full(store, make_run, monkeypatch):  # noqa: F811
    """A store with something on every page, under names that would like to be more than names."""
    monkeypatch.setattr(verdicts, "show", lambda *_: {})  # seconds of work that no parameter changes
    for name in NASTY_NAMES[:9]:
        make_run("finished", name)
    for model, dataset, *sizes in NETWORKS:
        run = store.create(TrainConfig(model=model, dataset=dataset, width=8), NASTY_NAMES[10])
        run.save_weights(models.build(model, *sizes, width=8).state_dict(), step=1)
        run.set_status(state="finished", started=1.0)
    return store


def assert_whole(app):
    assert not app.exception
    shown = text_of(app)
    for name in NASTY_NAMES:
        assert name not in shown
    assert not any(element.allow_html for element in app.markdown)


def test_the_parameters_are_found():
    assert {"run", "runs", "with", "models", "scene", "image", "cell", "show", "x", "fold", "why"} <= set(PARAMETERS)
    assert len(PARAMETERS) > 25


@pytest.mark.parametrize("page", ["home", "train", "compare", "segment", "gradcam"])
def test_a_page_stands_whatever_its_address_holds(open_page, full, page):  # noqa: F811
    for turn in range(ROUNDS):
        sent = {name: SENT[(7 * turn + place) % len(SENT)] for place, name in enumerate(PARAMETERS)}
        assert_whole(open_page(page, **sent))


@pytest.mark.parametrize("page", ["train", "compare", "segment", "gradcam"])
def test_an_address_may_name_a_run_often_and_more_runs_than_there_is_room_for(open_page, full, page):  # noqa: F811
    ids = [run.id for run in full.list()]
    for named in ([ids[0]] * 3, [ids[1]] * 3, ids, [*ids, *ids, "../x"]):
        assert_whole(open_page(page, run=named, runs=named, models=named, **{"with": named}, fold="false"))


def test_every_name_on_a_page_is_escaped(open_page, full):  # noqa: F811
    app = open_page("home")
    assert all(words.md(run.name) in text_of(app) for run in full.list()[:5])
