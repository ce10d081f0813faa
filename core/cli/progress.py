"""One line of progress that rewrites itself on a terminal, and stays silent where nobody watches."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.runs import Run
    from core.training import Event

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


class RunLine:
    """The progress of a training, and a line for each of its epochs."""

    def __init__(self, run: Run) -> None:
        self._epochs = run.config.epochs
        self._line = ProgressLine()
        self._line.show(0.0, "loading")

    def tell(self, event: Event) -> None:
        """Show one event."""
        from core.training import Epoch, Step

        if isinstance(event, Step):
            words = f"loss {event.loss:.3f}  accuracy {event.accuracy:.3f}  {event.images_per_second:,.0f} images/s"
            self._line.show(event.epoch / self._epochs, f"epoch {event.epoch:.1f}/{self._epochs}  {words}")
        elif isinstance(event, Epoch):
            self.close()
            iou = "" if event.val_iou is None else f" IoU {event.val_iou:.4f}"
            best = "  best so far" if event.best else ""
            print(
                f"epoch {event.epoch:3}  train loss {event.train_loss:.4f} accuracy {event.train_accuracy:.4f}"
                f"  validation loss {event.val_loss:.4f} accuracy {event.val_accuracy:.4f}{iou}"
                f"  {event.seconds:.1f} s{best}",
                flush=True,
            )

    def close(self) -> None:
        """Clear the line."""
        self._line.close()
