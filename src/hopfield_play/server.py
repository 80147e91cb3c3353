"""The served page: the playground and the library behind it, for this computer only."""

import base64
import hashlib
import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hopfield import HopfieldError

from . import build
from .answers import Answer, Library, packed
from .connections import HOST, SECONDS, PromptProtocol, listen
from .questions import CueQuestion, MemoryQuestion
from .served_set import ServedSet
from .uploads import light_of

NAMES = (HOST, "localhost")
"""Names of this computer in the headers Host and Origin. Other pages use other names."""

MOST_BODY, MOST_UPLOAD = 2**20, 2**23
"""Largest size of a message and of an uploaded picture, in bytes."""

AT_ONCE, MOST_WAITING = 2, 100
"""Number of questions that are answered at the same time, and that may wait. More get 503."""

MOST_CONNECTIONS = 400
"""Number of connections from which on all get 503."""

HELD = 1000, 2**20
"""Largest number of patterns, and of their entries, that the page holds itself."""


@dataclass
class Refusal(Exception):
    """A request that is refused: a status of HTTP, and the reason."""

    status: int
    reason: str


class Guard:
    """Refuses requests of other pages, and messages that are too long or too slow."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, read its body, and pass it on."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        try:
            check_headers(scope)
            body = await self._body(scope, receive)
        except Refusal as refusal:
            return await _refused(refusal.status, refusal.reason)(scope, receive, send)

        async def given() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, given, send)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        most = MOST_UPLOAD if scope["path"] == "/api/picture" else MOST_BODY
        parts, size = [], 0
        with anyio.move_on_after(SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "The message ended early.")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise Refusal(413, f"A message may have up to {most} bytes.")
                if not message.get("more_body"):
                    return b"".join(parts)
        raise Refusal(408, f"A message must come within {SECONDS} seconds.")


def check_headers(scope: Scope) -> None:
    """Refuse requests whose Host or Origin is not this server."""
    headers = [(name, value.decode("latin-1")) for name, value in scope["headers"]]
    hosts = [value for name, value in headers if name == b"host"]
    port = scope["server"][1] if scope.get("server") else None
    allowed = {f"{name}:{port}" for name in NAMES}
    if port == 80:  # browsers leave it out
        allowed.update(NAMES)
    if len(hosts) != 1 or hosts[0] not in allowed:
        raise Refusal(403, "The header Host must be the address of this server.")
    origins = [value for name, value in headers if name == b"origin"]
    if any(origin.removeprefix("http://") not in allowed for origin in origins):
        raise Refusal(403, "The header Origin must be the address of this server.")


def _refused(status: int, reason: str) -> Response:
    headers = {"Retry-After": "1"} if status == 503 else None
    return _json({"error": reason}, status, headers)


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = json.dumps(content, allow_nan=False)
    return Response(text, status, headers, "application/json")


def application(served: ServedSet) -> FastAPI:
    """Return the application that serves the page and its API."""
    app = FastAPI(openapi_url=None)
    app.add_middleware(Guard)
    library, desk = Library(served), Desk()
    page, policy = served_page()
    described = _json(describe(served)).body

    @app.get("/")
    async def show_page() -> Response:
        headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
        return Response(page, headers=headers, media_type="text/html")

    @app.get("/api/data")
    async def show_data() -> Response:
        return Response(described, media_type="application/json")

    @app.post("/api/retrieve")
    async def retrieve(request: Request) -> Response:
        return await desk.ask(library.retrieve, await _read(request, CueQuestion))

    @app.post("/api/explain")
    async def explain(request: Request) -> Response:
        return await desk.ask(library.explain, await _read(request, CueQuestion))

    @app.post("/api/diagnose")
    async def diagnose(request: Request) -> Response:
        return await desk.ask(library.diagnose, await _read(request, MemoryQuestion))

    @app.post("/api/picture")
    async def picture(request: Request) -> Response:
        if not request.headers.get("content-type", "").startswith("application/octet-stream"):
            raise Refusal(415, "The content type must be application/octet-stream.")
        content = await request.body()
        return await desk.ask(lambda c: {"light": packed(light_of(c, served.square.side))}, content)

    @app.exception_handler(Refusal)
    async def refuse(_: Request, refusal: Refusal) -> Response:
        return _refused(refusal.status, refusal.reason)

    return app


async def _read(request: Request, kind: type[BaseModel]) -> Any:
    # Forms of other pages cannot send this type without a question to the server first.
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Refusal(415, "The content type must be application/json.")
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the message"
        raise Refusal(422, f"{place}: {first['msg']}.") from None


class Desk:
    """Answers a few questions at a time; others wait, and those beyond are refused."""

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None

    async def ask(self, answer: Callable[[Any], Answer], question: object) -> Response:
        """Return the answer to a question, computed in a thread."""
        if self._limiter is None:  # needs a running loop
            self._limiter = anyio.CapacityLimiter(AT_ONCE)
        waiting = self._limiter.statistics().tasks_waiting
        if self._limiter.available_tokens < 1 and waiting >= MOST_WAITING:
            raise Refusal(503, "Too many questions wait. Ask again later.")
        work: Callable[[], Answer] = lambda: answer(question)  # noqa: E731
        try:
            return _json(await anyio.to_thread.run_sync(work, limiter=self._limiter))
        except HopfieldError as error:
            raise Refusal(422, str(error)) from None


def describe(served: ServedSet) -> Answer:
    """Return what the page needs to know of the set, with the patterns that it holds itself."""
    total, dim = served.rows.shape
    most, entries = HELD
    held = min(total, most, max(1, entries // dim))
    return {
        "title": served.title, "total": total, "dim": dim, "side": served.square.side,
        "isSquare": served.square.is_full, "labels": list(served.labels[:held]),
        "values": packed(served.square.pixels_of(served.rows[:held])),
        "script": served.script, "crop": served.square.crop(), "settings": served.start.settings,
        "notes": list(served.start.notes),
    }  # fmt: skip


def served_page() -> tuple[str, str]:
    """Return the page that asks this server, and its policy: no script but that of the page."""
    page = build.page(served=True)
    script = page.rpartition('<script type="module">')[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
        "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return page, policy


def server_of(served: ServedSet) -> uvicorn.Server:
    """Return a server of the page and its API, which `run` starts on sockets."""
    config = uvicorn.Config(
        application(served), http=PromptProtocol, ws="none", log_level="warning", lifespan="off",
        limit_concurrency=MOST_CONNECTIONS, timeout_keep_alive=SECONDS, server_header=False,
    )  # fmt: skip
    return uvicorn.Server(config)


def serve(served: ServedSet, port: int, on_start: Callable[[str], Any]) -> None:
    """Serve the page until Ctrl-C; `on_start` gets its address."""
    # The page shows which patterns are lost; Pillow warns of details of files that it can read.
    warnings.simplefilter("ignore")
    sock = listen(port)
    on_start(f"http://{HOST}:{sock.getsockname()[1]}/")
    server_of(served).run(sockets=[sock])
