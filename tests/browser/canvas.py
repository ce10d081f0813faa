"""The drawing canvas on a page in a browser, as a person meets it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

Point = tuple[float, float]
# Notes in window.delays how long after each move of the pen the network's colour, no grey, lies over its pixel.
WATCH = """canvas => {
  window.delays = []
  canvas.addEventListener('pointermove', event => {
    if (!event.buttons) return
    const box = canvas.getBoundingClientRect(), began = performance.now()
    const x = Math.floor((event.clientX - box.left) / box.width * 64)
    const y = Math.floor((event.clientY - box.top) / box.height * 64)
    const look = () => {
      const colour = [...canvas.getContext('2d').getImageData(x, y, 1, 1).data].slice(0, 3)
      if (Math.max(...colour) - Math.min(...colour) > 12) window.delays.push(performance.now() - began)
      else if (performance.now() - began < 5000) requestAnimationFrame(look)
    }
    look()
  })
}"""


class Canvas:
    """Places are pixels of the 64x64 field."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.ink = page.locator("canvas.ink")
        self.ink.wait_for(timeout=30_000)
        page.locator(".bars li").nth(10).wait_for(timeout=20_000)
        self.ink.scroll_into_view_if_needed()

    def place(self, x: float, y: float) -> Point:
        """Where on the page the middle of a pixel is."""
        box = self.ink.bounding_box()
        return box["x"] + (x + 0.5) * box["width"] / 64, box["y"] + (y + 0.5) * box["height"] / 64

    def stroke(self, *corners: Point, steps: int = 8) -> None:
        """Draw with the mouse from corner to corner."""
        self.page.mouse.move(*self.place(*corners[0]))
        self.page.mouse.down()
        for corner in corners[1:]:
            self.page.mouse.move(*self.place(*corner), steps=steps)
        self.page.mouse.up()

    def touch(self, *corners: Point, steps: int = 8) -> None:
        """Draw with a finger from corner to corner; the page must have been opened with touch."""
        session = self.page.context.new_cdp_session(self.page)
        points = [corners[0]]
        for (x0, y0), (x1, y1) in pairwise(corners):
            points += [(x0 + (x1 - x0) * k / steps, y0 + (y1 - y0) * k / steps) for k in range(1, steps + 1)]
        for number, point in enumerate(points):
            x, y = self.place(*point)
            kind = "touchStart" if number == 0 else "touchMove"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
