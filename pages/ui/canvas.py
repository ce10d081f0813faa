"""The drawing canvas: 64x64 pixels of ink, drawn by hand, and what a network reads in them.

Owns: what goes to the browser (`canvas.js`, `canvas.css`) and the check of what comes back, which is input like any
other and may be anything. In the browser the ink is the truth; Python hears of it while a stroke is under way, and the
class probabilities go along with each answer, so that pointing at a pixel needs no round trip. Leaves reading the ink
to `core.segmentation`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from core.errors import DataError

SIZE = 64  # pixels, both ways
MOST_CHARACTERS = 20_000  # of ink in base64; 64x64 bytes take 5,464
LARGEST_NUMBER = 2**53  # the last whole number that a browser counts to
BACKGROUND = 10  # the class of all that is no digit
SHOWS = ("classes", *"0123456789", "background", "entropy")

# Petroff's ten colours: at least 11.9 (CIEDE2000) apart with full sight and without any one kind of cone, and each with
# a contrast of 3 or more on the canvas's black. Source: https://arxiv.org/abs/2107.02270
CLASS_COLOURS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6",
                 "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")  # fmt: skip
BACKGROUND_COLOUR = "#d0d0d0"  # its bar beside the canvas; on the canvas the background has no colour

HERE = Path(__file__).parent
HTML = """
<div class="board">
  <div class="tools">
    <div class="group" role="group" aria-label="Tool">
      <button type="button" data-tool="brush" title="Draw white ink">Brush</button>
      <button type="button" data-tool="eraser" title="Take ink away (Delete)">Eraser</button>
      <button type="button" data-tool="look" title="Pick a pixel and see its classes">Look</button>
    </div>
    <div class="group">
      <button type="button" data-act="undo" title="Take back the last stroke (Ctrl+Z)">Undo</button>
      <button type="button" data-act="clear" title="Take all ink away (C)">Clear</button>
    </div>
    <label class="size">Size
      <input type="range" min="1" max="6" step="0.5" value="3"><output>3 px</output>
    </label>
  </div>
  <div class="view">
    <div class="paper">
      <canvas class="ink" width="64" height="64" tabindex="0" role="application" aria-describedby="keys"></canvas>
      <canvas class="marks" aria-hidden="true"></canvas>
    </div>
    <div class="side" role="group" aria-label="What the network sees">
      <p class="read" aria-live="polite"></p>
      <p class="where" aria-live="polite"></p>
      <ul class="bars"></ul>
      <p class="legend"><span class="low"></span><span class="ramp" aria-hidden="true"></span><span class="high"></span>
      </p>
    </div>
  </div>
  <details>
    <summary>Drawing with the keyboard</summary>
    <p id="keys">Arrow keys move the cursor, with Shift four pixels at a time. Space puts the pen down and lifts it.
    Delete changes between brush and eraser, Ctrl+Z takes back the last stroke, C clears.
    With the tool Look, Space picks the pixel.</p>
  </details>
