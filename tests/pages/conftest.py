"""Pages without a server and without training: AppTest, a store full of runs, and a manager that starts nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.config import TrainConfig
from core.forecast import Forecast, Forecaster
from core.jobs import JobManager
from core.runs import Run, RunStore
from pages.ui import audience

PROJECT = Path(__file__).resolve().parents[2]
APP = PROJECT / "pages" / "frame.py"
FORECAST = Forecast(61.0, 3.0, 480, 242_000, 7_600_000, "earlier runs")


@pytest.fixture(autouse=True)
def _nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Managers queue and steer, but start nothing; forecasts are known at once; nothing is kept of another test."""
    monkeypatch.setattr(JobManager, "_loop", lambda self: None)  # its thread ends at once
    monkeypatch.setattr(Forecaster, "ask", lambda self, config: FORECAST)
    monkeypatch.setattr(audience, "here", audience.Audience())
    st.cache_resource.clear()


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """Opens a page by its name ("home", "train", ...), with query parameters, and sees that nothing raised."""

    def open_one(page: str, **query: str) -> AppTest:
        app = AppTest.from_file(str(APP), default_timeout=30)
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        if page != "home":
            app.switch_page(f"{page}.py").run()
        assert not app.exception
        return app

    return open_one


@pytest.fixture
def make_run(store: RunStore, small: TrainConfig) -> Callable[..., Run]:
    """Makes a run in a state, with as many epochs in its metrics as asked for."""

    def make(state: str = "finished", name: str = "", epochs: int = 2, **changes: Any) -> Run:
        run = store.create(small, name)
        run.set_status(state=state, started=1.0, epoch=epochs, seconds=3.0 * epochs, **changes)
        (run.path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in events(epochs)))
        return run

    return make


def events(epochs: int, steps: int = 8) -> list[dict[str, Any]]:
    """Lines of a run that learns: the loss falls from 2 on, the best epoch is the last but one."""
    lines: list[dict[str, Any]] = []
    for step in range(1, epochs * steps + 1):
        figures = {"loss": 2 / step, "accuracy": 1 - 1 / (step + 1), "lr": 0.01, "images_per_second": 1000.0}
        lines.append({"event": "step", "step": step, "epoch": step / steps, "seconds": step * 0.5, **figures})
        if step % steps == 0:
            epoch = step // steps
            best = epoch != epochs or epochs == 1
            val_loss = 1 / epoch if best else 1.5
            lines.append({"event": "epoch", "step": step, "epoch": epoch, "seconds": step * 0.5, "train_loss": 2 / step,
                          "train_accuracy": 0.8, "val_loss": val_loss, "val_accuracy": 1 - val_loss / 4, "best": best,
                          "patience_left": None})  # fmt: skip
    return lines


def text_of(app: AppTest) -> str:
    """All words on a page."""
    kinds = (app.title, app.header, app.markdown, app.caption, app.info, app.error, app.warning, app.success)
    links = [link.proto.label for link in app.get("page_link")]
    return "\n".join([*(str(element.value) for kind in kinds for element in kind), *links])


def button(app: AppTest, label: str) -> Any:
    """The first button with this label."""
    found = [element for element in app.button if element.label == label]
    assert found, f"no button {label!r} among {[element.label for element in app.button]}"
    return found[0]
