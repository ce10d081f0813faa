"""Maps as pictures: in colour, over the picture they explain, side by side, as PNG files. No streamlit here.

Owns: how a map looks. Cividis is read alike by people with and without colour-blindness, and grows lighter all the way.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from core.data.pictures import Picture

SIDE = 224  # pixels of a large panel
GAP = 8  # pixels between panels
WHITE = 255
QUICKLY = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]  # half the time of all

Map = NDArray[np.float32]  # [H, W] in 0..1


def enlarged(picture: Picture, side: int = SIDE, *, smooth: bool = False) -> Picture:
    """A square picture uint8 [H, W, 3], made `side` pixels large; smooth, or with every pixel a square."""
    way = cv2.INTER_CUBIC if smooth else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, (side, side), interpolation=way), dtype=np.uint8)


def coloured(values: Map) -> Picture:
    """Values 0..1 in Cividis, from dark blue over grey to yellow: uint8 [H, W, 3]."""
    levels = (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_CIVIDIS)[..., ::-1])


def blended(picture: Picture, values: Map, opacity: float) -> Picture:
    """The coloured map over the picture. opacity: of the map, 0 to 1."""
    return np.asarray(cv2.addWeighted(coloured(values), opacity, picture, 1 - opacity, 0), dtype=np.uint8)


def strip(panels: Sequence[Picture]) -> NDArray[np.uint8]:
    """Panels uint8 [H, W, 3] side by side with gaps that the page shines through: uint8 [H, W', 4]."""
    height = panels[0].shape[0]
    solid = [np.dstack((panel, np.full(panel.shape[:2], WHITE, np.uint8))) for panel in panels]
    gap = np.zeros((height, GAP, 4), np.uint8)
    parts = [part for panel in solid for part in (gap, panel)][1:]
    return np.concatenate(parts, axis=1)


def spaced(panel: Picture) -> NDArray[np.uint8]:
    """A panel with a gap on its right, since Streamlit puts the pictures of a list side by side without any."""
    return np.pad(strip([panel]), ((0, 0), (0, GAP), (0, 0)))


def grid(panels: Sequence[Picture], columns: int) -> NDArray[np.uint8]:
    """Panels of one size in rows of so many: uint8 [H', W', 4]."""
    missing = -len(panels) % columns
    rows = [strip(panels[start : start + columns]) for start in range(0, len(panels) - len(panels) % columns, columns)]
    if missing:
        last = strip(panels[len(panels) - len(panels) % columns :])
        width = columns * panels[0].shape[1] + (columns - 1) * GAP
        rows.append(np.pad(last, ((0, 0), (0, width - last.shape[1]), (0, 0))))
    gap = np.zeros((GAP, rows[0].shape[1], 4), np.uint8)
    return np.concatenate([part for row in rows for part in (gap, row)][1:])


def tile(values: Map, side: int) -> Picture:
    """A small map or filter, 0..1, [h, w] in Cividis or [h, w, 3] as colours, with every place a square."""
    colours = coloured(values) if values.ndim == 2 else (values * 255).round().astype(np.uint8)
    return enlarged(colours, side)


def dot(pixels: Picture, down: float, right: float) -> None:
    """Put a white dot with a dark rim into a picture, at so many pixels from its upper left corner."""
    place = (round(right), round(down))
    cv2.circle(pixels, place, 5, (0, 0, 0), -1, cv2.LINE_AA)
    cv2.circle(pixels, place, 3, (WHITE,) * 3, -1, cv2.LINE_AA)


def figure(rows: Sequence[tuple[str, NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Strips under a line of text each, on white, to take along: uint8 [H, W, 3]."""
    parts = []
    for text, pixels in rows:
        line = np.full((36, pixels.shape[1], 3), WHITE, np.uint8)
        plain = text.encode("ascii", "replace").decode()  # the font has no other letters
        cv2.putText(line, plain, (4, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
        share = pixels[..., 3:].astype(np.float32) / WHITE
        parts += [line, (pixels[..., :3] * share + WHITE * (1 - share)).astype(np.uint8)]
    width = max(part.shape[1] for part in parts)
    return np.concatenate(
        [np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=WHITE) for part in parts]
    )


def png(pixels: NDArray[np.uint8]) -> bytes:
    """uint8 [H, W, 3] or [H, W, 4] as a PNG file, quickly rather than small."""
    turned = cv2.cvtColor(pixels, cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(".png", turned, QUICKLY)
    assert done
    return encoded.tobytes()
