"""The figures on the test set as the commands print them."""

from __future__ import annotations

from typing import Any


def headline(figures: dict[str, Any]) -> float:
    """The one figure of a table, 0..1: of scenes the digits' mean intersection over union, else the accuracy.

    figures: as `Run.test` gives them.
    """
    return float(figures.get("iou", figures["accuracy"]))


def in_words(figures: dict[str, Any]) -> str:
    """All figures on a line, with how often the test set was opened for them. figures: as `Run.test` gives them."""
    iou = f"IoU {figures['iou']:.4f}   " if "iou" in figures else ""
    opened = len(figures["opened"])
    return (
        f"{iou}accuracy {figures['accuracy']:.4f}   loss {figures['loss']:.4f}   {figures['images']} test images, "
        f"opened {'once' if opened == 1 else f'{opened} times'}"
    )
