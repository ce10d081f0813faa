"""What each command of `python -m core` does. The arguments are in `core/__main__.py`."""
