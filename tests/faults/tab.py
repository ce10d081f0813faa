"""A tab of a browser without the browser: it speaks the app's own web socket, so that many of them cost little.

Owns: asking for a page, pressing its buttons, and knowing what it says. It draws nothing.
"""

from __future__ import annotations

from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from websockets.sync.client import connect

SECONDS_TO_ANSWER = 60


class Tab:
    """One session of the app, from the beginning of a `with` block to its end."""

    def __init__(self, address: str, page: str, query: str = "") -> None:
        """address: of the server, "http://127.0.0.1:<port>". query: what follows the ? in the page's address."""
        stream = address.replace("http", "ws", 1) + "/_stcore/stream"
        self._connection = connect(stream, subprotocols=["streamlit"], max_size=None)  # type: ignore[list-item]
        self._state = {"page_name": page, "query_string": query}
        self.buttons: dict[str, str] = {}  # the label of each that can be pressed, and its id
        self.words = ""

    def __enter__(self) -> Tab:
        self._socket = self._connection.__enter__()
        self.ask()
        return self

    def __exit__(self, *what: Any) -> None:
        self._connection.__exit__(*what)

    def ask(self) -> None:
        """Run the page, and read until it is done."""
        self.send(WidgetStates())
        self.read()

    def press(self, label: str) -> None:
        """Press a button and wait for the page that follows."""
        self.send_press(label)
        self.read()

    def clear_caches(self) -> None:
        """What the menu's "Clear cache" does, for everyone."""
        self._socket.send(BackMsg(clear_cache=True).SerializeToString())

    def send_press(self, label: str) -> None:
        """Press a button, and don't wait."""
        self.send(WidgetStates(widgets=[WidgetState(id=self.buttons[label], trigger_value=True)]))

    def send(self, widgets: WidgetStates) -> None:
        self._socket.send(BackMsg(rerun_script=ClientState(widget_states=widgets, **self._state)).SerializeToString())

    def read(self) -> None:
        """Take in what the server says until its script is done and no rerun follows."""
        while True:
            message = ForwardMsg.FromString(self._socket.recv(SECONDS_TO_ANSWER, decode=False))
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.buttons, self.words = {}, ""
            elif kind == "delta":
                self._take_in(message.delta.new_element)
            elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return

    def _take_in(self, element: Element) -> None:
        kind = element.WhichOneof("type") or ""
        if kind == "button" and not element.button.disabled:
            self.buttons[element.button.label] = element.button.id
        elif kind in ("markdown", "heading", "alert"):
            self.words += getattr(element, kind).body + "\n"
