"""One visitor of the app without a browser: what a tab says to the server, and when, so that hundreds cost little.

Owns: the WebSocket of a session, its timers as the browser keeps them, and how long each answer took. It draws
nothing and presses nothing; `tests.faults.tab` presses buttons.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

SECONDS_TO_ANSWER = 300.0
DONE = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


@dataclass(frozen=True)
class Answer:
    """What came back for one request. seconds: from asking to the end. exceptions: boxes among what was drawn."""

    seconds: float
    exceptions: int
    is_whole_page: bool


class Visitor:
    """One session of the app. Use it as an asynchronous context manager."""

    def __init__(self, address: str) -> None:
        """address: of the server, "http://127.0.0.1:<port>"."""
        stream = address.replace("http", "ws", 1) + "/_stcore/stream"
        self._connecting = connect(stream, subprotocols=[Subprotocol("streamlit")], max_size=None, compression=None,
                                   open_timeout=SECONDS_TO_ANSWER, ping_timeout=SECONDS_TO_ANSWER)  # fmt: skip
        self._socket: ClientConnection
        self._page, self._query, self._script = "", "", ""
        self._cached: set[str] = set()  # hashes of large messages: the server does not send those again
        self.timers: dict[str, float] = {}  # the seconds after which each fragment wants to be asked for again

    async def __aenter__(self) -> Visitor:
        self._socket = await self._connecting
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def go(self, page: str, query: str = "") -> Answer:
        """Open a page by its name in the address, "" for the first."""
        self._page, self._query, self._script, self.timers = page, query, "", {}
        return await self._ask("")

    async def tick(self, fragment: str) -> Answer:
        """Ask for a fragment again, as the browser does when its time is up."""
        return await self._ask(fragment)

    async def _ask(self, fragment: str) -> Answer:
        message = BackMsg()
        state = message.rerun_script
        state.query_string, state.cached_message_hashes[:] = self._query, self._cached
        if self._script:
            state.page_script_hash = self._script
        else:
            state.page_name = self._page
        state.fragment_id, state.is_auto_rerun = fragment, bool(fragment)
        state.widget_states.SetInParent()
        begin = time.perf_counter()
        await self._socket.send(message.SerializeToString())
        try:
            exceptions, is_whole_page = await asyncio.wait_for(self._read(), SECONDS_TO_ANSWER)
        except TimeoutError:
            raise TimeoutError(f"no end of page {self._page!r} within {SECONDS_TO_ANSWER:.0f} s") from None
        return Answer(time.perf_counter() - begin, exceptions, is_whole_page)

    async def _read(self) -> tuple[int, bool]:
        """Take in what the server says until its script is done and no rerun follows."""
        exceptions, is_whole_page = 0, False
        while True:
            message = ForwardMsg.FromString(await self._socket.recv(decode=False))
            kind = message.WhichOneof("type")
            if kind == "delta":
                exceptions += message.delta.new_element.WhichOneof("type") == "exception"
                if message.metadata.cacheable:
                    self._cached.add(message.hash)
            elif kind == "new_session" and not message.metadata.run.fragment_ids:
                self.timers, is_whole_page = {}, True
            elif kind == "navigation":
                self._script = message.navigation.page_script_hash
            elif kind == "auto_rerun":
                self.timers[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            elif kind == "stop_auto_rerun":
                for fragment in message.stop_auto_rerun.fragment_ids:
                    self.timers.pop(fragment, None)
            elif kind == "page_info_changed":
                self._query = message.page_info_changed.query_string
            elif kind == "script_finished" and message.script_finished in DONE:
                return exceptions, is_whole_page
