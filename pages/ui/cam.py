"""What the Grad-CAM page works out: networks, what they say of a picture, what of it, and how far to believe it.

Owns: every computation of that page, each done once and kept. Leaves drawing to the other modules, methods to
`core.explain`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core import checkpoints, data, explain, load_model, models
from core.data.pictures import Picture, labels, pictures
from core.errors import LabError
from core.explain.centre import DIRECTIONS
from core.explain.faithfulness import Curves, Faithfulness, curves, judged, orders_of, random_orders
from core.explain.layers import Layer
from core.runs import Run
from pages.ui import state
from pages.ui.charts import Kept

if TYPE_CHECKING:
    from torch import Tensor, nn

PICTURES = "cifar10"  # whose test images are shown; of the mini set cut from it where only that is here
DATASETS = ("cifar10", "cifar10-mini")
ORDER = ("convnet", "resnet")  # come first; the others as they are registered, the MLP last
NEXT = "the next likely"
CHECKED_PICTURES = 16  # of the sanity check

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Network:
    """A run with weights. key: equal as long as these are the same weights."""

    run: Run
    label: str
    model: str
    key: tuple[str, int, int]


@dataclass(frozen=True)
class Question:
    """What is asked of every network.

    target: a class, or None for what the network itself says. rather: a class, NEXT, or None for nothing.
    depth: 0 the first convolution to 1 the last. method: its name.
    """

    target: int | None
    rather: int | str | None
    depth: float
    method: str


@dataclass(frozen=True)
class Look:
    """What a network says of a picture, and the map of why.

    probabilities: float [C]. raw: Tensor float32 [h, w], signed, at the layer's resolution. label: the class that was
    asked about. rather: the class it was held against, or None. layer: None where the method looks at pixels alone.
    """

    network: Network
    picture: str
    probabilities: np.ndarray
    raw: Tensor
    label: int
    rather: int | None
    method: str
    layer: Layer | None

    @property
    def answer(self) -> int:
        """The class that the network says."""
        return int(self.probabilities.argmax())

    @property
    def is_empty(self) -> bool:
        """Whether nothing argues for the class."""
        return not bool(explain.scaled(self.raw.unsqueeze(0)).any())

    @property
    def target(self) -> explain.Targets:
        """What was asked, as `core.explain` takes it."""
        return self.label if self.rather is None else explain.Versus(self.label, self.rather)

    def shown(self, side: int, *, smooth: bool) -> np.ndarray:
        """The map as it is drawn: float32 [side, side] in 0..1."""
        return explain.scaled(self.raw.unsqueeze(0), (side, side), smooth=smooth)[0].numpy()


@st.cache_resource(show_spinner=False)
def _kept() -> dict[str, Kept]:
    """What was worked out, by kind."""
    sizes = {"networks": 8, "looks": 512, "curves": 512, "checks": 128, "centres": 32}
    return {kind: Kept(size) for kind, size in sizes.items()}


def classes() -> tuple[str, ...]:
    """Names of the classes."""
    return data.describe(PICTURES).classes


def offered() -> list[Network]:
    """Runs on these pictures whose weights are here, the ConvNet and the ResNet first, those without layers last."""
    found = _told_apart([network for run in state.own_and_shipped() if (network := _network(run))])
    names = [*ORDER, *(name for name in models.names()[::-1] if name not in ORDER)]
    return sorted(found, key=lambda network: names.index(network.model))


def is_offered(run_id: str) -> bool:
    """Whether there is such a run on these pictures, and its weights are here."""
    return state.is_run(run_id) and _network(state.store().get(run_id)) is not None


def first_choice(networks: list[Network]) -> list[Network]:
    """The first, and beside it one of another model, of the same recipe where there is one."""
    others = [network for network in networks if network.model != networks[0].model]
    alike = [network for network in others if _kind(network) == _kind(networks[0])]
    return [*networks[:1], *(alike or others)[:1]]


def _kind(network: Network) -> tuple[str, str]:
    return network.run.config.dataset, network.run.config.recipe


def _told_apart(networks: list[Network]) -> list[Network]:
    """The same, with the run's id behind every name that another has too."""
    names = Counter(network.label for network in networks)
    return [
        replace(network, label=f"{network.label} ({network.run.id})") if names[network.label] > 1 else network
        for network in networks
    ]


def _network(run: Run) -> Network | None:
    try:
        config, facts = run.config, (run.path / checkpoints.WEIGHTS).stat()
    except (LabError, OSError):
        return None
    if config.dataset not in DATASETS:
        return None
    return Network(run, run.name, config.model, (run.id, facts.st_mtime_ns, facts.st_size))


def loaded(network: Network) -> tuple[nn.Module, list[Layer]]:
    """A network ready to use, and its convolutions. Raises: LabError when its weights can't be read."""

    def load() -> tuple[nn.Module, list[Layer]]:
        model = load_model(network.run)
        return model, explain.convolutions(model)

    return _kept()["networks"].get(network.key, load)


def look(network: Network, picture: Picture, question: Question) -> Look:
    """What a network says of a picture uint8 [32, 32, 3], and why. Raises: LabError."""
    key = (network.key, digest(picture), question)
    return _kept()["looks"].get(key, lambda: _look(network, picture, question))


