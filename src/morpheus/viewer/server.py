"""A server for this machine alone: it gives what a page asks for, and takes nothing."""

import asyncio
import contextlib
import json
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError

from morpheus.errors import MorpheusError, OptionError
from morpheus.viewer.pages import PARTS, STATIC, PageName
from morpheus.viewer.run import ViewedRun
from morpheus.viewer.security import LocalHandler, LocalStaticFileHandler
from morpheus.viewer.workers import Workers

__all__ = ["ADDRESS", "list_of_runs", "run_routes", "serve", "static_route"]

ADDRESS = "127.0.0.1"


def list_of_runs(runs: Sequence[ViewedRun]) -> bytes:
    """Tell a page which runs there are.

    Parameters
    ----------
    runs : sequence of ViewedRun
        One, or two to compare.

    Returns
    -------
    bytes
        JSON: a list of their titles.
    """
    return json.dumps([run.title for run in runs]).encode()


def run_routes(runs: Sequence[ViewedRun], workers: Workers) -> list[Any]:
    """Give the routes of what a page shows.

    Parameters
    ----------
    runs : sequence of ViewedRun
        The runs.
    workers : Workers
        Make their tiles.

    Returns
    -------
    list
        Of tornado.
    """
    options = {"runs": tuple(runs), "workers": workers}
    return [
        (r"/(runs\.json)", _Runs, options),
        (r"/runs/(\d)/(.*)", _Content, options),
    ]


def static_route(page: PageName) -> Any:
    """Give the route of a page and what it loads, and of nothing else.

    Parameters
    ----------
    page : {"index.html", "label.html"}
        Which; it is also shown for `/`.

    Returns
    -------
    tuple
        Of tornado; the last one.
    """
    options = {"path": str(STATIC), "default_filename": page, "parts": PARTS[page]}
    return (r"/(.*)", LocalStaticFileHandler, options)


def serve(
    routes: Sequence[Any], *, port: int = 0, started: Callable[[str], None] = lambda _: None
) -> None:
    """Serve until the program is interrupted.

    Parameters
    ----------
    routes : sequence
        Of tornado.
    port : int, optional
        Where to listen, on the loopback interface only; 0: where there is room.
    started : callable, optional
        Told the address as soon as it answers.

    Raises
    ------
    OptionError
        If the port is taken or not allowed.
    """
    try:
        listening = socket.create_server((ADDRESS, port))
    except OSError as error:
        raise OptionError(
            f"port {port} of this machine cannot be used ({error.strerror}); --port names another,"
            " and without it a free one is taken"
        ) from error

    async def run() -> None:
        # No line for every request that was refused: nobody asked, and a full pipe would block.
        server = HTTPServer(Application(list(routes), log_function=lambda _: None))
        listening.setblocking(False)  # noqa: FBT003 (the standard library's way)
        server.add_socket(listening)
        started(f"http://{ADDRESS}:{listening.getsockname()[1]}/")
        await _end()
        server.stop()
        await server.close_all_connections()

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        return


async def _end() -> None:
    """Wait until the program is to end: between two events, not in the middle of one."""
    end = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C interrupts
            asyncio.get_running_loop().add_signal_handler(number, end.set)
    await end.wait()


class _Runs(LocalHandler):
    def initialize(self, runs: tuple[ViewedRun, ...], workers: Workers) -> None:
        self.runs, self.workers = runs, workers

    def get(self, _: str) -> None:
        self.set_header("Content-Type", "application/json")
        self.write(list_of_runs(self.runs))


class _Content(_Runs):
    async def get(self, number: str, path: str) -> None:  # type: ignore[override]
        if int(number) >= len(self.runs):
            raise HTTPError(404)
        try:
            content, kind = await self.workers.give(self.runs[int(number)], path)
        except KeyError:
            raise HTTPError(404) from None
        except MorpheusError as error:  # a file that is not there any more
            self.set_status(500)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            self.write(str(error))
            return
        self.set_header("Content-Type", kind)
        self.write(content)
