"""One line of progress that rewrites itself on a terminal, and stays silent where nobody watches."""

from __future__ import annotations

import sys

BAR = 24  # characters


class ProgressLine:
    """A bar with words on the standard error stream."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._is_open = False

    def show(self, share: float, words: str) -> None:
        """Draw the bar filled to `share` (0..1), with `words` behind it."""
        if not self._is_terminal:
            return
        filled = round(BAR * min(1.0, max(0.0, share)))
        print(f"\r\033[K[{'█' * filled}{'·' * (BAR - filled)}] {words}", end="", file=sys.stderr, flush=True)
        self._is_open = True

    def close(self) -> None:
        """Clear the line, so that what is printed next stands alone."""
        if self._is_open:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._is_open = False
