"""Who may ask: this page on this computer; with --host, whoever has the token. See docs/choosing.md."""

import ipaddress
import secrets
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), display-capture=()",
}
NAMES_OF_THIS_COMPUTER = ("localhost", "127.0.0.1", "[::1]")


def is_loopback(host: str) -> bool:
    """Can only this computer reach a server at `host`?"""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def new_token() -> str:
    """For the address that is printed: 128 bits."""
    return secrets.token_urlsafe(16)


class Guard:
    """Puts the security headers on every answer, and refuses requests with a foreign Host (400), from a foreign page
    or without the token (403) before they reach the app."""

    def __init__(self, app: ASGIApp, host: str, port: int, token: str | None) -> None:
        """host, port: where the server listens. token: None on a loopback address."""
        self._app, self._port, self._token = app, port, token
        self._hosts = _host_names(host)
        self._any_address = token is not None and _is_unspecified(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        given = self._token is not None and self._token_in_query(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                if given:
                    headers["Set-Cookie"] = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Strict"
            await send(message)

        refusal = self._refusal(scope, given)
        await (refusal or self._app)(scope, receive, send_guarded)

    @property
    def _cookie(self) -> str:
        return f"aesthetic_ab_{self._port}"  # cookies don't know ports; two scorers must not share one

    def _refusal(self, scope: Scope, token_given: bool) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_own_host(hosts[0]):
            return PlainTextResponse("This address isn't the one that the scorer printed.\n", 400)
        if not scope["query_string"].isascii():
            return PlainTextResponse("An address holds ASCII alone.\n", 400)
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{hosts[0]}":
            return PlainTextResponse("Another page asked for this.\n", 403)
        # Pages elsewhere may link to this one, and nothing more: not embed its images, not post to it.
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if foreign and not (scope["path"] == "/" and headers.get("sec-fetch-mode") == "navigate"):
            return PlainTextResponse("Another page asked for this.\n", 403)
        if self._token is not None and not token_given and not self._token_in_cookie(headers):
            return PlainTextResponse("Open the whole address that the scorer printed, with its token.\n", 403)
        return None

    def _is_own_host(self, text: str) -> bool:
        name, colon, port = text.rpartition(":")
        if not colon or port != str(self._port):
            name = text if self._port == 80 and (not colon or text.endswith("]")) else ""
        return name.lower() in self._hosts or (self._any_address and _is_address(name))

    def _token_in_query(self, scope: Scope) -> bool:
        values = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        return scope["path"] == "/" and any(self._is_token(value) for value in values)

    def _token_in_cookie(self, headers: Headers) -> bool:
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return False
        return self._cookie in cookies and self._is_token(cookies[self._cookie].value)

    def _is_token(self, text: str) -> bool:
        return secrets.compare_digest(text.encode(), (self._token or "").encode())


def _host_names(host: str) -> set[str]:
    if is_loopback(host):
        return {*NAMES_OF_THIS_COMPUTER, _bracketed(host)}
    if _is_unspecified(host):
        name = socket.gethostname().lower()
        return {*NAMES_OF_THIS_COMPUTER, name, f"{name}.local"}
    return {_bracketed(host).lower()}


def _is_unspecified(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def _is_address(name: str) -> bool:
    # Numbers, not names: a foreign page can make its own name point here, but not a number (DNS rebinding).
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        return True
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
