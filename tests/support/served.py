"""The served page for tests: an application of random pictures, and messages to it."""

import base64

import numpy as np
import torch
from starlette.testclient import TestClient

from hopfield_play.served_set import ServedSet, load_set
from hopfield_play.server import application

ADDRESS = "http://127.0.0.1:8000"

NETWORKS = [
    *({"kind": "classical", "rule": rule, "schedule": schedule, "temperature": temperature}
      for rule, schedule, temperature in [
          ("hebbian", "asynchronous", 0.0), ("pseudo_inverse", "synchronous", 0.0),
          ("storkey", "asynchronous", 0.0), ("covariance", "asynchronous", 0.5),
          ("perceptron", "synchronous", 0.0)]),
    *({"kind": "dense", "schedule": "synchronous", "separation": separation}
      for separation in [{"name": "softmax", "beta": 1.0}, {"name": "rectified", "degree": 3}]),
    *({"kind": "modern", "similarity": similarity, "separation": separation}
      for similarity, separation in [
          ("euclidean", {"name": "softmax", "beta": 4.0}), ("dot", {"name": "entmax", "beta": 2.0}),
          ("euclidean", {"name": "topk", "beta": "auto", "k": 3}),
          ("euclidean", {"name": "sparsemax", "beta": 2.0})]),
]  # fmt: skip
MODERN = NETWORKS[7]


def client_of(served: ServedSet) -> TestClient:
    """Return a client of the application; errors inside it are those of a server, 500."""
    return TestClient(application(served), base_url=ADDRESS, raise_server_exceptions=False)


def random_set(folder, count=30, shape=(8, 8), seed=0) -> ServedSet:
    """Save random pictures as an array, and load them as the command does."""
    generator = torch.Generator().manual_seed(seed)
    file = folder / f"random-{count}-{'x'.join(map(str, shape))}.npy"
    np.save(file, torch.rand(count, *shape, generator=generator).numpy())
    return load_set(str(file))


def question_of(served: ServedSet, network=MODERN, count=10, source=3, **changes):
    """Return a message: the upper half of pattern `source` is known."""
    pixels = served.square.side**2
    cue = served.square.pixels_of(served.rows[source]).double()
    known = (torch.arange(pixels) < pixels // 2).long()
    if network["kind"] != "modern":
        cue = torch.where(cue >= 0.5, 1.0, -1.0)
    return {"network": network, "count": count, "cue": (cue * known).tolist(),
            "known": known.tolist(), "source": source} | changes  # fmt: skip


def unpacked(text: str) -> torch.Tensor:
    """Return values that the server has packed."""
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.float32)
