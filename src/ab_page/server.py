"""The server of the page: few addresses, images by id only, everything that changes something is a POST of JSON."""

import hashlib
import json
import os
import socket
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ..common import UserError
from ..features import UnreadableImage
from ..ratings import KINDS
from .answers import about, all_images, state
from .gallery import Gallery
from .guard import Guard, is_loopback, new_token
from .model_view import ModelView
from .pictures import Pictures
from .reach import network_address
from .screens import Answer
from .session import FINISHED, Session
from .words import Words

STATIC = Path(__file__).parent / "static"
SCRIPTS = (
    "page",
    "shared",
    "dom",
    "server",
    "screens",
    "choosing",
    "keys",
    "zoom",
    "about",
    "all",
    "look",
    "notes",
    "report",
    "model",
)
PAGE = {
    "/": "index.html",
    **{f"/{name}.js": f"{name}.js" for name in SCRIPTS},
    "/style.css": "style.css",
    "/icon.svg": "icon.svg",
}
LONGEST = 10**9  # seconds: 30 years
LARGEST_REQUEST = 64 * 1024  # bytes


class Server:
    """One session on one address."""

    def __init__(
        self,
        session: Session,
        gallery: Gallery,
        host: str,
        listening: socket.socket,
        words: Words = Words(),  # noqa: B008
        model: ModelView = ModelView(),  # noqa: B008
    ) -> None:
        self._words, self._model = words, model
        self._session, self._gallery, self._listening = session, gallery, listening
        self._pictures = Pictures(gallery)
        self._name = hashlib.blake2b(os.fsencode(session.comparisons.path.resolve()), digest_size=8).hexdigest()
        self._tab = ""  # in which the session goes on; none yet
        port = listening.getsockname()[1]
        token = None if is_loopback(host) else new_token()
        self.address = _address(host, port, token)
        self.app = Guard(Starlette(routes=self._routes(), exception_handlers={UserError: _refuse}), host, port, token)
        config = uvicorn.Config(
            self.app,
            log_level="error",
            access_log=False,
            timeout_graceful_shutdown=2,
            server_header=False,
            ws="none",
            lifespan="off",  # there is nothing to begin or end; on, a second Ctrl-C would show a traceback of it
        )
        self._uvicorn = uvicorn.Server(config)

    def run(self, open_browser: bool) -> None:
        """Serve until the session is finished, or Ctrl-C or SIGTERM, which uvicorn raises again when it has ended."""
        if open_browser:
            webbrowser.open(self.address)  # the socket listens already, so that the browser only waits a moment
        self._uvicorn.run(sockets=[self._listening])

    def _routes(self) -> list[Route]:
        actions = {
            "answer": self._answer,
            "undo": lambda body: self._session.undo(_text(body, "step")),
            "exclude": lambda body: self._session.exclude(_whole(body, "image")),
            "include": lambda body: self._session.include(_whole(body, "image")),
            "next": lambda body: self._session.next_batch(),
            "model": lambda body: self._ask_for_model(),
            "finish": lambda body: self._session.finish(_text(body, "of")),
        }
        return [
            *(Route(path, _static(name), methods=["GET"]) for path, name in PAGE.items()),
            Route("/api/state", self._get_state, methods=["GET"]),
            *(Route(f"/api/{name}", self._action(act), methods=["POST"]) for name, act in actions.items()),
            Route("/api/gallery", self._get_gallery, methods=["GET"]),
            Route("/image/{image:int}/about", self._get_about, methods=["GET"]),
            Route("/api/model", lambda request: JSONResponse(self._model.page()), methods=["GET"]),
            Route("/preview/{image:int}", self._get_preview, methods=["GET"]),
            Route("/image/{image:int}", self._get_image, methods=["GET"]),
            Route("/image/{image:int}/full", self._get_image, methods=["GET"]),
        ]

    def _get_state(self, request: Request) -> Response:
        """Also makes the tab that asks the one in which the session goes on."""
        self._tab = request.query_params.get("tab", "")
        return JSONResponse(self._state(self._tab))

    def _state(self, tab: str) -> dict[str, Any]:
        ids = set(self._gallery.paths)
        return {**state(self._session, self._name, ids), **self._words.as_json(), "active": tab == self._tab}

    def _action(self, act: Callable[[Mapping[str, Any]], None]) -> Callable:
        async def endpoint(request: Request) -> Response:
            body = await _json(request)
            return await run_in_threadpool(self._act, act, body)

        return endpoint

    def _act(self, act: Callable[[Mapping[str, Any]], None], body: Mapping[str, Any]) -> Response:
        tab = _text(body, "tab")
        if body.get("gallery") != self._name:
            raise HTTPException(409, "this choice belongs to another gallery")
        if self._session.phase == FINISHED:
            raise HTTPException(503, "the session is finished")
        act(body)
        if self._session.phase == FINISHED:
            self._uvicorn.should_exit = True
        self._tab = self._tab or tab  # a page that was open when the scorer was started again
        return JSONResponse(self._state(tab))

    def _answer(self, body: Mapping[str, Any]) -> None:
        self._session.answer(_read_answer(body))

    def _ask_for_model(self) -> None:
        with self._session.lock:
            self._model.ask()

    def _get_preview(self, request: Request) -> Response:
        pictures, image = self._model.pictures, request.path_params["image"]
        try:
            if pictures is None:
                raise KeyError(image)
            data = pictures.scaled(image, _size(request, "width"), _size(request, "height"))
        except KeyError:
            raise HTTPException(404, "there is no such image")
        except UnreadableImage as error:
            raise HTTPException(422, f"can't be shown: {error.reason}")
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=600"})

    def _get_image(self, request: Request) -> Response:
        image = request.path_params["image"]
        if image not in self._gallery.paths:
            raise HTTPException(404, "there is no such image")
        try:
            if request.url.path.endswith("/full"):
                data = self._pictures.full(image)
            else:
                data = self._pictures.scaled(image, _size(request, "width"), _size(request, "height"))
        except UnreadableImage as error:
            self._leave_out(image, error.reason)
            raise HTTPException(422, f"can't be shown: {error.reason}")
        # An id stands for a content, so what was sent once stays right.
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400, immutable"})

    def _get_gallery(self, request: Request) -> Response:
        return JSONResponse({"images": all_images(self._session, self._gallery.paths)})

    def _get_about(self, request: Request) -> Response:
        image = request.path_params["image"]
        if image not in self._gallery.paths:
            raise HTTPException(404, "there is no such image")
        try:
            return JSONResponse(about(self._gallery, image))
        except UnreadableImage as error:
            raise HTTPException(422, f"can't be shown: {error.reason}")

    def _leave_out(self, image: int, reason: str) -> None:
        unchanged = self._gallery.is_unchanged(image)
        self._session.broken(image, reason if unchanged else None)
        self._session.note(f"{self._gallery.paths[image]} can't be shown and is left out: {reason}")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on the address; UserError if that can't be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.socket(family, socket.SOCK_STREAM)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where SO_REUSEADDR would let two share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        raise UserError(
            f"--host={host} --port={port}: can't listen there ({error.strerror}); is another scorer running? "
            "Close it, or choose another --port"
        )
    return listening


