"""torchvision, imported when it is needed and not before: it takes seconds.

Owns: the import, and a mend for a torchvision whose compiled half doesn't fit the torch beside it.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

MISSING = "operator torchvision::nms does not exist"
SCHEMAS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def import_torchvision() -> ModuleType:
    """The module torchvision, `datasets` included.

    A torchvision built for CUDA beside a torch for the CPU can't load its operators and fails half-way through its
    import. Data sets need none of them, so their names are declared and the import is tried again. A pair that fits is
    left alone, since declaring first would get in the way of its own operators.

    Raises: ImportError when it isn't installed, RuntimeError when its import fails for another reason.
    """
    try:
        return import_module("torchvision")
    except RuntimeError as error:
        if MISSING not in str(error):
            raise
    _declare_operators()
    return import_module("torchvision")


def _declare_operators() -> None:
    from torch.library import define  # keeps what it declares for as long as the process lives

    for name, schema in SCHEMAS.items():
        define(name, schema)