def _look(network: Network, picture: Picture, question: Question) -> Look:
    model, layers = loaded(network)
    images = explain.as_images([picture])
    method, layer = _fitting(question, layers)
    label, rather = question.target, question.rather
    if rather is not None:  # both classes must be known before the map
        label, rather = _pair(explain.explain(model, images, None, None, "gradient").logits[0].numpy(), label, rather)
    target = label if rather is None else explain.Versus(int(label or 0), int(rather))
    found = explain.explain(model, images, target, layer.after if layer else None, method)
    probabilities = found.logits.softmax(1)[0].numpy()
    asked = int(probabilities.argmax()) if label is None else label
    return Look(network, digest(picture), probabilities, found.raw[0], asked, rather, method, layer)


def _fitting(question: Question, layers: list[Layer]) -> tuple[str, Layer | None]:
    """The method that a network can do, and the layer at the depth that was asked for."""
    if not explain.METHODS[question.method].reads_layer:
        return question.method, None
    if not layers:
        return "gradient", None
    return question.method, layers[round(question.depth * (len(layers) - 1))]


def _pair(logits: np.ndarray, label: int | None, rather: int | str) -> tuple[int, int | None]:
    """The class that is asked about, and the one it is held against; none where they would be the same."""
    order = logits.argsort()[::-1]
    asked = int(order[0]) if label is None else label
    other = int(next(place for place in order if place != asked)) if rather == NEXT else int(rather)
    return asked, None if other == asked else other


def faithful(seen: Look, picture: Picture, progress: Progress) -> Faithfulness:
    """How faithful a map is. progress: called with (done, all). Raises: LabError."""
    model, _ = loaded(seen.network)
    image, grid = explain.as_images([picture])[0], (seen.raw.shape[0], seen.raw.shape[1])
    size = (image.shape[1], image.shape[2])

    def kept(orders: Callable[[], Tensor], of: object) -> Curves:
        key = (seen.network.key, seen.picture, seen.label, seen.rather, of)
        return _kept()["curves"].get(key, lambda: curves(model, image, orders(), seen.target, progress))

    of_map = kept(lambda: orders_of(seen.raw.unsqueeze(0), size), (seen.method, seen.layer))
    return judged(of_map, kept(lambda: random_orders(grid, size), grid))


def checked(seen: Look, progress: Progress) -> float:
    """The rank correlation, -1..1, of a network's maps with those that are left when its last block is shuffled.

    The mean over a few test images and what the network says of them. Raises: LabError.
    """
    return _shuffled(seen.network, seen.method, seen.layer, True, progress)[-1].correlation


def stages(network: Network, question: Question, progress: Progress) -> list[explain.Stage]:
    """As `checked`, for every block from the top down to the first layer."""
    method, layer = _fitting(question, loaded(network)[1])
    return _shuffled(network, method, layer, False, progress)


def _shuffled(
    network: Network, method: str, layer: Layer | None, only_last_block: bool, progress: Progress
) -> list[explain.Stage]:
    def check() -> list[explain.Stage]:
        some = pictures(PICTURES, list(labels(PICTURES))[:CHECKED_PICTURES])
        return explain.randomised(
            loaded(network)[0], explain.as_images(list(some.values())), None, layer.after if layer else None, method,
            only_last_block=only_last_block, progress=progress,
        )  # fmt: skip

    return _kept()["checks"].get((network.key, method, layer, only_last_block), check)


def digest(picture: Picture) -> str:
    """Equal for equal pictures."""
    return hashlib.blake2b(np.ascontiguousarray(picture).tobytes(), digest_size=8).hexdigest()


MOST_OF_A_CLASS, SHIFTED_OF_A_CLASS = 100, 7  # pictures


def centre(network: Network, question: Question, progress: Progress) -> tuple[list[explain.MeanMap], explain.Following]:
    """The mean map of each class's test images for that class, and what maps do when pictures are shifted.

    For the method and the layer that are asked for. Raises: LabError.
    """
    model, layers = loaded(network)
    method, layer = _fitting(question, layers)
    after = layer.after if layer else None
    return _kept()["centres"].get((network.key, method, layer), lambda: _centre(model, method, after, progress))


def _centre(
    model: nn.Module, method: str, layer: str | None, progress: Progress
) -> tuple[list[explain.MeanMap], explain.Following]:
    steps, means, some = len(classes()) + len(DIRECTIONS), [], []
    for label in range(len(classes())):
        found = of_class(label, MOST_OF_A_CLASS)
        means.append(explain.mean_map(model, explain.as_images(found), label, layer, method))
        some += found[:SHIFTED_OF_A_CLASS]
        progress(label + 1, steps)
    moved = explain.following(
        model, explain.as_images(some), None, layer, method, lambda done, _: progress(len(means) + done, steps)
    )
    return means, moved


def of_class(label: int, most: int) -> list[Picture]:
    """The first test images of a class that are on this machine."""
    places = [place for place, known in labels(PICTURES).items() if known == label]
    return list(pictures(PICTURES, places[:most]).values())
