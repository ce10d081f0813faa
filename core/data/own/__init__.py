"""Data sets of one's own: pictures that anybody may have sent become a data set like those that CNN Lab knows.

Importing this package, `shelf` or `limits` imports neither numpy nor torch.

    shelf.py      which imported sets are here, what is known of each, and removing one
    limits.py     how many, how large, how small: everything that is refused by a number
    tree.py       which class and part each file belongs to, by the folders above it
    folders.py    the files of a folder on this machine
    archives.py   the files of a ZIP archive, read in memory
    arrays.py     an .npz file without objects
    squares.py    pictures of any size and colour as squares of one
    bringing.py   bring: a folder, an archive or an .npz in, a data set on the shelf out
"""
