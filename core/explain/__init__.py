"""What a network's answer was made of, and whether to believe the picture.

Owns: maps of evidence and the checks of such maps. Leaves to pages how they are drawn.

    catalogue.py      the methods by name, torch-free
    maps.py           grad_cam, explain, explain_all: a network, images and a target in, maps out
    targets.py        Versus, Region: what a map is asked about
    layers.py         the convolutions of a network, and where the map of each is
    forward.py        one pass that keeps a layer's feature map
    cams.py           Grad-CAM, Grad-CAM++, HiResCAM, LayerCAM
    eigen.py          Eigen-CAM
    pixels.py         occlusion and input gradient
    scaling.py        positive evidence in 0..1, at the images' size
    faithfulness.py   deletion and insertion curves against a random order; energy inside a mask
    randomisation.py  whether a map depends on what was learned
    centre.py         whether the object or the centre of the picture draws a map
    inside.py         filters of the first layer, feature maps of any

    core.explain.grad_cam(model, images, targets=3)   # float32 [N, H, W] in 0..1
"""

from core.explain.catalogue import METHODS, Method
from core.explain.centre import Following, MeanMap, centre_of_mass, following, mean_map
from core.explain.faithfulness import Faithfulness, energy_inside, how_faithful
from core.explain.inside import as_images, feature_maps, first_filters
from core.explain.layers import Layer, convolutions
from core.explain.maps import Explanation, explain, explain_all, grad_cam
from core.explain.randomisation import Stage, depends_on_learning, randomised, rank_correlation
from core.explain.scaling import scaled
from core.explain.targets import Region, Targets, Versus

__all__ = [
    "METHODS",
    "Explanation",
    "Faithfulness",
    "Following",
    "Layer",
    "MeanMap",
    "Method",
    "Region",
    "Stage",
    "Targets",
    "Versus",
    "as_images",
    "centre_of_mass",
    "convolutions",
    "depends_on_learning",
    "energy_inside",
    "explain",
    "explain_all",
    "feature_maps",
    "first_filters",
    "following",
    "grad_cam",
    "how_faithful",
    "mean_map",
    "randomised",
    "rank_correlation",
    "scaled",
]
