"""How long from a stroke to its overlay on the Segment page: a command, not a test.

    python -m tests.load.draw

Draws in a Chromium on this machine with the network that the page offers first, and prints the median and the 95th
percentile of the time from a move of the pen to the first frame in which the network's colour lies over that pixel.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.browser.app import FLAGS, LAPTOP, chromium, server
from tests.browser.canvas import WATCH, Canvas
from tests.load.table import percentile

ROUNDS = 6


def main() -> None:
    """Measure and print."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, server(Path(folder) / "runs") as address, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_context(viewport=LAPTOP).new_page()
        page.goto(f"{address}/segment")
        board = Canvas(page)
        board.stroke((30, 10), (30, 50))
        page.get_by_text("Digits read: 1").wait_for(timeout=60_000)  # the network is loaded
        board.ink.evaluate(WATCH)
        for number in range(ROUNDS):
            page.get_by_role("button", name="Clear").click()
            _slow_seven(board, 4 + 5 * number)
        delays = page.evaluate("window.delays")
        browser.close()
    middle, slow = percentile(delays, 0.5), percentile(delays, 0.95)
    print(f"{len(delays)} moves: median {middle:.0f} ms, 95 % within {slow:.0f} ms")


def _slow_seven(board: Canvas, left: int) -> None:
    """A 7 as slowly as a person draws it: about 25 ms from one move to the next."""
    corners = [(left + x, 10) for x in range(0, 22, 2)] + [(left + 20 - y / 2, 10 + y) for y in range(2, 36, 2)]
    board.page.mouse.move(*board.place(*corners[0]))
    board.page.mouse.down()
    for corner in corners[1:]:
        board.page.mouse.move(*board.place(*corner))
        board.page.wait_for_timeout(25)
    board.page.mouse.up()
    board.page.wait_for_timeout(300)


if __name__ == "__main__":
    main()
