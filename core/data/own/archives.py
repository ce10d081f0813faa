"""The files of a ZIP archive that anybody may have sent, read in memory: nothing is put where a name in it says.

Owns: what is refused before anything is unpacked: a list of files too long, files that swell, passwords, ways out of
the archive. Leaves what the files are for to `tree.py`.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from functools import partial
from typing import IO

from core.data.own.limits import FREE_UNPACKED, MOST_DIRECTORY, MOST_PICTURES, MOST_TIMES, MOST_UNPACKED
from core.data.own.tree import File, Way
from core.data.uploads import MOST_BYTES
from core.errors import DataError, shown

END, END_BYTES = b"PK\x05\x06", 22
LONG_END, LONG_END_BYTES = b"PK\x06\x07", 20  # of an archive of more than 4 GB or 65,535 files
MOST_COMMENT = 1 << 16
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ENCRYPTED = 1
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


def opened(file: IO[bytes]) -> zipfile.ZipFile:
    """An archive whose files are safe to read, one by one. Raises: DataError, in words, for anything else."""
    _check_directory(file, size_of(file))
    try:
        archive = zipfile.ZipFile(file)
    except BROKEN:
        raise _damaged() from None
    members = archive.infolist()
    if len(members) > 2 * MOST_PICTURES:
        raise DataError(
            f"The archive holds {len(members):,} files, at most {MOST_PICTURES:,} pictures are taken. Pack fewer."
        )
    if any(member.flag_bits & ENCRYPTED for member in members):
        raise DataError("The archive has a password. Pack the files without one.")
    if any(member.compress_type not in METHODS for member in members):
        raise DataError("The archive is packed by an unusual method. Pack it as a plain ZIP, by Deflate.")
    unpacked = sum(member.file_size for member in members)
    if unpacked > MOST_UNPACKED:
        raise DataError(
            f"The archive unpacks to {unpacked / 1e6:,.0f} MB, at most {MOST_UNPACKED / 1e6:.0f} are taken. "
            "Larger sets come from a folder, by the command line."
        )
    return archive


def size_of(file: IO[bytes]) -> int:
    """The length of an open file in bytes."""
    return file.seek(0, io.SEEK_END)


def contents(archive: zipfile.ZipFile, size: int) -> tuple[list[File], list[Way]]:
    """The files of an archive of pictures, to be read later, and the ways to the folders that it names.

    size: of the archive, in bytes.

    Raises: DataError for a name that leads out of it, or files that are far larger than what holds them.
    """
    unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > max(FREE_UNPACKED, MOST_TIMES * size):
        raise DataError(
            f"The archive unpacks to {unpacked / 1e6:,.0f} MB, over {MOST_TIMES} times its size: no pictures do. "
            "Nothing was unpacked."
        )
    files: list[File] = []
    folders: list[Way] = []
    for member in archive.infolist():
        name = member.filename.replace("\\", "/")  # as some old programs write it
        way = tuple(part for part in name.split("/") if part not in ("", "."))
        if name.startswith("/") or ".." in way or ":" in name[:2]:
            raise DataError(f"The archive holds {shown(name)}, a name that leads out of it. Pack the folder again.")
        if name.endswith("/"):
            folders.append(way)
        elif way:
            files.append(File(way, partial(read, archive, member, MOST_BYTES)))
    return files, folders


def read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """One file of an archive, of `most` bytes or one more, if it is longer. Raises: DataError when it is damaged."""
    try:
        with archive.open(member) as file:
            return file.read(most + 1)
    except BROKEN:
        raise DataError("It is damaged in the archive. Pack it again.") from None


def _check_directory(file: IO[bytes], size: int) -> None:
    """Raises: DataError when the list of files would take far more memory than a list of pictures does.

    It is read from where the end of the archive says, before anything else can be known of it.
    """
    file.seek(max(0, size - MOST_COMMENT - END_BYTES - LONG_END_BYTES))
    tail = file.read()
    place = len(tail) - END_BYTES
    if place < 0 or not (tail.startswith(END, place) and tail.endswith(b"\0\0")):
        place = tail.rfind(END)  # a comment stands behind it
    if place < 0 or place + END_BYTES > len(tail):
        raise _damaged()
    if tail.startswith(LONG_END, max(0, place - LONG_END_BYTES)) or tail[place + 8 : place + 10] == b"\xff\xff":
        raise DataError("The archive is of the kind for more than 65,535 files (ZIP64). Pack fewer files.")
    if int.from_bytes(tail[place + 12 : place + 16], "little") > MOST_DIRECTORY:
        raise DataError(f"The archive's list of files is too long. At most {MOST_PICTURES:,} pictures are taken.")


def _damaged() -> DataError:
    return DataError("The archive is damaged or incomplete. Pack it again, and send it once more.")
