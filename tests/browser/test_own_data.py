"""One's own pictures in a real browser: sent as a ZIP, seen by class, and a step away from training."""

from __future__ import annotations

from playwright.sync_api import Route

from tests import own
from tests.browser.app import LAPTOP, PHONE, scrolls_sideways, server
from tests.waiting import wait_for


def test_a_zip_is_sent_seen_and_trained_on(open_page, tmp_path):
    (tmp_path / "shapes.zip").write_bytes(own.archive(own.files(count=20)))
    (tmp_path / "broken.zip").write_bytes(own.archive(own.files(count=20))[:-50])
    with server(tmp_path / "runs", CNNLAB_DATA=str(tmp_path / "data")) as address:
        page = open_page(address, LAPTOP)
        import_it = page.get_by_role("button", name="Import", exact=True)
        on_the_way: list[Route] = []
        page.route("**/upload_file/**", lambda sent: _hold(sent, on_the_way))
        for name, answer in (
            ("broken", "The archive is damaged or incomplete"),
            ("shapes", "shapes is here as my-shapes-"),
        ):
            page.locator("input[type=file]").set_input_files(tmp_path / f"{name}.zip")
            page.get_by_text(f"{name}.zip").wait_for(timeout=30_000)
            wait_for(lambda: import_it.is_disabled() and on_the_way, 30, "a file on its way, and no press meanwhile")
            on_the_way.pop(0).continue_()
            import_it.click()
            page.get_by_text(answer).wait_for(timeout=30_000)
        page.get_by_alt_text("4 pictures of the class circle.").wait_for(timeout=20_000)
        page.get_by_text("Train on it").click()
        page.get_by_text("28 training images, 2 classes, 28x28 grey").wait_for(timeout=30_000)
        page.get_by_role("button", name="Start training").click()
        page.get_by_text("All 200 epochs done.").wait_for(timeout=120_000)
        phone = open_page(address, PHONE)
        phone.get_by_role("button", name="Show pictures").click()
        phone.get_by_alt_text("4 pictures of the class square.").wait_for(timeout=20_000)
        wait_for(lambda: not scrolls_sideways(phone), 20, "the phone's width")


def _hold(sent: Route, on_the_way: list[Route]) -> None:
    """Keep a file from arriving until it is told to go on. Anything else passes."""
    if sent.request.method == "PUT":
        on_the_way.append(sent)
    else:
        sent.continue_()
