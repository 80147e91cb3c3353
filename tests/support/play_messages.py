"""Messages to the server of the playground that no page would send: wrong, large and hostile."""

import io
import json
import random
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

JSON, BYTES = "application/json", "application/octet-stream"
PATHS = ("/api/retrieve", "/api/explain", "/api/diagnose")
SCRIPT = "<script>globalThis.stolen = 1</script>"


class Sent(NamedTuple):
    """One request."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


def messages(count: int, seed: int, good: dict, file: str) -> Iterator[Sent]:
    """Yield requests made from a good message; `file` is one that must never be opened."""
    source = random.Random(seed)
    kinds = (wrong_field, wrong_field, wrong_text, upload, address)
    for _ in range(count):
        yield source.choice(kinds)(source, good, file)


def wrong_field(source: random.Random, good: dict, file: str) -> Sent:
    """Replace one value anywhere in the message."""
    message = json.loads(json.dumps(good))
    place = message
    for _ in range(source.randint(0, 2)):
        inside = [value for value in place.values() if isinstance(value, dict)]
        place = source.choice(inside) if inside else place
    value = source.choice(VALUES)
    value = file if value == "FILE" else value
    key = source.choice([*place, "pictures", "path", "steps", "seed", "__proto__"])
    if isinstance(place.get(key), list) and source.random() < 0.5:
        place[key][source.randrange(len(place[key]))] = value
    else:
        place[key] = value
    return Sent("POST", source.choice(PATHS), json.dumps(message).encode(), {"Content-Type": JSON})


VALUES = [
    None, True, "", "FILE", SCRIPT, "../../../../etc/passwd", "A" * 70, "z" * 4096, "\0", "٣",
    -1, 0, 1, 63, 1e308, -1e308, 10**30, 2**63, -(2**31), 1e-320, 0.5, [], {}, [[]] * 9, [0] * 64,
    [-1] * 64, [1e6] * 64, ["FILE"], float("nan"), float("inf"), -float("inf"), [float("nan")] * 64,
    {"name": "softmax", "beta": -1}, {"name": "softmax", "beta": float("nan")},
    {"name": "polynomial", "degree": 20}, {"name": "topk", "k": 0},
    {"name": "topk", "k": 9, "beta": 0},
    {"kind": "classical", "rule": "storkey"}, {"kind": "dense"}, {"kind": "modern", "rule": "FILE"},
    {"kind": "classical", "rule": "hebbian", "temperature": 1e-300, "schedule": "synchronous"},
    ["b" * 32] * 3, ["Q" * 64] * 40, [SCRIPT],
]  # fmt: skip


def wrong_text(source: random.Random, good: dict, file: str) -> Sent:
    """Damage the text of the message, or send another text."""
    text = json.dumps(good).encode()
    choice = source.randrange(6)
    if choice == 0:
        text = text[: source.randrange(len(text))]
    elif choice == 1:
        at = source.randrange(len(text))
        text = text[:at] + bytes([source.randrange(256)]) + text[at + 1 :]
    elif choice == 2:
        text = b"[" * source.choice([10, 5000, 100_000])
    elif choice == 3:
        text = source.randbytes(source.choice([0, 10, 10_000]))
    elif choice == 4:
        text = b" " * source.choice([2**20, 2**20 + 1, 2**22])
    else:
        text = json.dumps({"cue": SCRIPT, "path": file}).encode()
    kind = source.choice([JSON, JSON, JSON, "text/plain", "", f"multipart/form-data; name={file}"])
    return Sent("POST", source.choice(PATHS), text, {"Content-Type": kind})


def upload(source: random.Random, good: dict, file: str) -> Sent:
    """Send a picture, a bomb, or a damaged one, under a name that leads elsewhere."""
    content = source.choice(UPLOADS)(source)
    if source.random() < 0.3 and content:
        at = source.randrange(len(content))
        content = content[:at] + source.randbytes(4) + content[at + 4 :]
    headers = {"Content-Type": source.choice([BYTES, BYTES, BYTES, "image/png"])}
    headers["Content-Disposition"] = f'form-data; filename="../../..{file}"'
    return Sent("POST", "/api/picture", content, headers)


def picture(source: random.Random) -> bytes:
    """Return a small picture in some format."""
    written = io.BytesIO()
    side = source.choice([1, 8, 100])
    pixels = np.frombuffer(source.randbytes(side * side * 3), np.uint8).reshape(side, side, 3)
    Image.fromarray(pixels).save(written, source.choice(["PNG", "JPEG", "GIF", "BMP", "TIFF"]))
    return written.getvalue()


def bomb(source: random.Random) -> bytes:
    """Return a PNG of some kilobytes that unpacks to some hundred megabytes, or says so."""
    width, height = source.choice([(20_000, 20_000), (2**31 - 1, 1), (0, 0), (2500, 2500)])
    line = b"\0" * (1 + width // 8) if width < 2**20 else b""
    pixels = zlib.compress(line * min(height, 3000), 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", pixels), (b"IEND", b"")
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


UPLOADS = (
    picture, picture, bomb,
    lambda source: source.randbytes(source.choice([0, 100, 100_000])),
    lambda source: b"<svg><script>" + SCRIPT.encode() + b"</script></svg>",
    lambda source: b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) (r) file\n",
    lambda source: b"P6 -1 -1 255\n", lambda source: b"P6 100000 100000 255\n",
    lambda source: b"\0" * (2**23 + source.choice([0, 1])),
)  # fmt: skip


def address(source: random.Random, good: dict, file: str) -> Sent:
    """Ask for a file, by another method, or as another page."""
    up = source.choice(["..", "%2e%2e", "..%2f..", "....//", "..\\"])
    paths = [file, f"/{up}/{up}/{up}{file}", f"/api/{up}{file}", f"/?data={file}", "/api/data"]
    headers = source.choice([
        {"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}, {},
        {"Cookie": "a" * 5000}, {"X-Forwarded-Host": "127.0.0.1", "Referer": SCRIPT}, {"Host": ""},
    ])  # fmt: skip
    method = source.choice(["GET", "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST"])
    return Sent(method, source.choice([*paths, "/", *PATHS]), b"", headers)
