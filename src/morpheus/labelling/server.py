"""What the page of votes asks for, and the only place that takes anything."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from morpheus.errors import MorpheusError, OptionError
from morpheus.labelling.panel import Panel
from morpheus.viewer.security import LocalHandler

__all__ = ["panel_routes"]

_LARGEST = 4096  # bytes of a vote
_LONGEST_TOKEN = 64
_FIELDS = {"voter": str, "source": int, "answer": str, "token": str}


def panel_routes(panel: Panel) -> list[Any]:
    """Give the routes of a panel.

    Parameters
    ----------
    panel : Panel
        Who votes on what.

    Returns
    -------
    list
        Of tornado: GET `/api/session`, `/api/next` and `/api/back`, POST `/api/vote`.
    """
    # One thread keeps votes in their order; while it waits for the disk, tiles are given.
    options = {"panel": panel, "thread": ThreadPoolExecutor(1)}
    return [
        (r"/api/session", _Session, options),
        (r"/api/(next|back)", _Ask, options),
        (r"/api/vote", _Vote, options),
    ]


class _Handler(LocalHandler):
    def initialize(self, panel: Panel, thread: ThreadPoolExecutor) -> None:
        self.panel, self.thread = panel, thread

    async def answer(self, make: Callable[[], Any]) -> None:
        """Reply as JSON; what is wrong with a request is said with 400, what fails with 500."""
        try:
            content = await asyncio.get_running_loop().run_in_executor(self.thread, make)
        except MorpheusError as error:
            self.set_status(400 if isinstance(error, OptionError) else 500)
            content = {"error": str(error)}
        self.reply(content)

    def reply(self, content: Any) -> None:
        """Write JSON."""
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(content))

    def write_error(self, status_code: int, **_: Any) -> None:
        """Say what is wrong as JSON too, with nothing of the request in it."""
        self.reply({"error": f"{status_code}: {self._reason}"})


class _Session(_Handler):
    async def get(self) -> None:
        await self.answer(self.panel.session)


class _Ask(_Handler):
    async def get(self, what: str) -> None:
        ask = self.panel.next if what == "next" else self.panel.back
        await self.answer(partial(ask, self.get_query_argument("voter", "")))


class _Vote(_Handler):
    async def post(self) -> None:
        await self.answer(self._keep)

    def _keep(self) -> dict[str, bool]:
        # Pages of other sites can send forms and plain text here, but not this type.
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip()
        if kind != "application/json":
            raise OptionError("a vote is application/json")
        if len(self.request.body) > _LARGEST:
            raise OptionError(f"a vote has at most {_LARGEST} bytes")
        try:
            vote = json.loads(self.request.body)
        except (ValueError, RecursionError):  # the second: brackets in brackets in brackets
            raise OptionError("this is no JSON") from None
        # bool is an int for Python.
        if not isinstance(vote, dict) or {k: type(v) for k, v in vote.items()} != _FIELDS:
            raise OptionError("a vote has voter, source (a number), answer and token")
        token = vote["token"]
        if not 0 < len(token) <= _LONGEST_TOKEN or not token.isascii():
            raise OptionError(f"a token has 1 to {_LONGEST_TOKEN} ASCII letters")
        if abs(vote["source"]) > 2**62:
            raise OptionError(f"there is no source {vote['source']}")
        self.panel.vote(**vote)
        return {"kept": True}
