"""A small server of the report, for a study that may be running.

The page asks for news and draws them. It answers three paths and writes nothing: the page, its
data, and its state (a few numbers, asked for every two seconds). It serves no file of the folder.
By default it listens on this machine alone. It answers to known host names only, so no script of
another site can read it through a name that points here (DNS rebinding).
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from wiring_search.report.data import RANDOM, report_data
from wiring_search.report.page import as_json
from wiring_search.store import Store, exists

# A page is kept for so many times the seconds that it took to make: the server of a large study
# leaves most of a core to the search.
_REST = 4.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


# Networks that the page can run, as `wiring_search.report.player` makes them, out of a store.
Play = Callable[[Store], dict[str, Any]]


class Live:
    """A study's current data, computed anew when the store has changed. Threads may share it."""

    def __init__(self, folder: Path, play: Play) -> None:
        self._folder = folder
        self._play = play
        self._lock = threading.Lock()
        self._data: dict[str, Any] = {}
        self._played: dict[str, Any] = {}
        self._rests_until = 0.0

    def state(self) -> dict[str, Any]:
        """Return a few numbers about the study.

        Returns:
            `version` of the current `data`, trials that have `finished`, and whether the study has
            `ended`.
        """
        with closing(Store.open(self._folder)) as store:
            finished = sum(finished is not None for _, finished in store.times().values())
            version = self._version(store)
            ended = store.ended is not None
        with self._lock:
            if self._data and time.monotonic() < self._rests_until:
                version = self._data["version"]
        return {"version": version, "finished": finished, "ended": ended}

    def data(self) -> dict[str, Any]:
        """Return `report_data`, and its version."""
        with self._lock, closing(Store.open(self._folder)) as store:
            version = self._version(store)
            if not self._data or (
                version != self._data["version"] and time.monotonic() >= self._rests_until
            ):
                begun = time.monotonic()
                self._data = {**report_data(store), "version": version}
                self._rests_until = time.monotonic() + _REST * (time.monotonic() - begun)
            return self._data

    def page(self) -> dict[str, Any]:
        """Return the data, and networks to play.

        A change of the store does not change the networks of an open page: its reader may be in the
        midst of one.
        """
        data = self.data()
        with self._lock, closing(Store.open(self._folder)) as store:
            if self._played.get("version") != data["version"]:
                self._played = {"version": data["version"], "play": self._play(store)}
            return {**data, "play": self._played["play"]}

    def _version(self, store: Store) -> str:
        """Another one whenever a report would show something else."""
        beside = self._folder / RANDOM
        if not exists(beside):
            return store.version()
        with closing(Store.open(beside)) as random:
            return f"{store.version()} {random.version()}"


def server(
    folder: Path, host: str = "127.0.0.1", port: int = 8000, play: Play = lambda store: {}
) -> ThreadingHTTPServer:
    """Return a server that listens; `serve_forever` answers.

    Args:
        folder: The run folder.
        host: The address to listen on.
        port: The port; 0 takes any that is free (`server_port` says which).
        play: Makes the networks that can be run in a page when it is loaded; none by default.

    Raises:
        ValueError: `folder` holds no study, or the address cannot be listened on.
    """
    from wiring_search.report import report_page

    live = Live(folder, play)
    live.state()

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version, timeout = "wiring-search", "", 30.0
        answers: dict[str, tuple[str, Callable[[], str]]] = {
            "/": ("text/html", lambda: report_page(live.page())),
            "/data.json": ("application/json", lambda: as_json(live.data())),
            "/state.json": ("application/json", lambda: as_json(live.state())),
        }

        def do_GET(self) -> None:
            kind, make = self.answers.get(self.path.partition("?")[0], ("", None))
            if not _is_own_name(self.headers.get("Host", ""), host):
                self._say(
                    HTTPStatus.FORBIDDEN,
                    "text/plain",
                    "This server answers to its own name alone: localhost, or an address.\n",
                )
            elif make is None:
                self._say(
                    HTTPStatus.NOT_FOUND,
                    "text/plain",
                    f"There is {', '.join(self.answers)} here, and nothing else.\n",
                )
            else:
                try:
                    text = make()
                except (ValueError, OSError) as fault:
                    self._say(
                        HTTPStatus.SERVICE_UNAVAILABLE,
                        "text/plain",
                        f"The study cannot be read now: {fault}\n",
                    )
                else:
                    self._say(HTTPStatus.OK, kind, text)

        do_HEAD = do_GET

        def _say(self, status: HTTPStatus, kind: str, text: str) -> None:
            body = text.encode("utf-8")
            self.send_response(status)
            for name, value in {
                **_HEADERS,
                "Content-Type": f"{kind}; charset=utf-8",
                "Content-Length": str(len(body)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing: a page asks every two seconds."""

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    try:
        return Server((host, port), Handler)
    except (OSError, OverflowError) as fault:
        raise ValueError(
            f"cannot listen on port {port} of {host} ({fault}); give another one with --port (0: "
            "any that is free), or --host"
        ) from None


def _is_own_name(given: str, host: str) -> bool:
    """Whether a Host header names this server.

    It does for an address, localhost, the host that it listens on, and this machine's name. A
    rebound name is none of them.
    """
    name = given.rpartition(":")[0] if given.rpartition(":")[2].isdigit() else given
    name = name.strip("[]").lower().rstrip(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in {"localhost", host.lower(), socket.gethostname().lower()}
    return True
