"""Draw the hand-written test digits on one contact sheet: python -m tests.drawings.sheet OUT.png [DIGIT]."""

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

DIGITS = Path(__file__).with_name("digits.json")
COLUMNS, CELL, MARGIN = 12, 128, 14


def sheet(drawings: list[dict[str, Any]]) -> np.ndarray:
    """Return one image of the drawings: each with its digit and number, a red dot where each stroke starts."""
    rows = -(-len(drawings) // COLUMNS)
    image = np.full((rows * CELL, COLUMNS * CELL, 3), 255, np.uint8)
    for place, drawing in enumerate(drawings):
        corner = np.array([place % COLUMNS, place // COLUMNS]) * CELL
        cv2.rectangle(image, corner.tolist(), (corner + CELL - 1).tolist(), (225, 225, 225))
        label = f"{drawing['digit']} #{place}"
        cv2.putText(
            image, label, (corner + np.array([3, 10])).tolist(), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (160, 90, 0), 1
        )
        for stroke in drawing["strokes"]:
            points = (np.array(stroke) + corner + MARGIN).astype(np.int32)
            cv2.polylines(image, [points], False, (40, 40, 40), 4, cv2.LINE_AA)
            cv2.circle(image, points[0].tolist(), 3, (0, 0, 230), -1, cv2.LINE_AA)
    return image


def main(arguments: list[str]) -> None:
    """Write the sheet to the file that is named first, of all digits or of the one named second."""
    drawings = json.loads(DIGITS.read_text(encoding="utf-8"))
    if len(arguments) > 1:
        drawings = [drawing for drawing in drawings if drawing["digit"] == int(arguments[1])]
    if not cv2.imwrite(arguments[0], sheet(drawings)):
        raise SystemExit(f"cannot write {arguments[0]}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(sys.argv[1:])