</div>
"""

_board = st.components.v2.component(
    "cnnlab_canvas",
    html=HTML,
    css=(HERE / "canvas.css").read_text(encoding="utf-8"),
    js=(HERE / "canvas.js").read_text(encoding="utf-8"),
)


class Region(TypedDict):
    """A digit that was read: which, how sure in 0..1, and left, top, right and bottom of its pixels, all included."""

    digit: int
    confidence: float
    box: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Answer:
    """What a network says of the ink.

    number: of the message that it answers, 0 if it answers none (ink that Python set).
    labels: uint8 [64, 64], 0..9 a digit, 10 background. probabilities: uint8 [11, 64, 64], 0..255 for 0..1.
    """

    number: int
    labels: NDArray[np.uint8]
    probabilities: NDArray[np.uint8]
    regions: Sequence[Region] = ()


@dataclass(frozen=True, eq=False)
class Drawn:
    """What the canvas says: ink uint8 [64, 64], the number of the message, the picked pixel (x, y) or None.

    version: of the ink that Python had set before.
    """

    ink: NDArray[np.uint8]
    number: int
    pixel: tuple[int, int] | None
    version: int


def read(key: str, version: int) -> Drawn | None:
    """What was drawn since Python set the ink of this version, or None. To be asked before `canvas` is shown.

    Raises:
        DataError: the browser said something that no canvas says.
    """
    said = st.session_state.get(key)
    payload = said.get("drawn") if isinstance(said, dict) else None
    if payload is None:
        return None
    drawn = parse(payload)
    return drawn if drawn.version == version else None


def canvas(
    key: str, *, answer: Answer | None, ink: NDArray[np.uint8] | None, version: int, overlay: float, show: str
) -> Drawn | None:
    """Show the canvas, and say what was drawn on it since the ink of this version was set.

    answer: what to show over the ink; None while there is no network to ask.
    ink: uint8 [64, 64], None for an empty canvas; taken only when the canvas is new or `version` is another one.
    overlay: opacity in 0..1 of what is shown over the ink; 0 shows the ink alone.
    show: one of SHOWS: the likeliest class of each pixel, the probability of one class, or the entropy.

    What the browser said that no canvas says counts as nothing drawn: `read` says what was wrong with it.
    """
    try:
        drawn = read(key, version)
    except DataError:
        drawn = None
    newest = drawn.ink if drawn else ink  # for a canvas that the browser had to build anew
    heard = answer.number if answer else drawn.number if drawn else 0
    sent = {
        "ink": None if newest is None else _base64(newest),
        "version": version,
        "heard": heard,
        "answer": _packed(answer) if answer else None,
        "overlay": overlay,
        "show": show,
        "colours": [*CLASS_COLOURS, BACKGROUND_COLOUR],
    }
    _board(key=key, data=sent)
    return drawn


def _packed(answer: Answer) -> dict[str, Any]:
    return {
        "number": answer.number,
        "labels": _base64(answer.labels),
        "probabilities": _base64(answer.probabilities),
        "regions": [_plain(region) for region in answer.regions],
    }


def _plain(region: Region) -> dict[str, Any]:  # numpy's numbers can't go into JSON
    box = [int(edge) for edge in region["box"]]
    return {"digit": int(region["digit"]), "confidence": float(region["confidence"]), "box": box}


def _base64(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def parse(payload: object) -> Drawn:
    """What the browser sent as a drawing, checked from top to bottom; its ink can be written to.

    Raises:
        DataError: anything else than {"ink", "number", "version", "pixel"} as the canvas sends them.
    """
    if not isinstance(payload, dict) or payload.keys() != {"ink", "number", "version", "pixel"}:
        raise _refused("something else than a drawing", "an object with ink, number, version and pixel")
    number, version = _whole(payload["number"], "number"), _whole(payload["version"], "version")
    return Drawn(_ink(payload["ink"]), number, _pixel(payload["pixel"]), version)


def _ink(text: object) -> NDArray[np.uint8]:
    if not isinstance(text, str):
        raise _refused(f"ink of the type {type(text).__name__}", "text in base64")
    if len(text) > MOST_CHARACTERS:
        raise _refused(f"ink of {len(text):,} characters", f"at most {MOST_CHARACTERS:,}")
    try:
        pixels = base64.b64decode(text, validate=True)
    except ValueError:
        raise _refused("ink that is not base64", "text in base64") from None
    if len(pixels) != SIZE * SIZE:
        raise _refused(f"ink of {len(pixels):,} bytes", f"{SIZE * SIZE:,}, one for each of {SIZE}x{SIZE} pixels")
    return np.frombuffer(pixels, np.uint8).reshape(SIZE, SIZE).copy()


def _whole(value: object, what: str) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_NUMBER:
        raise _refused(f"a {what} that does not count", f"a whole number from 0 to {LARGEST_NUMBER:,}")
    return value


def _pixel(value: object) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise _refused("a picked pixel that is no pair", "[x, y] or nothing")
    x, y = (_whole(part, "picked pixel") for part in value)
    if max(x, y) >= SIZE:
        raise _refused("a picked pixel outside the canvas", f"x and y from 0 to {SIZE - 1}")
    return x, y


def _refused(got: str, allowed: str) -> DataError:
    return DataError(f"The canvas sent {got}. Allowed: {allowed}. Reload the page, and draw again.")
