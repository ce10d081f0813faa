"""The multilayer perceptron: two hidden linear layers on the flattened image.

Owns: the network that all others are compared with, which does not know that pixels have neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.models.layers import Normalize, full_precision, hidden_linear


class MLP(nn.Module):
    """Flatten, two hidden layers of `width` units, one output for each class.

    forward: images float [N, C, H, W] in 0..1 -> logits float32 [N, num_classes].
    No batch norm: it was within 1.2 points either way on one seed, and the plainest network is the fairest yardstick.
    """

    def __init__(self, in_shape: tuple[int, int, int], num_classes: int, width: int) -> None:
        super().__init__()
        channels, height, breadth = in_shape
        self.normalize = Normalize(channels)
        self.fc1 = hidden_linear(channels * height * breadth, width)
        self.relu1 = nn.ReLU()
        self.fc2 = hidden_linear(width, width)
        self.relu2 = nn.ReLU()
        self.fc3 = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of a batch of images."""
        x = torch.flatten(self.normalize(images), 1)  # [N, C, H, W] -> [N, C * H * W]
        x = self.relu1(self.fc1(x))
        x = self.relu2(self.fc2(x))
        return full_precision(self.fc3(x))


def mlp(in_shape: tuple[int, int, int], num_classes: int, *, width: int) -> MLP:
    """The registered model "mlp"."""
    return MLP(in_shape, num_classes, width)
