"""The server of the page: answers of the library, and refusals of what is not from the page."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from hopfield import Cue, diagnose, explain
from hopfield_play import answers, digits, golden, server
from hopfield_play.networks import memory_of
from served import ADDRESS, MODERN, NETWORKS, client_of, question_of, random_set, unpacked

# The command ignores them too: the page shows which patterns are lost.
pytestmark = pytest.mark.filterwarnings("ignore::hopfield.CapacityWarning")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    return random_set(tmp_path_factory.mktemp("set"))


@pytest.fixture(scope="module")
def client(served):
    return client_of(served)


def memory_with(network, rows):
    memory = memory_of(network)
    memory.store(torch.where(rows >= 0.5, 1.0, -1.0).double() if memory.binary else rows.double())
    return memory


@pytest.mark.parametrize("network", NETWORKS, ids=str)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("evidence", ["known", "all"])
def test_answers_are_those_of_the_library(client, served, network, known, evidence):
    evidence = evidence if known and network["kind"] == "modern" else "known"
    message = question_of(served, network, steps=20, seed=5, evidence=evidence)
    cue = Cue(torch.tensor(message["cue"], dtype=torch.float64))
    if known:
        cue = Cue(cue.state, torch.tensor(message["known"]).bool())
    else:
        message["known"] = None
    memory = memory_with(network, served.rows[:10])
    source = torch.Generator().manual_seed(5)
    clamp = True if known else None
    expected = memory.retrieve(
        cue, clamp=clamp, evidence=evidence, steps=20, trace="states", generator=source
    )
    answer = client.post("/api/retrieve", json=message).json()
    assert answer["steps"] == int(expected.steps) and answer["index"] == int(expected.index)
    assert answer["converged"] == bool(expected.converged)
    states = unpacked(answer["states"]).reshape(-1, 64)
    torch.testing.assert_close(states[-1].double(), expected.state, rtol=0, atol=1e-6)
    assert len(states) == len(answer["energies"]) == len(answer["strongest"]) == len(expected.trace)
    torch.testing.assert_close(
        torch.tensor(answer["energies"], dtype=torch.float64), expected.trace
    )
    counted = None if memory.binary or evidence == "all" else cue.known
    weights = golden._weights(memory, memory.patterns, expected.state, counted)
    order = torch.tensor(weights, dtype=torch.float64).abs().sort(descending=True).values[:5]
    found = torch.tensor(
        [abs(one["weight"]) for one in answer["strongest"][-1]], dtype=torch.float64
    )
    torch.testing.assert_close(found, order)


def test_the_kind_of_end_is_that_of_explain(client, served):
    kinds = set()
    blurred = MODERN | {"separation": {"name": "softmax", "beta": 0.05}}
    for network in [*NETWORKS, blurred]:
        for number in range(20):
            message = question_of(served, network, 4, source=number % 4)
            if number % 2:
                message["cue"] = [-value for value in message["cue"]]
            if number == 2 and network["kind"] != "modern":
                mixed = torch.where(served.rows[:3] >= 0.5, 1.0, -1.0).sum(0).sign()
                message |= {"cue": mixed.tolist(), "known": [1] * 64}  # held as it is
            answer = client.post("/api/retrieve", json=message).json()
            if answer["end"]["kind"] == "cycle" or network.get("temperature"):
                continue
            state = torch.tensor(message["cue"], dtype=torch.float64)
            cue = Cue(state, torch.tensor(message["known"]).bool())
            expected = explain(memory_with(network, served.rows[:4]), cue)
            assert answer["end"]["kind"].replace("none", "spurious") == expected.kind
            kinds.add((expected.kind, network["kind"]))
    assert len(kinds) >= 7, "premise: several kinds of ends"


def test_explanations_and_diagnoses_are_those_of_the_library(client, served):
    message = question_of(served)
    memory = memory_with(MODERN, served.rows[:10])
    cue = Cue(torch.tensor(message["cue"]).double(), torch.tensor(message["known"]).bool())
    assert client.post("/api/explain", json=message).json()["text"] == str(explain(memory, cue))
    about = {"network": MODERN, "count": 10}
    assert client.post("/api/diagnose", json=about).json()["text"] == str(diagnose(memory))


def test_own_pictures_are_stored_behind_the_set(client, served):
    own = digits.encode([16] * 20 + [0] * 44)
    cue = [1.0] * 20 + [0.0] * 44
    message = question_of(served, cue=cue, known=None, pictures=[own], source=10)
    answer = client.post("/api/retrieve", json=message).json()
    assert answer["index"] == 10 and answer["end"]["isRight"] is True
    assert client.post("/api/retrieve", json=message | {"pictures": [own[:-1]]}).status_code == 422


def test_rows_that_fill_no_square_are_answered_entry_by_entry(tmp_path):
    served = random_set(tmp_path, 12, (10,))
    assert (served.square.side, served.square.is_full) == (4, False)
    cue = served.square.pixels_of(served.rows[3]).double()
    network = MODERN | {"separation": {"name": "softmax", "beta": 40.0}}
    message = question_of(served, network, known=None, cue=cue.tolist())
    answer = client_of(served).post("/api/retrieve", json=message).json()
    state = unpacked(answer["states"]).reshape(-1, 16)[-1]
    assert state[10:].eq(0).all() and answer["index"] == 3
    memory = memory_with(network, served.rows[:10])
    expected = memory.retrieve(served.rows[3].double())
    torch.testing.assert_close(state[:10].double(), expected.state, rtol=0, atol=1e-6)
    tall = random_set(tmp_path, 3, (4, 2))
    square = tall.square.pixels_of(tall.rows).reshape(3, 4, 4)
    assert square[:, :, 1:3].flatten(1).equal(tall.rows) and square[:, :, 0].eq(0).all()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:80",
                                  "localhost.evil.example:8000", ""])  # fmt: skip
def test_other_hosts_are_refused(client, host):
    for path in ("/", "/api/data"):
        assert client.get(path, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8000",
                                    "http://127.0.0.1:8001", ""])  # fmt: skip
def test_other_origins_are_refused(client, served, origin):
    for path in ("retrieve", "explain", "diagnose", "picture"):
        headers = {"Origin": origin}
        answer = client.post(f"/api/{path}", json=question_of(served), headers=headers)
        assert answer.status_code == 403, path


def test_own_origin_and_both_names_are_accepted(client, served):
    for name in ("127.0.0.1:8000", "localhost:8000"):
        headers = {"Host": name, "Origin": f"http://{name}"}
        answer = client.post("/api/retrieve", json=question_of(served), headers=headers)
        assert answer.status_code == 200


def test_port_80_is_left_out_by_browsers(served):
    client = TestClient(server.application(served), base_url="http://127.0.0.1")
    for name, status in (("127.0.0.1", 200), ("localhost", 200), ("evil.example", 403)):
        headers = {"Host": name, "Origin": f"http://{name}"}
        assert client.get("/api/data", headers=headers).status_code == status


def test_forms_of_other_pages_are_refused(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = client.post("/api/retrieve", content="{}", headers={"Content-Type": kind})
        assert answer.status_code == 415
        assert client.post("/api/picture", content="{}", headers={"Content-Type": kind}).is_error


def test_long_messages_are_refused_before_they_are_read(client):
    def parts():
        for _ in range(server.MOST_UPLOAD // 2**16 + 1):
            yield b"x" * 2**16
        raise AssertionError("read to its end")

    for path, most in (("retrieve", server.MOST_BODY), ("picture", server.MOST_UPLOAD)):
        headers = {"Content-Type": "application/json"}
        whole = client.post(f"/api/{path}", content=b" " * (most + 1), headers=headers)
        assert whole.status_code == 413 and str(most) in whole.json()["error"]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"count": -1}, "count"), ({"count": 31}, "count"), ({"count": 0}, "count"),
        ({"cue": [0.0] * 63}, "64"), ({"known": [1] * 63}, "64"), ({"known": []}, "64"),
        ({"known": [2] * 64}, "known"),
        ({"cue": [1e300] * 64}, "cue"), ({"steps": 0}, "steps"), ({"steps": 1000}, "steps"),
        ({"seed": -1}, "seed"), ({"network": {"kind": "modern"}}, "network"),
        ({"network": MODERN | {"kind": "other"}}, "kind"), ({"more": 1}, "more"),
        ({"network": MODERN | {"rule": "hebbian"}}, "rule"),
        ({"pictures": ["!"]}, "pictures"), ({"pictures": ["z" * 4096]}, "pixels"),
        ({"pictures": ["A"] * 41}, "pictures"),
    ],
)  # fmt: skip
def test_wrong_messages_are_refused_in_one_line(client, served, changes, word):
    answer = client.post("/api/retrieve", json=question_of(served) | changes)
    assert answer.status_code == 422 and word in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_work_without_end_is_refused(tmp_path, monkeypatch):
    served = random_set(tmp_path, 3000, (20, 20))
    client = client_of(served)
    least = dict.fromkeys(answers.MOST_LEARNED, 2000 * 400**2)
    monkeypatch.setattr(answers, "MOST_LEARNED", least)
    for rule, status in (("storkey", 422), ("pseudo_inverse", 422), ("hebbian", 200)):
        network = {"kind": "classical", "rule": rule}
        answer = client.post("/api/retrieve", json=question_of(served, network, 3000, steps=1))
        assert answer.status_code == status and (status == 200 or "2000" in answer.text), rule
    answer = client.post("/api/diagnose", json={"network": MODERN, "count": 3000})
    assert answer.status_code == 422 and "2048" in answer.json()["error"]


def test_pictures_are_read_by_the_library(client):
    pixels = np.full((40, 40), 65535, np.uint16)
    pixels[:20] = 1000
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "TIFF")  # no browser reads it
    headers = {"Content-Type": "application/octet-stream"}
    answer = client.post("/api/picture", content=file.getvalue(), headers=headers)
    light = unpacked(answer.json()["light"])
    torch.testing.assert_close(light, torch.tensor([1000 / 65535] * 32 + [1.0] * 32))


def test_the_page_lets_no_other_script_run(client):
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "script-src 'sha256-" in policy and "unsafe-inline" not in policy.split("style-src")[0]
    assert "connect-src 'self'" in answer.text and 'data-page="served"' in answer.text
    for path in ("/docs", "/openapi.json", "/..%2f..%2fetc/passwd", "/etc/passwd", "//etc/passwd"):
        assert client.get(path).status_code == 404
    assert client.get("/", headers={"Origin": ADDRESS}).status_code == 200
