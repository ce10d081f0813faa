"""Looking into shipped networks in a real browser: class and layer changed, the map changes; on laptop and phone."""

from __future__ import annotations

import re

import pytest

from tests.browser.app import LAPTOP, PHONE, scrolls_sideways, server
from tests.waiting import wait_for


def strip(page):
    """Address and description of the first network's pictures."""
    image = page.locator("[data-testid=stImage] img").first
    return image.get_attribute("src"), image.get_attribute("alt")


def changed(page, before, words):
    """Wait until other pictures are there, of which these words are said; returns them."""
    wait_for(lambda: strip(page)[0] != before[0] and re.search(words, strip(page)[1] or ""), 20, words)
    return strip(page)


@pytest.mark.parametrize("viewport", [LAPTOP, PHONE], ids=["laptop", "phone"])
def test_another_class_another_layer_and_another_picture_give_another_map(open_page, tmp_path, viewport):
    with server(tmp_path / "runs") as address:
        page = open_page(f"{address}/gradcam", viewport)
        page.locator("[data-testid=stImage] img").first.wait_for(timeout=40_000)
        seen = strip(page)
        assert "its map (why" in seen[1]
        label = next(label for label in ("truck", "bird") if label not in seen[1])
        page.get_by_role("combobox", name=re.compile("Why")).click()
        page.get_by_role("option", name=label, exact=True).click()
        seen = changed(page, seen, rf"why {label}|nothing argues")
        slider = page.get_by_role("slider", name=re.compile("Layer"))
        slider.focus()
        page.keyboard.press("ArrowLeft")
        seen = changed(page, seen, "its map|nothing argues")
        assert re.search(r"layer-of-\d+=\d+", page.url)
        page.get_by_role("button", name="Random image", exact=True).click()
        place = seen[1].split(",")[0]
        changed(page, seen, rf"^(?!{place},)")
        page.get_by_text(re.compile("Deletion 0|Nothing argues")).first.wait_for(timeout=60_000)
        assert not scrolls_sideways(page)
        link = page.url
        again = open_page(link, viewport)
        again.locator("[data-testid=stImage] img").first.wait_for(timeout=40_000)
        wait_for(lambda: strip(again)[1] == strip(page)[1], 20, "the link brings back the view")
