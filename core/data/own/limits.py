"""What an imported set may hold: everything that is refused by a number.

A source of files costs at most what it is allowed to unpack to; what it becomes lies in memory while it learns.
"""

from __future__ import annotations

CLASSES = (2, 100)
LEAST_A_CLASS = 10  # pictures: seven to learn from, one for validation, two for the test
LEAST_WITH_TEST = (8, 2)  # pictures of a class in `train` and in `test`, where a person has split them
TEST_SHARE, VAL_SHARE = 5, 8  # one in five of each class, then one in eight of the rest: 70, 10 and 20 percent
CHANNELS = (1, 3)  # of an image: grey or colour
SIDE = (8, 256)  # pixels of an image as networks see it; pictures may be larger, not smaller
SMALL_SIDES, LARGE_SIDE = {1: 28, 3: 32}, 64  # that they become when nobody chooses, by channels

MOST_PICTURES = 50_000
MOST_BYTES = 400_000_000  # of all images as networks see them
MOST_UNPACKED = 500_000_000  # bytes of all files in an archive
MOST_TIMES = 100  # as large as an archive its files may be; pictures hardly shrink
FREE_UNPACKED = 20_000_000  # bytes below which nobody counts how often
MOST_DIRECTORY = 8_000_000  # bytes of the list of files in an archive
MOST_DEPTH = 5  # folders within each other
LONGEST_TITLE, LONGEST_CLASS = 60, 40  # characters

UPLOAD_MB = 50  # of a file that the page takes; from a folder of this machine the command line takes more
