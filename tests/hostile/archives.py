"""Archives and arrays as somebody would send them who wants a server to choke on them, or to run what they hold."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from tests import own
from tests.hostile.files import Evil


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these members, whatever their names say, and twenty good pictures."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for path, content in [*own.files().items(), *members]:
            archive.writestr(path, content)
    return file.getvalue()


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    """A symbolic link, as archives of Unix hold one."""
    member = zipfile.ZipInfo(name)
    member.create_system, member.external_attr = 3, 0o120777 << 16
    return member, target.encode()


def bomb(files: int, size: int, lumps: int = 0) -> bytes:
    """Files of so many zeros each, which take a thousandth of that. lumps: of them in the archive, one a file if 0.

    With fewer lumps the list names each again and again, so that the files lie over each other.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(bytes(size)) + packer.flush()
    facts = struct.pack("<H2H3L", 8, 0, 0, zlib.crc32(bytes(size)), len(body), size)
    local = struct.pack("<4s2H", b"PK\3\4", 20, 0) + facts + struct.pack("<2H", 1, 0) + b"a" + body
    names = (b"circle/%d.png" % number for number in range(files))
    entries = b"".join(
        struct.pack("<4s3H", b"PK\1\2", 20, 20, 0)
        + facts
        + struct.pack("<5H2L", len(name), 0, 0, 0, 0, 0, number % (lumps or files) * len(local))
        + name
        for number, name in enumerate(names)
    )
    return local * (lumps or files) + entries + end(files, len(entries), (lumps or files) * len(local))


def end(files: int, size: int, begin: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, min(files, 60_000), min(files, 60_000), size, begin, 0)


