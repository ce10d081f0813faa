"""`streamlit run app.py`, as the person who types it sees it."""

from __future__ import annotations

import sys

from tests.browser.app import server
from tests.waiting import wait_for


def test_a_browser_opens_with_the_first_page(tmp_path):
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f"#!{sys.executable}\nimport sys\nopen({str(opened)!r}, 'w').write(sys.argv[1] + ' ')\n")
    browser.chmod(0o755)
    with server(tmp_path / "runs", "--server.headless=false", BROWSER=f"{browser} %s") as address:
        port = address.rpartition(":")[2]
        wait_for(lambda: opened.exists() and opened.read_text().endswith(" "), 30)
    assert opened.read_text().strip() == f"http://localhost:{port}"
