"""load_model: from a run or a weights file to a network that is ready to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core import data, models
from core.errors import CheckpointError
from core.runs import Run, RunStore
from core.tensors import misfit

if TYPE_CHECKING:
    from torch import Tensor, nn

    from core.config import TrainConfig


def load_model(run_or_path: Run | str | Path) -> nn.Module:
    """The network of a run at its best validation loss: eval mode, float32, on the CPU.

    It takes images float [N, C, H, W] in 0..1 and gives logits [N, classes], or of every pixel [N, classes, H, W].
    run_or_path: a Run, a run's id, the path of a run's folder, or of the weights in it.

    Raises: UnknownNameError when there is no such run, or its network or data set is no longer known; RunError or
    ConfigError when its config is damaged; CheckpointError when its weights are missing, damaged, no numbers, or not
    those of the network that its config tells of.
    """
    run = _find(run_or_path)
    weights = run.load_weights()
    try:
        return network(run.config, weights)
    except ValueError as error:
        raise CheckpointError(
            f"The weights of run {run.id} do not fit its config: {error}. Fork the run to train it again."
        ) from None


def network(config: TrainConfig, weights: dict[str, Tensor]) -> nn.Module:
    """The network of a config with these weights: eval mode, float32, on the CPU.

    Raises: ValueError when they are not those of such a network; UnknownNameError as `load_model` does.
    """
    info = data.describe(config.dataset)
    model = models.build(config.model, info.image_shape, len(info.classes), width=config.width, silu=config.silu)
    if wrong := misfit(model.state_dict(), weights):
        raise ValueError(wrong)
    model.load_state_dict(weights)
    return model.float().eval()


def _find(run_or_path: Run | str | Path) -> Run:
    if isinstance(run_or_path, Run):
        return run_or_path
    path = Path(run_or_path)
    path = path.parent if path.suffix == ".safetensors" else path
    return Run(path.resolve()) if (path / "config.json").is_file() else RunStore().get(str(run_or_path))