def long_list(count: int, *, hidden: bool) -> bytes:
    """A list of so many empty files. hidden: the end says none, and only the end for large archives tells of them."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    entries = entry * count
    if not hidden:
        return b"PK\3\4" + entries + end(count, len(entries), 4)
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(entries), 4)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 4 + len(entries), 1)
    return b"PK\3\4" + entries + large + locator + end(0, 0, 4)


def behind_comment(archive: bytes) -> bytes:
    """The same archive with the longest comment there can be behind it."""
    return archive[:-2] + struct.pack("<H", 0xFFFF) + b"x" * 0xFFFF


def with_password() -> bytes:
    """A flag in the list says that a file is encrypted."""
    content = bytearray(zipped())
    content[content.rindex(b"PK\1\2") + 8] |= 1
    return bytes(content)


def wrong_sum() -> bytes:
    """One bit of a stored picture turned over."""
    content = bytearray(zipped(method=zipfile.ZIP_STORED))
    content[content.index(b"IDAT") + 8] ^= 1
    return bytes(content)


def says(shape, descr="'|u1'", order="False", body=b"") -> bytes:
    """An array that says of itself what it likes."""
    text = (
        shape
        if isinstance(shape, bytes)
        else f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}\n".encode()
    )
    return npy.magic(1, 0) + struct.pack("<H", len(text)) + text + body


def arrays(**members: bytes | None) -> bytes:
    """An .npz of good arrays, with some replaced, or left out where None stands."""
    good = {name: raw(value) for name, value in own.arrays().items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**good, **members}.items():
            if content is not None:
                archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def twice() -> bytes:
    """An .npz of good arrays, the images once more behind them."""
    file = io.BytesIO(arrays())
    with zipfile.ZipFile(file, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile finds that odd too
        archive.writestr("images.npy", raw(own.arrays()["images"]))
    return file.getvalue()


def raw(value: np.ndarray) -> bytes:
    """An array as NumPy writes it, objects pickled."""
    file = io.BytesIO()
    np.save(file, value, allow_pickle=True)
    return file.getvalue()


def objects(marker: Path) -> np.ndarray:
    """An array that makes a folder when it is unpickled."""
    return np.array([Evil(marker)] * 20, dtype=object)


ARCHIVES = {  # name: how it is made, and a part of the words that refuse it; None where it is taken
    "good pictures": (zipped, None),
    "an absolute path": (lambda: zipped(("/etc/passwd", b"x")), "a name that leads out of it"),
    "a path upwards": (lambda: zipped(("../../evil.png", b"x")), "a name that leads out of it"),
    "a path upwards in the middle": (lambda: zipped(("circle/../../evil.png", b"x")), "a name that leads out of it"),
    "a path of Windows upwards": (lambda: zipped(("..\\..\\evil.png", b"x")), "a name that leads out of it"),
    "a drive of Windows": (lambda: zipped(("C:\\evil.png", b"x")), "a name that leads out of it"),
    "a link": (lambda: zipped(link("circle/link.png", "/etc/passwd")), "neither a PNG nor a JPEG"),
    "a folder that is a link": (lambda: zipped(link("circle2", "/etc")), None),
    "folders 20,000 deep": (lambda: zipped(("a/" * 20_000 + "x.png", b"x")), "more than 5 folders deep"),
    "a bomb of 480 MB": (lambda: bomb(100, 4_800_000), "over 100 times its size"),
    "a bomb of 600 MB": (lambda: bomb(125, 4_800_000), "unpacks to 600 MB, at most 500"),
    "a bomb in one file": (lambda: bomb(1, 200_000_000), "over 100 times its size"),
    "a small bomb in one file": (lambda: zipped(("circle/z.png", bytes(19_000_000))), "at most 5 MB"),
    "a bomb of one lump": (lambda: bomb(20_000, 5_000_000, lumps=1), "at most 500 are taken"),
    "a bomb of lumps within each other": (lambda: bomb(90, 5_000_000, lumps=1), "over 100 times its size"),
    "an archive within an archive": (
        lambda: zipped(("circle/more.zip", bomb(3, 4_000_000))),
        "neither a PNG nor a JPEG",
    ),
    "a list of a million files": (lambda: long_list(1_000_000, hidden=False), "list of files is too long"),
    "a list of a million files, hidden": (lambda: long_list(1_000_000, hidden=True), "ZIP64"),
    "the same behind a comment": (lambda: behind_comment(long_list(1_000_000, hidden=True)), "ZIP64"),
    "a list of 150,000 files": (lambda: long_list(150_000, hidden=False), "150,000 files, at most 50,000"),
    "a good archive behind a comment": (lambda: behind_comment(zipped()), None),
    "a password": (with_password, "has a password"),
    "an unusual method": (lambda: zipped(method=zipfile.ZIP_LZMA), "unusual method"),
    "a bit turned over": (wrong_sum, "damaged in the archive"),
    "cut off": (lambda: zipped()[:-50], "damaged or incomplete"),
    "its end alone": (lambda: b"PK\5\6" + bytes(18), "no folders of classes"),
    "its beginning alone": (lambda: b"PK\3\4", "damaged or incomplete"),
    "an end that points nowhere": (lambda: b"PK\3\4" + end(5, 200, 7_000_000), "damaged or incomplete"),
    "an end that points before it": (lambda: b"PK\3\4" + end(5, 7_000_000, 0), "damaged or incomplete"),
    "no archive": (lambda: b"<html>" * 100, "neither a ZIP archive nor an .npz"),
    "nothing": (lambda: b"", "neither a ZIP archive nor an .npz"),
    "a RAR": (lambda: b"Rar!\x1a\x07\0" + bytes(100), "neither a ZIP archive nor an .npz"),
}
ARRAYS = {
    "good arrays": (arrays, None),
    "no images": (lambda: arrays(images=None), "holds no images. Expected are images (uint8"),
    "an array twice": (twice, "two arrays of the same name"),
    "no labels": (lambda: arrays(labels=None), "holds no labels"),
    "names of another program": (lambda: arrays(images=None, x_train=b"x"), "holds 'x_train'. Expected"),
    "test images without labels": (lambda: arrays(test_images=raw(own.arrays()["images"])), "holds no test_labels"),
    "floats": (lambda: arrays(images=raw(own.arrays()["images"] / 255)), "images is float64, expected uint8"),
    "truths": (lambda: arrays(labels=raw(np.zeros(20, bool))), "labels is bool, expected whole numbers"),
    "labels below 0": (lambda: arrays(labels=raw(np.arange(20) - 1)), "count the classes from 0"),
    "labels beyond 64 bits": (lambda: arrays(labels=raw(np.full(20, 2**63, np.uint64))), "count the classes from 0"),
    "a label too few": (lambda: arrays(labels=raw(np.zeros(19, int))), "There are 20 images, but 19 labels"),
    "labels in a square": (
        lambda: arrays(labels=raw(np.zeros((20, 2), int))),
        "labels has the shape [20, 2], expected [N]",
    ),
    "flat images": (lambda: arrays(images=raw(np.zeros((20, 144), np.uint8))), "[20, 144], expected [N, H, W]"),
    "two channels": (
        lambda: arrays(images=raw(np.zeros((20, 9, 9, 2), np.uint8))),
        "[20, 9, 9, 2], expected [N, H, W]",
    ),
    "channels first": (lambda: arrays(images=raw(np.zeros((20, 3, 32, 32), np.uint8))), "[20, 3, 32, 32], expected"),
    "tiny images": (lambda: arrays(images=raw(np.zeros((20, 7, 30), np.uint8))), "30x7 pixels, at least 8 a side"),
    "no image at all": (
        lambda: arrays(images=raw(np.zeros((0, 9, 9), np.uint8)), labels=raw(np.zeros(0, int))),
        "no picture of any class",
    ),
    "one class": (lambda: arrays(labels=raw(np.zeros(20, int))), "only one class, '0'"),
    "twenty classes of one": (lambda: arrays(labels=raw(np.arange(20))), "has 1 picture, at least 10"),
    "a name too few": (lambda: arrays(classes=raw(np.array(["a"]))), "A label is 1, but there are 1 classes"),
    "a name too many": (lambda: arrays(classes=raw(np.array(["a", "b", "c"]))), "The class 'c' is empty"),
    "the same name twice": (lambda: arrays(classes=raw(np.array(["a", "a"]))), "Two classes are named 'a'"),
    "names that are numbers": (lambda: arrays(classes=raw(np.array([1, 2]))), "classes is int64, expected text"),
    "names that are bytes": (lambda: arrays(classes=raw(np.array([b"a", b"b"]))), "classes is |S1, expected text"),
    "names without a letter": (lambda: arrays(classes=raw(np.array(["a", "\u202e"]))), "without a letter"),
    "names that are no letters": (
        lambda: arrays(classes=says((2,), "'<U1'", body=b"\xff" * 8)),
        "classes holds something that is no text",
    ),
    "names of no letters": (lambda: arrays(classes=says((2,), "'<U0'")), "names of 0 letters"),
    "names of a megabyte": (lambda: arrays(classes=raw(np.array(["a" * 300_000, "b"]))), "names of 300,000 letters"),
    "a pickle of images": (lambda: arrays(images=raw(objects(MARKER))), "Python objects, which are never unpickled"),
    "a pickle of labels": (lambda: arrays(labels=raw(objects(MARKER))), "Python objects, which are never unpickled"),
    "a pickle of names": (
        lambda: arrays(classes=raw(objects(MARKER)[:2])),
        "Python objects, which are never unpickled",
    ),
    "fields": (lambda: arrays(images=says((20,), "[('a', '|u1'), ('b', '|O')]")), "Python objects"),
    "a pickle without a header": (lambda: arrays(images=raw(objects(MARKER))[128:]), "is damaged, or is no array"),
    "a terabyte of images": (lambda: arrays(images=says((20, 1_000_000, 50_000))), "at most 50,000 images are taken"),
    "more images than there are bytes": (lambda: arrays(images=says((20, 12, 12))), "does not hold what it says"),
    "bytes behind the images": (
        lambda: arrays(images=says((20, 12, 12), body=bytes(2881))),
        "does not hold what it says",
    ),
    "a shape below 0": (lambda: arrays(images=says((-20, 12, 12))), "images has the shape [-20, 12, 12]"),
    "labels below nothing": (lambda: arrays(labels=says((-5,), "'<i8'")), "labels has the shape [-5]"),
    "a shape of truths": (lambda: arrays(images=says((True, 12, 12))), "does not hold what it says"),
    "a shape beyond 64 bits": (lambda: arrays(images=says((10**30, 12, 12))), "at most 50,000 images"),
    "a shape that is text": (lambda: arrays(images=says("'abc'")), "is damaged, or is no array"),
    "a header that is a call": (
        lambda: arrays(images=says(b"__import__('os').system('true')\n")),
        "is damaged, or is no",
    ),
    "a header of deep lists": (lambda: arrays(images=says(b"[" * 9000 + b"\n")), "is damaged, or is no array"),
    "a header of deep signs": (lambda: arrays(images=says(b"-" * 9000 + b"1\n")), "is damaged, or is no array"),
    "a header of 60,000 bytes": (lambda: arrays(images=says(b" " * 60_000 + b"\n")), "is damaged, or is no array"),
    "a header that is no text": (lambda: arrays(images=says(b"\xff\0\xff\n")), "is damaged, or is no array"),
    "an unknown version": (lambda: arrays(images=npy.magic(9, 9) + bytes(100)), "is damaged, or is no array"),
    "an array of nothing": (lambda: arrays(images=b""), "is damaged, or is no array"),
    "dates": (lambda: arrays(labels=says((20,), "'<M8[s]'", body=bytes(160))), "expected whole numbers"),
}
MARKER = Path("unpickled")
