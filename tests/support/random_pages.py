"""Random settings of the playground."""

import random
from typing import Any


def random_settings(source: random.Random) -> dict[str, Any]:
    """Return settings of any network, with cues that are drawn and pictures of a visitor."""
    network = source.choice(["classical", "dense", "modern"])
    data = source.choice(["digits", "digits", "shapes", "random"])
    size = 64 if data == "digits" else 256
    chosen: dict[str, Any] = {
        "network": network, "data": data, "count": source.randint(1, 8),
        "rule": source.choice(["hebbian", "covariance", "pseudo_inverse", "storkey", "perceptron"]),
        "schedule": source.choice(["asynchronous", "synchronous"]),
        "temperature": source.choice([0, 0, 0.5]), "k": source.randint(1, 5),
        "separation": source.choice(["softmax", "sparsemax", "entmax", "topk"]),
        "interaction": source.choice(["softmax", "polynomial", "rectified"]),
        "degree": source.randint(2, 6), "similarity": source.choice(["dot", "euclidean"]),
        "beta": source.choice([0.1, 0.5, 3, 20, "auto"]), "source": source.randint(0, 7),
        "hiddenAs": source.choice(["unknown", "first", "background"]),
        "seed": source.randint(0, 99),
        "clamp": source.random() < 0.7,
    }  # fmt: skip
    letters = "ABCDEFGHIJKLMNOPQ"
    if source.random() < 0.5:
        chosen["cue"] = "".join(source.choice(letters) for _ in range(size))
    if source.random() < 0.5:
        chosen["hidden"] = "".join(source.choice("AB") for _ in range(size))
    if source.random() < 0.3:
        chosen["own"] = "".join(source.choice(letters) for _ in range(size))
    return chosen
