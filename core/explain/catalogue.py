"""The methods by name, with what can be said of each without torch.

Owns: names, titles and sources, so that a page can list them at once. Leaves the arithmetic to the families' modules.
"""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import unknown_name


@dataclass(frozen=True)
class Method:
    """What a form says about a method: `title` and `summary` in words for people, `source` the paper.

    reads_layer: whether it weighs the feature map of a layer; the others look at the image alone.
    """

    name: str
    title: str
    summary: str
    source: str
    reads_layer: bool = True


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "grad-cam",
            "Grad-CAM",
            "Each channel of the feature map counts as much as the class grows with it on average.",
            "Selvaraju et al. 2017, arXiv:1610.02391",
        ),
        Method(
            "grad-cam++",
            "Grad-CAM++",
            "As Grad-CAM, but only what raises the class counts, and small spots count like large ones.",
            "Chattopadhyay et al. 2018, arXiv:1710.11063",
        ),
        Method(
            "hirescam",
            "HiResCAM",
            "Every place of every channel has its own weight: adds up to what the layers above make of it.",
            "Draelos and Carin 2020, arXiv:2011.08891",
        ),
        Method(
            "layercam",
            "LayerCAM",
            "As HiResCAM, but only what raises the class counts; made for early layers.",
            "Jiang et al. 2021, IEEE TIP 30, doi:10.1109/TIP.2021.3089943",
        ),
        Method(
            "eigen-cam",
            "Eigen-CAM",
            "The strongest pattern of the feature map, whatever the class.",
            "Muhammad and Yeasin 2020, arXiv:2008.00299",
        ),
        Method(
            "occlusion",
            "Occlusion",
            "How far the class falls when a patch is covered: slow, needs no gradients, nothing to misread.",
            "Zeiler and Fergus 2014, arXiv:1311.2901",
            reads_layer=False,
        ),
        Method(
            "gradient",
            "Input gradient",
            "How strongly the class reacts to each pixel: for networks without a convolution too.",
            "Simonyan et al. 2014, arXiv:1312.6034",
            reads_layer=False,
        ),
    )
}


def describe(method: str) -> Method:
    """What is known about a method.

    Raises: UnknownNameError listing the known names.
    """
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    return METHODS[method]
