"""A trained network as an ONNX file that other programs run, checked to give the same answers.

Owns: the export and its check. The packages it needs are no part of CNN Lab's requirements: without them, a sentence.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core import data as datasets
from core.errors import LabError, RunError
from core.files import write_atomic
from core.loading import load_model
from core.runs import refusals

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.runs import Run

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
CHECKED_IMAGES = 256  # of the validation split
MOST_OFF = 1e-3  # largest difference of a logit that is rounding


@dataclass(frozen=True)
class Exported:
    """A file that was written: how many images it was checked on, and the largest difference of a logit."""

    path: Path
    images: int
    largest_difference: float


def export_onnx(run: Run, path: Path) -> Exported:
    """Write a run's best network to `path` as ONNX, once it has given the answers that it gives here.

    Input "images": float32 [N, C, H, W] in 0..1, any N; output "logits": float32 [N, classes], or of every pixel
    [N, classes, H, W].

    Raises: LabError when a package is missing, and what `load_model` and `data.load` raise; RunError when the answers
    differ, or the disk refuses.
    """
    if missing := [package for package in PACKAGES if find_spec(package) is None]:
        raise LabError(f"Exporting needs {', '.join(missing)}. Install: pip install {' '.join(PACKAGES)}")
    model = load_model(run)
    images = datasets.load(run.config.dataset).val.images[:CHECKED_IMAGES].float() / 255
    found: list[float] = []

    def write(temporary: Path) -> None:
        _write(model, images, temporary)
        found.append(_check(model, images, temporary, run))

    with refusals(f"{path} could not be written"):
        write_atomic(path, write)
    return Exported(path, len(images), found[0])


def _write(model: nn.Module, images: Tensor, path: Path) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns of its own insides
        program: Any = torch.onnx.export(
            model, (images[:2].contiguous(),), dynamo=True, verbose=False, input_names=["images"],
            output_names=["logits"], dynamic_shapes=({0: torch.export.Dim("images", min=1)},),
        )  # fmt: skip
    program.save(str(path))


def _check(model: nn.Module, images: Tensor, path: Path, run: Run) -> float:
    """The largest difference between the file's logits and the model's. Raises: RunError when it is no rounding."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"images": images.contiguous().numpy()})
    with torch.inference_mode():
        ours = model(images)
    off = float((ours - torch.from_numpy(theirs)).abs().max())
    if not off < MOST_OFF:
        raise RunError(
            f"The ONNX file of run {run.id} answers otherwise than the network (off by {off:.3g}), so it was not kept. "
            f"Try other versions of {', '.join(PACKAGES)}."
        )
    return off
