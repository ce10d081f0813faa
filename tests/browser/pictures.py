"""The pictures in the README, taken anew: a command, not a test.

    python -m tests.browser.pictures

Starts the server with the runs that ship and opens each page in a Chromium; writes a WebP file a page.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

from core.jobs import PROJECT
from tests.browser.app import FLAGS, chromium, server

FOLDER = PROJECT / ".github" / "pictures"
WIDTH, SCALE, QUALITY = 1280, 1.25, 82
PICTURES = {  # name: address, what stands on it when it is all there, height in pixels
    "home": ("?experiment=2", "Guided tour", 860),
    "train": (
        "train?run=ref-cifar10-resnet-fast-0&with=ref-cifar10-cnn-fast-0&with=ref-cifar10-mlp-fast-0",
        "All 18 epochs done",
        1120,
    ),
    "compare": ("compare?runs=ref-cifar10-cnn-fast-0&runs=ref-cifar10-resnet-fast-0", "The sealed test set", 860),
    "segment": ("segment?scene=59", "Intersection over union with the truth", 960),
    "gradcam": (
        "gradcam?models=ref-cifar10-resnet-fast-0&models=ref-cifar10-cnn-fast-0",
        re.compile("Deletion 0|Nothing argues"),
        900,
    ),
}
STILL = "[data-test-script-state=notRunning]"


def main() -> None:
    """Take them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as runs, server(Path(runs)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        for name, (path, words, height) in PICTURES.items():
            page = browser.new_context(
                viewport={"width": WIDTH, "height": height}, device_scale_factor=SCALE
            ).new_page()
            page.goto(f"{address}/{path}")
            page.get_by_text(words).first.wait_for(timeout=120_000)
            page.get_by_text("Measuring").first.wait_for(state="hidden", timeout=120_000)
            page.locator(STILL).wait_for(timeout=120_000)
            page.wait_for_timeout(2000)
            save(page.screenshot(), FOLDER / f"{name}.webp")
            page.context.close()


def save(png: bytes, path: Path) -> None:
    """Write a PNG as a WebP file, and say how large that is."""
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    _, small = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    path.write_bytes(small.tobytes())
    print(f"{path.relative_to(PROJECT)}: {len(small) / 1e3:.0f} KB")


if __name__ == "__main__":
    main()
