"""The server's door, asked at a server that really runs: who may come in, and with what."""

from __future__ import annotations

from pathlib import Path

import pytest
import streamlit
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import ConnectionClosed

from tests.browser.app import server
from tests.hostile.visitor import ask, elements, is_listening, own_addresses, port_of, session_of, upgrade, visit

SHELL = Path(streamlit.__file__).parent / "static" / "index.html"
LIMIT = 50 << 20  # bytes of an upload
FOREIGN = "evil.example"
FOREIGN_HOSTS = [FOREIGN, f"localhost.{FOREIGN}", f"127.0.0.1.{FOREIGN}", "127.0.0.2", "[::1]", "a@localhost",
                 "0.0.0.0", ""]  # fmt: skip
PROXY, OTHER_NAME = "lab.example.org", "lab.example.com"  # the second is changed to the first on the way
BROKEN_PAGE = """
import streamlit as st
st.write("before")
raise ValueError("word-of-the-error")
"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with server(tmp_path_factory.mktemp("runs")) as own:
        yield own


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory):
    """A page that fails, on a server that knows the name under which a proxy offers it."""
    script = tmp_path_factory.mktemp("pages") / "broken.py"
    script.write_text(BROKEN_PAGE)
    flags = (f"--server.allowedHosts={PROXY}", f"--server.corsAllowedOrigins=https://{OTHER_NAME}")
    with server(tmp_path_factory.mktemp("runs"), *flags, script=str(script)) as own:
        yield own


# Who may come in


def test_it_listens_on_one_address_alone(address):
    assert is_listening("127.0.0.1", port_of(address))
    assert [host for host in own_addresses() if is_listening(host, port_of(address))] == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_its_own_pages_open_the_websocket(address, name):
    here = f"{name}:{port_of(address)}"
    assert upgrade(address, Host=here, Origin=f"http://{here}") == 101


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_opens_no_websocket(address, host):
    """So a page elsewhere whose name was made to point here, too, gets nothing of what pages show."""
    assert upgrade(address, Host=host) == 400
    assert upgrade(address, Host=host, Origin=f"http://{host}") == 400


@pytest.mark.parametrize("origin", [f"http://{FOREIGN}", f"https://{FOREIGN}", "null", "http://localhost.evil.example"])
def test_a_foreign_page_opens_no_websocket(address, origin):
    assert upgrade(address, Origin=origin) == 403


@pytest.mark.parametrize("path", ["/", "/train", "/compare?run=x", "/favicon.png", "/_stcore/health", "/media/x.png"])
@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_a_foreign_host_gets_nothing_over_http(address, path, host):
    answer = ask(address, path, {"Host": host})
    assert (answer.status, answer.body) == (400, b"Invalid host header")
    assert "access-control-allow-origin" not in answer.headers


def test_a_foreign_host_brings_nothing_over_http(address):
    assert ask(address, "/_stcore/upload_file/a/b", {"Host": FOREIGN}, method="PUT", body=b"x").status == 400


@pytest.mark.parametrize("path", ["/_stcore/health", "/_stcore/host-config", "/"])
def test_no_other_page_may_read_an_answer(address, path):
    answer = ask(address, path, {"Origin": f"http://{FOREIGN}"})
    assert "access-control-allow-origin" not in answer.headers


def test_programs_do_not_drive_the_pages(address):
    answer = ask(address, "/_stcore/agent/interact", {"Content-Type": "application/json"}, method="POST", body=b"{}")
    assert answer.status in (403, 404)


@pytest.mark.parametrize("path", ["/../README.md", "/%2e%2e/README.md", "/app/static/../app.py", "/media/../app.py",
                                  "//etc/passwd", "/..%5capp.py", "/static/%2e%2e/%2e%2e/config.py"])  # fmt: skip
def test_no_path_leads_to_a_file(address, path):
    answer = ask(address, path)
    assert answer.status >= 400 or answer.body == SHELL.read_bytes()


# With what


def multipart(content):
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    return head + content + b"\r\n--x--\r\n"


def upload(address, session, content, **headers):
    body = multipart(content)
    sent = {"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(len(body)), **headers}
    return ask(address, f"/_stcore/upload_file/{session}/a-file", sent, method="PUT", body=body).status


@pytest.fixture
def token(address):
    """Header and cookie that its own page sends along."""
    cookie = ask(address, "/_stcore/health").headers["set-cookie"].partition(";")[0]
    assert cookie.startswith("_streamlit_xsrf=")
    return {"X-Xsrftoken": cookie.partition("=")[2], "Cookie": cookie}


def test_an_upload_needs_the_token_of_its_own_page(address, token):
    with visit(address) as (_, heard):
        session = session_of(heard)
        assert upload(address, session, b"x" * 100) == 403
        assert upload(address, session, b"x" * 100, Cookie=token["Cookie"]) == 403
        assert upload(address, session, b"x" * 100, **{"X-Xsrftoken": token["X-Xsrftoken"]}) == 403
        assert upload(address, session, b"x" * 100, **{**token, "X-Xsrftoken": "2|0|0|0"}) == 403
        assert upload(address, session, b"x" * 100, **token) == 204
        assert upload(address, "another-session", b"x" * 100, **token) == 400


def test_an_upload_over_the_limit_is_refused(address, token):
    with visit(address) as (_, heard):
        session = session_of(heard)
        assert upload(address, session, b"x" * (LIMIT - 1000), **token) == 204
        told = {"Content-Length": str(LIMIT + 1), "Content-Type": "multipart/form-data; boundary=x", **token}
        assert ask(address, f"/_stcore/upload_file/{session}/b", told, method="PUT").status == 413  # before it is sent


def test_an_upload_that_hides_its_size_is_refused_too(address, token):
    body = multipart(b"x" * (LIMIT + 1000))
    hidden = {"Transfer-Encoding": "chunked", "Content-Type": "multipart/form-data; boundary=x", **token}
    with visit(address) as (_, heard):
        path = f"/_stcore/upload_file/{session_of(heard)}/b"
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        assert ask(address, path, hidden, method="PUT", body=chunked).status == 413


def last_words(socket):
    """The code with which the server ends a connection."""
    try:
        while True:
            socket.recv(timeout=30)
    except ConnectionClosed as closed:
        return closed.rcvd and closed.rcvd.code


@pytest.mark.parametrize(("sent", "code"), [(b"\xff" * 100, 1002), (b"\x00" * 26_000_000, 1009)])
def test_what_is_no_message_of_a_page_ends_the_connection(address, sent, code):
    with visit(address) as (socket, _):
        socket.send(sent)
        assert last_words(socket) == code
    assert ask(address, "/_stcore/health").status == 200


def test_no_visitor_shuts_the_server_down(address):
    message = BackMsg()
    message.debug_shutdown_runtime = True
    with visit(address) as (socket, _):
        socket.send(message.SerializeToString())
    with visit(address) as (_, heard):
        assert session_of(heard)


# What it tells


def test_nobody_is_told_who_uses_it(address):
    with visit(address) as (_, heard):
        begin = next(message for message in heard if message.WhichOneof("type") == "new_session").new_session
        assert begin.config.gather_usage_stats is False
    assert b'"metricsUrl":""' in ask(address, "/_stcore/host-config").body


def test_a_page_that_fails_shows_neither_traceback_nor_path(behind_proxy):
    with visit(behind_proxy, PROXY) as (_, heard):
        shown = [message.delta for message in heard if message.WhichOneof("type") == "delta"]
    (error,) = elements(heard, "exception")
    assert not error.stack_trace
    assert not error.type
    assert "before" in str(shown)
    for secret in ("word-of-the-error", "ValueError", "Traceback", "broken.py", "site-packages"):
        assert secret not in str(shown)


# Behind a proxy


def test_behind_a_proxy_the_proxys_name_is_the_one_that_counts(behind_proxy):
    assert upgrade(behind_proxy, Host=PROXY, Origin=f"https://{PROXY}") == 101
    assert upgrade(behind_proxy, Host=PROXY, Origin=f"https://{OTHER_NAME}") == 101
    assert upgrade(behind_proxy, Host=PROXY, Origin=f"https://{FOREIGN}") == 403
    assert upgrade(behind_proxy, Host=OTHER_NAME, Origin=f"https://{OTHER_NAME}") == 403
    assert upgrade(behind_proxy, Host=FOREIGN, Origin=f"https://{FOREIGN}") == 403
    assert upgrade(behind_proxy) == 403


def test_the_proxys_name_is_let_in_over_http_too(tmp_path):
    flags = ("--server.allowedHosts=127.0.0.1", f"--server.allowedHosts={PROXY}")
    with server(tmp_path / "runs", *flags) as address:
        assert ask(address, "/", {"Host": PROXY}).body == SHELL.read_bytes()
        assert ask(address, "/", {"Host": OTHER_NAME}).status == 400
