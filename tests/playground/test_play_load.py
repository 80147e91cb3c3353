"""The server under load and under attack: 50 sessions at once, and messages that no page sends."""

import http.client
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch

import guarded_play
from hopfield_play import server
from hopfield_play.recent import Recent
from play_messages import Sent, messages
from served import NETWORKS, client_of, question_of, random_set

SECRET = "only-in-this-file"
GROWTH = 150 * 2**20

pytestmark = pytest.mark.filterwarnings("ignore")  # as in the command; Pillow warns of bombs


@pytest.fixture(scope="module")
def secret(tmp_path_factory):
    path = tmp_path_factory.mktemp("secret") / "secret.txt"
    path.write_text(SECRET)
    return str(path)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return random_set(tmp_path_factory.mktemp("set"))


@contextmanager
def running(data, forbidden):
    """Start the command in a process of its own, and yield its port and process."""
    command = [sys.executable, guarded_play.__file__, forbidden, "play", "--port", "0"]
    environment = os.environ | {"BROWSER": "true"}
    with subprocess.Popen(
        [*command, "--data", data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment,
    ) as process:  # fmt: skip
        try:
            yield int(process.stdout.readline().split(":")[2].partition("/")[0]), process
        finally:
            process.kill()


def ask(port, sent, connection=None):
    """Send one request; return the status and the text of the answer."""
    link = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        link.request(sent.method, sent.path, sent.body, sent.headers)
        answer = link.getresponse()
        return answer.status, answer.read().decode()
    finally:
        if connection is None:
            link.close()


def check(status, text, sent):
    assert status < 500, (sent, text)
    assert SECRET not in text and "root:x:" not in text, sent


def test_fuzzed_messages_are_refused_and_open_no_file(served, secret):
    client = client_of(served)
    opened, is_watching = [], [True]  # a hook stays for ever

    def watch(event, arguments):
        if is_watching and event == "open":
            opened.append(str(arguments[0]))

    sys.addaudithook(watch)
    seen = set()
    for sent in messages(250, 0, question_of(served), secret):
        answer = client.request(sent.method, sent.path, content=sent.body, headers=sent.headers)
        check(answer.status_code, answer.text, sent)
        seen.add(answer.status_code)
    is_watching.clear()
    assert seen >= {200, 403, 404, 405, 413, 415, 422}, "premise: messages of all kinds"
    assert not [path for path in opened if path == secret or "passwd" in path]


@pytest.mark.heavy
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_5000_fuzzed_messages_leave_the_memory_as_it_was(served, secret):
    good = question_of(served)
    with running(served_name(served), secret) as (port, process):
        for sent in messages(300, 1, good, secret):  # caches and threads as in use
            check_raw(port, sent)
        before = resident(process)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda sent: check_raw(port, sent), messages(5000, 2, good, secret)))
        growth = peak(process) - before
        assert process.poll() is None, process.stderr.read()
        assert growth <= GROWTH, growth


def check_raw(port, sent):
    # A message that is too long is refused before it is read: then the line may break.
    with suppress(BrokenPipeError, ConnectionResetError):
        check(*ask(port, sent), sent)


def served_name(served):
    return served.script.split("'")[1]


def resident(process):
    return memory_of(process, "VmRSS")


def peak(process):
    return memory_of(process, "VmHWM")


def memory_of(process, name):
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(name))
    return 1024 * int(line.split()[1])


def sessions(port, served, count, each):
    """Ask from `count` connections at once; return the statuses."""
    statuses, gate = [], threading.Barrier(count)

    def session(number):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        gate.wait()
        for turn in range(each):
            network = NETWORKS[(number + turn) % len(NETWORKS)]
            message = question_of(served, network, 10 + number % 5, source=turn % 10, steps=20)
            headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{port}"}
            connection.request("POST", "/api/retrieve", json.dumps(message), headers)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(session, range(count)))
    return statuses


@pytest.mark.heavy
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_350_new_memories_take_the_place_of_older_ones(tmp_path, secret):
    served = random_set(tmp_path, 1000, (28, 28))
    learned = [n for n in NETWORKS if n.get("rule") not in ("perceptron", "storkey")]  # these last

    def ask_with(number):
        network = learned[number % len(learned)]
        message = question_of(served, network, 1000 - number // len(learned), steps=20)
        body = json.dumps(message).encode()
        sent = Sent("POST", "/api/retrieve", body, {"Content-Type": "application/json"})
        assert ask(port, sent)[0] == 200

    with running(served_name(served), secret) as (port, process), ThreadPoolExecutor(50) as pool:
        list(pool.map(ask_with, range(100)))
        before = resident(process)
        list(pool.map(ask_with, range(100, 450)))
        growth = resident(process) - before
        assert growth <= GROWTH // 2, growth


@pytest.mark.heavy
def test_2000_retrievals_of_50_sessions_at_once(served, secret):
    with running(served_name(served), secret) as (port, _):
        assert sessions(port, served, 50, 40) == [200] * 2000


def test_some_sessions_at_once(served, secret):
    with running(served_name(served), secret) as (port, process):
        assert sessions(port, served, 8, 5) == [200] * 40
        # A slow or silent connection keeps nobody else waiting.
        silent = http.client.HTTPConnection("127.0.0.1", port)
        silent.putrequest("POST", "/api/retrieve")
        silent.putheader("Content-Length", "100")
        silent.endheaders()
        assert sessions(port, served, 1, 1) == [200]
        silent.close()
        assert process.poll() is None


def test_questions_beyond_those_that_may_wait_are_refused(served, monkeypatch):
    monkeypatch.setattr(server, "MOST_WAITING", 0)
    monkeypatch.setattr(server, "AT_ONCE", 1)
    busy, end = threading.Event(), threading.Event()

    def wait(*_):
        busy.set()
        end.wait(60)
        return {}

    monkeypatch.setattr(server.Library, "explain", wait)
    with client_of(served) as client, ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.post, "/api/explain", json=question_of(served))
        assert busy.wait(60)
        refused = client.post("/api/retrieve", json=question_of(served))
        end.set()
        assert first.result().status_code == 200
    assert refused.status_code == 503 and refused.headers["retry-after"] == "1"


def test_memories_are_kept_up_to_a_size():
    made = []
    kept = Recent(10)
    for key, size in [("a", 4), ("b", 4), ("a", 4), ("c", 4), ("a", 4), ("b", 4), ("d", 99)]:
        assert kept.get(key, size, lambda key=key: made.append(key) or torch.tensor(1)) is not None
    assert made == ["a", "b", "c", "b", "d"]
