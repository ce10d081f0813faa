"""Pictures of one's own, as a person would bring them: files by class, as a folder, an archive or an .npz."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SHAPES = ("circle", "square")
Files = dict[str, bytes]


def picture(number: int, label: int = 0, size: tuple[int, int] = (12, 12), *, grey: bool = True) -> np.ndarray:
    """A picture [H, W] or [H, W, 3] that no other number and label give; its class can be seen by its brightness."""
    random = np.random.default_rng([number, label])
    shape = size if grey else (*size, 3)
    return (random.integers(0, 100, shape) + 80 * label).clip(0, 255).astype(np.uint8)


def encoded(pixels: np.ndarray, ending: str = ".png") -> bytes:
    """A file of these pixels, red first where there are colours."""
    return bytes(cv2.imencode(ending, pixels[..., ::-1] if pixels.ndim == 3 else pixels)[1])


def files(classes: Sequence[str] = SHAPES, count: int = 10, *, first: int = 0, **options: Any) -> Files:
    """So many pictures of each class, by their path."""
    return {
        f"{name}/{number:03}.png": encoded(picture(first + number, label, **options))
        for label, name in enumerate(classes)
        for number in range(count)
    }


def folder(root: Path, given: Mapping[str, bytes]) -> Path:
    """These files below a folder."""
    for path, content in given.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def archive(given: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """These files as a ZIP archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as zipped:
        for path, content in given.items():
            zipped.writestr(path, content)
    return file.getvalue()


def arrays(count: int = 10, classes: int = 2, *, first: int = 0, **options: Any) -> dict[str, np.ndarray]:
    """Images and labels as an .npz has them."""
    labels = np.repeat(np.arange(classes), count)
    images = [picture(first + number, label, **options) for label in range(classes) for number in range(count)]
    return {"images": np.stack(images), "labels": labels}


def npz(**given: Any) -> bytes:
    """These arrays as an .npz; those of objects too."""
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=True, **given)
    return file.getvalue()
