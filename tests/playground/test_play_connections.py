"""Connections that keep the server waiting are closed, and others answered."""

import http.client
import socket
import threading
import time
from contextlib import ExitStack, contextmanager

import pytest

from hopfield_play import connections, server
from served import random_set

MOST = 8
MINUTE = 60


@contextmanager
def serving(served):
    """Serve in a thread; yield the port."""
    running = server.server_of(served)
    with connections.listen(0) as listening:
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join(MINUTE)


@pytest.fixture
def port(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "MOST_CONNECTIONS", MOST)
    monkeypatch.setattr(connections, "HEADER_SECONDS", 1.5)
    monkeypatch.setattr(connections, "SECONDS", 1.5)
    with serving(random_set(tmp_path)) as port:
        yield port


def status(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=MINUTE)
    connection.request("GET", "/api/data", headers={"Connection": "close"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def connected(port, text):
    """Return a connection on which a text was sent."""
    line = socket.create_connection(("127.0.0.1", port), timeout=MINUTE)
    line.sendall(text)
    return line


def wait_for(is_done):
    end = time.monotonic() + MINUTE
    while not is_done():
        assert time.monotonic() < end, "never"
        time.sleep(0.05)


HOST = b"Host: 127.0.0.1:%d\r\n"
STUCK = {
    "nothing": b"",
    "half a header": b"GET / HTTP/1.1\r\nHo",
    "a second request": b"GET /x HTTP/1.1\r\n" + HOST + b"\r\nGET / HT",
    "a body after its refusal": b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n",
}


@pytest.mark.parametrize("text", STUCK.values(), ids=STUCK.keys())
def test_unfinished_requests_are_closed(port, text):
    text = text.replace(b"%d", str(port).encode())
    with ExitStack() as stack:
        lines = [stack.enter_context(connected(port, text)) for _ in range(MOST - 1)]
        wait_for(lambda: status(port) == 503)
        wait_for(lambda: all(map(is_closed, lines)))
        assert status(port) == 200


def is_closed(line, read=True):
    """Send one byte more, as one who wants to stay connected; return True if it cannot arrive."""
    line.settimeout(0.01)
    try:
        line.sendall(b"x")
        if not read:
            return False
        while line.recv(2**16):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def test_answers_that_nobody_reads_are_ended(port):
    requests = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port * 100
    with connected(port, requests) as line:
        wait_for(lambda: is_closed(line, read=False))
