"""Connections of the served page: those that keep the server waiting are closed."""

import asyncio
import socket

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from hopfield import HopfieldError

HOST = "127.0.0.1"
HEADER_SECONDS, SECONDS = 5, 15
"""Longest times for the headers of a request, and for its body, or for reading the answer."""


class PromptProtocol(H11Protocol):
    """HTTP in which unfinished headers, and answers that nobody reads, end the connection."""

    _waiting: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Expect headers."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # what is not read at once is waited for
        self._wait(HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Read a part of a request; further parts of its headers get no more time."""
        super().data_received(data)
        if self.flow.write_paused:
            return
        # A body after the answer, of a request that was refused, is limited as headers are.
        if self.conn.their_state is not h11.IDLE and self.conn.our_state is not h11.DONE:
            self._wait(None)
        elif self._waiting is None:
            self._wait(HEADER_SECONDS)

    def pause_writing(self) -> None:
        """Wait for the browser to read."""
        super().pause_writing()
        self._wait(SECONDS)

    def resume_writing(self) -> None:
        """Write on."""
        super().resume_writing()
        self._wait(None)

    def timeout_keep_alive_handler(self) -> None:
        """End a connection without further requests, even if its last answer was not read."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the time limit."""
        super().connection_lost(exc)
        self._wait(None)

    def _wait(self, seconds: float | None) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
        end = self.transport.abort
        self._waiting = None if seconds is None else self.loop.call_later(seconds, end)


def listen(port: int) -> socket.socket:
    """Return a socket on this computer's own address; 0 is any free port."""
    # asyncio sends small parts of an answer at once (TCP_NODELAY) if the protocol is named: −40 ms.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
        made.listen()  # browsers may connect from now on, and wait for the application
    except OSError as error:
        made.close()
        raise HopfieldError(
            f"--port must be free, but {port} is not: {error.strerror}. "
            "Name another one, or 0 for any that is free."
        ) from None
    return made
