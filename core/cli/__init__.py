"""What each command of `python -m core` does. The arguments are in `core/__main__.py`.

commands.py   train, evaluate, list, audit, fetch, export, reference, bench
sweep.py      sweep: many runs, queued and followed to the end
own.py        import: data sets of one's own
figures.py    test figures in words
progress.py   one line of progress that rewrites itself
"""
