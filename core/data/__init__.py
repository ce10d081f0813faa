"""Data sets: what there is, what is known about each, and loading one into memory.

Importing this package imports no torch, so that a page can list the data sets at once; `load` imports what it needs.
A set of this size fits in memory as uint8, so there are no loader processes.

    info.py        DatasetInfo: what can be said of one without opening it
    catalogue.py   names, sizes, classes, sources: the table of data sets
    own/           data sets of one's own: which there are, and how pictures become one
    folder.py      the folder of those that do not ship; places.py where each file lies
    splits.py      Split, Dataset, and how validation is held out
    content.py     what must hold of a data set's tensors
    cache.py       the file of a fetched or imported set; shipped.py the file of a set that ships
    fetching.py    get a file onto this machine, once; download.py the child process that downloads it
    vision.py      the late import of torchvision
    pictures.py    single test images, straight from their file
    uploads.py     a person's own picture, from bytes that anybody may have sent
    headers.py     what a PNG or JPEG says of itself, before a pixel is decoded
    mini.py        how the shipped sets were cut
    augment.py     random changes of whole batches
    ink/           digits as people draw them, and scenes of several with the class of every pixel

    data.load("mnist-mini").train.images   # uint8 [5000, 1, 28, 28]
"""

from __future__ import annotations

from core.data.catalogue import describe, names
from core.data.fetching import fetch, refusal
from core.data.info import DatasetInfo
from core.data.places import available, location
from core.data.splits import Dataset, Split, assemble

__all__ = ["Dataset", "DatasetInfo", "Split", "available", "describe", "fetch", "load", "location", "names"]


def load(name: str, download: bool = True) -> Dataset:
    """A whole data set in memory, split into train, validation and test the same way on every machine.

    download: whether a set that is not on this machine may be fetched; see `fetch`.

    Returns a Dataset: images uint8 [N, C, H, W] in 0..255, channels_last; labels int64 [N], of scenes [N, H, W].

    Raises: UnknownNameError listing the known names; DataError when the set is absent, damaged or can't be fetched.
    """
    info, path = describe(name), location(name)
    if info.made_of:
        from core.data.ink import dataset

        return dataset.assemble(info, load(info.made_of, download))
    if download:
        fetch(name)
    elif not path.is_file():
        raise refusal(info, path, "it is not on this machine, and downloading was not allowed")
    from core.data import cache, shipped

    return assemble(info, (shipped if info.shipped else cache).read(path, info))
