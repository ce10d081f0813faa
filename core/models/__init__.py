"""The networks, by name: what there is, what each is like, and how to build one.

Owns: architectures and how their weights start. Leaves to `core.training` how they learn and to `core.explain` what
they looked at. A new model is one file with a function of the model's name, and one `register` line here; recipes that
should treat it otherwise than a ResNet are in `core.recipes`.
Importing this package imports no torch, so that a page can list the models at once; `build` imports what it needs.

    registry.py    register, names, describe, build
    conv.py        the 3x3 convolution, with a faster way to its gradients on processors with AMX
    layers.py      normalisation, first convolution and hidden linear layer that the families share
    mlp.py         MLP
    cnn.py         CNN
    resnet.py      ResNet with a skip flag: ResNet and ConvNet
    speednet.py    SpeedNet
    fcn.py         FCN for 64x64 ink, and the surgery that makes it of a CNN
    cost.py        parameters and multiply-adds of any model
    blueprint.py   its layers and who hands what to whom, found by letting an image pass
"""

from core.models.registry import ModelInfo, build, describe, names, register

__all__ = ["ModelInfo", "build", "describe", "names", "register"]

register(
    "mlp",
    title="MLP",
    summary="Sees an image as one long row of pixels; knows nothing about neighbours.",
    width=512,
    widths=(8, 4096),
)
register(
    "cnn",
    title="CNN",
    summary="Three layers of small filters that slide over the image, then a vote.",
    width=32,
    widths=(4, 256),
)
register(
    "convnet",
    title="ConvNet",
    summary="Sixteen layers of filters, one after the other.",
    width=32,
    widths=(4, 256),
    family="resnet",
    any_size=True,
)
register(
    "resnet",
    title="ResNet",
    summary="The same sixteen layers, with shortcuts that skip two at a time.",
    width=32,
    widths=(4, 256),
    any_size=True,
)
register(
    "speednet",
    title="SpeedNet",
    summary="Seven layers, shaped for the shortest time to 94 % on photographs.",
    width=64,
    widths=(4, 128),
    any_size=True,
)
register(
    "fcn",
    title="FCN",
    summary="A CNN without linear layers: it says of every pixel what it is.",
    width=32,
    widths=(4, 128),
    task="masks",
)