def _address(host: str, port: int, token: str | None) -> str:
    return f"http://{network_address(host)}:{port}/" + (f"?token={token}" if token else "")


def _static(name: str) -> Callable:
    async def endpoint(request: Request) -> Response:
        return FileResponse(
            STATIC / name, headers={"Cache-Control": "no-cache"}, media_type=_TYPES[Path(name).suffix]
        )

    return endpoint


_TYPES = {  # not from the system's table, which on Windows may say that scripts are plain text
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


def _refuse(request: Request, error: Exception) -> Response:
    # A database that can't be written now may be later: the page keeps what it has, and tries again.
    return PlainTextResponse(str(error), 503 if error.__cause__ else 400)


async def _json(request: Request) -> Mapping[str, Any]:
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise HTTPException(415, "JSON is wanted")
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > LARGEST_REQUEST:
            raise HTTPException(413, "too large")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise HTTPException(400, "this is no JSON")
    if not isinstance(body, dict):
        raise HTTPException(400, "a JSON object is wanted")
    return body


def _read_answer(body: Mapping[str, Any]) -> Answer:
    shown, winner, seconds = body.get("shown"), body.get("winner"), body.get("seconds")
    if not isinstance(shown, list) or not all(_is_whole(image) for image in shown):
        raise HTTPException(400, "shown must be a list of image ids")
    if not (winner is None or _is_whole(winner)):
        raise HTTPException(400, "winner must be an image id or null")
    if not (seconds is None or _is_time(seconds)):
        raise HTTPException(400, f"seconds must be a number from 0 to {LONGEST}, or null")
    if (kind := _text(body, "kind")) not in KINDS:
        raise HTTPException(400, f"kind must be one of {', '.join(KINDS)}")
    return Answer(_text(body, "screen"), tuple(shown), kind, winner, seconds, _text(body, "id"))


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 100 or not _is_utf8(value):
        raise HTTPException(400, f"{name} must be a text of 1 to 100 characters")
    return value


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can say and no file can keep
        return False
    return True


def _is_time(value: object) -> bool:
    # Compared, not converted: a whole number may be too large for a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST


def _whole(body: Mapping[str, Any], name: str) -> int:
    if not _is_whole(body.get(name)):
        raise HTTPException(400, f"{name} must be an image id")
    return body[name]


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63


def _size(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 6):
        raise HTTPException(400, f"{name} must be a number of pixels")
    return int(text)
