"""DatasetInfo: everything that can be said about a data set without opening it. Imports no torch and no numpy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DatasetInfo:
    """What is known about a data set before it is loaded.

    title: its name for people; of an imported set somebody's own words. image_shape: (channels, height, width).
    classes: in the order of the labels.
    train_size, val_size, test_size: images in each part; validation is held out of training, so it isn't counted there.
    download_bytes: compressed bytes that the first use fetches; 0 where there is nothing to fetch.
    labels: "classes", one an image; "masks", one a pixel; "everywhere", one a pixel, the same at every pixel.
    made_of: the data set whose images its scenes are made of; empty for one with a file of its own. Of such scenes
    train_size is how many an epoch has, made anew each time.
    source, terms: who made the images, and on what terms they are given.
    content: SHA-256 of the images, labels and classes of a set that a person has imported; empty for all others.
    """

    name: str
    title: str
    image_shape: tuple[int, int, int]
    classes: tuple[str, ...]
    train_size: int
    val_size: int
    test_size: int
    download_bytes: int
    source: str
    terms: str
    labels: str = "classes"
    made_of: str = ""
    content: str = ""

    @property
    def has_masks(self) -> bool:
        """Whether every pixel has a label."""
        return self.labels != "classes"

    @property
    def is_own(self) -> bool:
        """Whether a person has imported it."""
        return bool(self.content)

    @property
    def shipped(self) -> bool:
        """Whether it comes with CNN Lab and needs no network."""
        return self.download_bytes == 0 and not self.is_own

    @property
    def download_mb(self) -> int:
        """What the first use fetches, in MB; 0 where there is nothing to fetch."""
        return round(self.download_bytes / 1e6)

    @property
    def way_to_get_it(self) -> str:
        """How its file comes to this machine, for messages: "fetch mnist"."""
        return "import its pictures" if self.is_own else f"fetch {self.name}"
