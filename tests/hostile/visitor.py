"""A visitor without a browser: plain HTTP with any header, and the WebSocket that pages talk over."""

from __future__ import annotations

import http.client
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

SECONDS = 30.0
UPGRADE = {
    **{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"},
    **{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "streamlit"},
}


@dataclass(frozen=True)
class Reply:
    """What a server said."""

    status: int
    headers: dict[str, str]
    body: bytes


def port_of(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


def ask(address: str, path: str, headers=(), *, method: str = "GET", body: bytes = b"") -> Reply:
    """One request with just these headers; a Host among them stands for the server's own."""
    given = {"Host": address.removeprefix("http://"), **dict(headers)}
    connection = http.client.HTTPConnection("127.0.0.1", port_of(address), timeout=SECONDS)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        if given.get("Upgrade"):
            return Reply(_status_line(connection), {}, b"")
        answer = connection.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def _status_line(connection: http.client.HTTPConnection) -> int:
    """The status of an answer that may be the beginning of a WebSocket."""
    assert connection.sock
    found = re.match(rb"HTTP/1\.1 (\d{3})", connection.sock.recv(100))
    assert found
    return int(found[1])


def upgrade(address: str, **headers: str) -> int:
    """The status that the WebSocket of the pages answers to these headers: 101 where it opens."""
    return ask(address, "/_stcore/stream", {**UPGRADE, **headers}).status


def is_listening(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=3):
            return True
    except OSError:
        return False


def own_addresses() -> set[str]:
    """Addresses of this machine beside 127.0.0.1: another one of its loopback, and those of its network cards."""
    found = {"127.0.0.2", "::1"}
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))  # sends nothing; says from which address it would
                found.add(probe.getsockname()[0])
        except OSError:
            continue
    return found - {"127.0.0.1"}


@contextmanager
def visit(address: str, host: str = "127.0.0.1") -> Iterator[tuple[ClientConnection, list[ForwardMsg]]]:
    """A tab that has seen one run of the script: the connection, and the messages up to its end.

    host: the name by which it asks for the server.
    """
    line = socket.create_connection(("127.0.0.1", port_of(address)), timeout=SECONDS)
    stream = f"ws://{host}:{port_of(address)}/_stcore/stream"
    with connect(stream, sock=line, subprotocols=["streamlit"], max_size=None, open_timeout=SECONDS) as tab:
        yield tab, run(tab)


def run(tab: ClientConnection, page: str = "", **widgets: str) -> list[ForwardMsg]:
    """Run the script of a page, the first one or by its hash, with JSON as the state of widgets; what was heard."""
    begin = BackMsg()
    begin.rerun_script.page_script_hash = page
    for name, state in widgets.items():
        begin.rerun_script.widget_states.widgets.add(id=name, json_value=state)
    tab.send(begin.SerializeToString())
    heard: list[ForwardMsg] = []
    while not heard or heard[-1].WhichOneof("type") != "script_finished":
        message = ForwardMsg()
        message.ParseFromString(tab.recv(timeout=SECONDS))
        heard.append(message)
    return heard


def session_of(heard: list[ForwardMsg]) -> str:
    return str(next(m for m in heard if m.WhichOneof("type") == "new_session").new_session.initialize.session_id)


def page_named(heard: list[ForwardMsg], url_path: str) -> str:
    """The hash of a page of the app."""
    menus = [message.navigation for message in heard if message.WhichOneof("type") == "navigation"]
    return str(next(page.page_script_hash for page in menus[-1].app_pages if page.url_pathname == url_path))


def elements(heard: list[ForwardMsg], kind: str) -> list[Any]:
    """What was drawn of one kind: "exception", "alert", "bidi_component" and so on."""
    drawn = [message.delta.new_element for message in heard if message.WhichOneof("type") == "delta"]
    return [getattr(element, kind) for element in drawn if element.WhichOneof("type") == kind]
