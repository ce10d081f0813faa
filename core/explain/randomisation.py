"""Whether a map depends on what the network learned: shuffle its weights from the top, and see if the map changes.

Owns: the cascading randomisation and the rank correlation. A map that stays when the weights above its layer mean
nothing any more shows edges of the picture, not evidence.

Source: Adebayo et al. 2018, Sanity Checks for Saliency Maps (arXiv:1810.03292), section 3.1. Each tensor's numbers are
shuffled rather than drawn anew, which keeps their scale.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from core.explain.faithfulness import Progress
from core.explain.layers import convolutions
from core.explain.maps import explain
from core.explain.targets import Targets

THRESHOLD = 0.5  # of the rank correlation: under it, the map depends on what was learned
SEED = 1998  # of the shuffles


@dataclass(frozen=True)
class Stage:
    """A network whose blocks down to `block` are shuffled. correlation: of its maps with the trained network's, -1..1,
    the mean of the images'. is_last_block: whether `block` is the first one from the top with a convolution, or, in a
    network without one, the first one of all.
    """

    block: str
    correlation: float
    is_last_block: bool


def blocks(model: nn.Module) -> list[list[str]]:
    """The paths of the modules with tensors of their own, block by block from the top to the first layer.

    A block is what lies in one part of the network, such as "layer3.2"; else a module is a block of its own.
    """
    found: dict[str, list[str]] = {}
    for name, module in model.named_modules():
        if any(True for _ in module.parameters(recurse=False)):
            found.setdefault(name.rpartition(".")[0] or name, []).append(name)
    return list(found.values())[::-1]


def randomised(
    model: nn.Module,
    images: Tensor,
    targets: Targets = None,
    layer: str | None = None,
    method: str = "grad-cam",
    *,
    only_last_block: bool = False,
    progress: Progress | None = None,
) -> list[Stage]:
    """How much of the maps is left when more and more of a copy is shuffled; stages from the top down.

    images, targets, layer, method: as for `grad_cam`; targets None is what the trained network predicts.
    only_last_block: stop after the last block with a convolution, which decides. progress: called with (done, all),
    first with none done.

    Raises: as `grad_cam`.
    """
    every = blocks(model)
    if progress:
        progress(0, len(every))
    trained = explain(model, images, targets, layer, method)
    asked = trained.logits.argmax(1) if targets is None else targets
    convs = {conv.name for conv in convolutions(model)}
    copy, generator = deepcopy(model), torch.Generator().manual_seed(SEED)
    stages: list[Stage] = []
    for done, names in enumerate(every):
        for name in names:
            _shuffle(copy.get_submodule(name), generator)
        has_convolution = bool(convs & set(names)) or not convs
        is_last = has_convolution and not any(stage.is_last_block for stage in stages)
        maps = explain(copy, images, asked, layer, method).raw
        correlation = float(rank_correlation(trained.raw.relu(), maps.relu()).mean())
        stages.append(Stage(names[0].rpartition(".")[0] or names[0], correlation, is_last))
        if progress:
            progress(done + 1, len(every))
        if is_last and only_last_block:
            break
    return stages


def depends_on_learning(stages: list[Stage]) -> bool:
    """Whether the maps are mostly gone once the last block is random."""
    return next(stage for stage in stages if stage.is_last_block).correlation < THRESHOLD


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation of each pair of maps: float64 [N] in -1..1, 0 where one of them is even.

    first, second: float [N, h, w]. Equal values share their mean rank.
    """
    from scipy.stats import rankdata

    ranks = [torch.from_numpy(rankdata(np.asarray(maps.flatten(1).cpu()), axis=1)) for maps in (first, second)]
    one, other = (rank - rank.mean(dim=1, keepdim=True) for rank in ranks)
    scale = one.norm(dim=1) * other.norm(dim=1)
    return torch.where(scale > 0, (one * other).sum(dim=1) / scale, torch.zeros_like(scale))


def _shuffle(module: nn.Module, generator: torch.Generator) -> None:
    """Put the numbers of each tensor of a module in a random order."""
    with torch.no_grad():
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
            tensor.copy_(tensor.flatten()[order].reshape(tensor.shape))
