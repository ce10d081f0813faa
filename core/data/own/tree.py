"""Which class and which part each file of a folder or an archive belongs to, by the folders above it.

    circle/1.png  square/2.png                          a folder a class
    train/circle/1.png  test/circle/2.png               the same, split by the person who brings it

Owns: these rules, on names alone; nothing is read here. Folders around the whole (`shapes/circle/1.png`) are looked
through, hidden files and what systems leave lying about are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from core.data.own.limits import CLASSES, LEAST_A_CLASS, LEAST_WITH_TEST, LONGEST_CLASS, MOST_DEPTH, MOST_PICTURES
from core.errors import DataError, shown
from core.names import clean_name

CLUTTER = {"__macosx", "thumbs.db", "desktop.ini"}
LEARNING = {"train", "training", "val", "valid", "validation"}  # validation is held out of what is learned from
TESTING = {"test", "testing"}
HOW = "Put the pictures of each class into a folder that is named after the class."

Way = tuple[str, ...]  # down from the top, which is not in it


@dataclass(frozen=True)
class File:
    """One file. read: its bytes; raises DataError or OSError."""

    path: Way
    read: Callable[[], bytes]


Labelled = list[tuple[File, int]]


@dataclass(frozen=True)
class Sorted:
    """Files with their label, the place of their class in `classes`, in an order that depends on their names alone.

    test: empty where nobody has split them. left_out: how many files lie beside the folders of classes.
    """

    classes: tuple[str, ...]
    train: Labelled
    test: Labelled
    left_out: int


@dataclass(frozen=True)
class _Layout:
    """How the folders stand. level: of folders around the whole. is_split: whether parts stand above the classes."""

    level: int
    is_split: bool

    @property
    def place(self) -> int:
        """Where in a file's path its class stands."""
        return self.level + self.is_split

    def is_test(self, path: Way) -> bool:
        """Whether it belongs to the test."""
        return self.is_split and path[self.level].lower() in TESTING


def sort(files: Iterable[File], folders: Iterable[Way]) -> Sorted:
    """Files by part and class. folders: the ways to all folders, also to those without a file.

    Raises: DataError, in words, for anything that is not a folder a class: one class, an empty one, too few pictures.
    """
    files = sorted((file for file in files if not _is_clutter(file.path)), key=lambda file: file.path)
    inside = _inside([*(file.path[:-1] for file in files), *(way for way in folders if not _is_clutter(way))])
    layout = _layout(inside)
    ways = [way for way in inside if len(way) > layout.place]
    tested = {way[layout.place] for way in ways if layout.is_test(way)}
    classes = _classes({way[layout.place] for way in ways if not layout.is_test(way)}, tested)
    parts = _parts(files, layout, classes)
    names = tuple(clean_name(folder, LONGEST_CLASS) for folder in classes)
    train, test = ([label for _, label in part] for part in parts)
    check_counts(names, train, test, bool(tested))
    return Sorted(names, *parts, left_out=len(files) - len(train) - len(test))


def _inside(ways: Sequence[Way]) -> set[Way]:
    """The ways to all folders, and to those that they lie in. Raises: DataError for one that lies too deep."""
    if deep := next((way for way in ways if len(way) > MOST_DEPTH), None):
        raise DataError(f"{shown('/'.join(deep))} lies more than {MOST_DEPTH} folders deep. {HOW}")
    return {way[:length] for way in ways for length in range(1, len(way) + 1)}


def _parts(files: Sequence[File], layout: _Layout, classes: dict[str, int]) -> tuple[Labelled, Labelled]:
    """Those to learn from and those of the test, each with its label, by label. Raises: DataError."""
    parts: tuple[Labelled, Labelled] = ([], [])
    for file in files:
        if len(file.path) > layout.place + 2:
            raise DataError(f"{shown('/'.join(file.path))} lies in a folder inside the folder of its class. {HOW}")
        if len(file.path) == layout.place + 2:
            parts[layout.is_test(file.path)].append((file, classes[file.path[layout.place]]))
    for part in parts:
        part.sort(key=lambda pair: pair[1])
    return parts


def check_counts(names: Sequence[str], train: Sequence[int], test: Sequence[int], has_test: bool) -> None:
    """Whether every class has pictures enough, and all are not too many, by the labels of all of them.

    Raises: DataError naming the first class that has not.
    """
    if (total := len(train) + len(test)) > MOST_PICTURES:
        raise DataError(f"There are {total:,} pictures, at most {MOST_PICTURES:,} are taken. Leave some out.")
    for part, labels, least in _wanted(train, test, has_test):
        for label, name in enumerate(names):
            if (count := labels.count(label)) < least:
                has = f"has {count} picture{'' if count == 1 else 's'}" if count else "is empty"
                raise DataError(
                    f"The class {shown(name)} {has}{part}, at least {least} are needed{part}. "
                    "Add some, or take the class away."
                )


def _wanted(train: Sequence[int], test: Sequence[int], has_test: bool) -> list[tuple[str, list[int], int]]:
    """Where pictures are counted, in words, their labels, and how many a class needs."""
    if not has_test:
        return [("", list(train), LEAST_A_CLASS)]
    return [(" to learn from", list(train), LEAST_WITH_TEST[0]), (" in the test", list(test), LEAST_WITH_TEST[1])]


def _is_clutter(way: Way) -> bool:
    return any(part.startswith(".") or part.lower() in CLUTTER for part in way)


def _layout(inside: set[Way]) -> _Layout:
    """Folders around the whole are each the only one, with folders in it; parts are named as such, with folders too."""
    level = 0
    while len(tops := {way[level] for way in inside if len(way) > level}) == 1 and _has_below(inside, level):
        level += 1
    named = {top.lower() for top in tops}
    return _Layout(level, named <= LEARNING | TESTING and bool(named & LEARNING) and _has_below(inside, level))


def _has_below(inside: set[Way], level: int) -> bool:
    return any(len(way) > level + 1 for way in inside)


def _classes(found: set[str], tested: set[str]) -> dict[str, int]:
    """The label of each class by the name of its folder; numbers in names are counted by their value.

    Raises: DataError for too few or too many, for two that can't be told apart, and for one that is only tested.
    """
    if not found:
        raise DataError(f"There are no folders of classes in it. {HOW}")
    if more := tested - found:
        raise DataError(f"The class {shown(min(more))} is in the test only: nothing could learn it. {HOW}")
    kept = {folder: clean_name(folder, LONGEST_CLASS) for folder in found}
    check_names(list(kept.values()))
    in_order = sorted(kept, key=lambda folder: (_order(kept[folder]), folder))
    return {folder: label for label, folder in enumerate(in_order)}


def check_names(names: Sequence[str]) -> None:
    """Whether these can be the names of the classes. Raises: DataError."""
    low, high = CLASSES
    if not names:
        raise DataError(f"There is no picture of any class. {HOW}")
    if len(names) < low:
        raise DataError(f"There is only one class, {shown(names[0])}: networks tell two or more apart. {HOW}")
    if len(names) > high:
        raise DataError(f"There are {len(names):,} classes, at most {high} are taken. Leave some out. {HOW}")
    if "" in names:
        raise DataError("A class has a name without a letter that can be shown. Give it another one.")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise DataError(f"Two classes are named {shown(twice)} once their names are cut to {LONGEST_CLASS} letters.")


def _order(name: str) -> list[tuple[int, str]]:
    """What lets "a10" come after "a9"."""
    return [(int(part), "") if re.fullmatch("[0-9]+", part) else (0, part) for part in re.split(r"([0-9]+)", name)]
