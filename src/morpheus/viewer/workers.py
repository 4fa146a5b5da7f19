"""Threads of a server: some make tiles, and others halve maps, which takes long."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from morpheus.viewer.pyramid import Pyramid
from morpheus.viewer.run import ViewedRun

__all__ = ["Workers"]

_TILES = 3  # threads that make tiles: two that compute, one that waits for a disk


class Workers:
    """Threads that make what a page asks for.

    Maps are halved in two threads of their own: one for what is asked for, one for all else. At the
    end of the context both stop within a few rows, and leave nothing of what they were at.
    """

    def __init__(self) -> None:
        self._tiles = ThreadPoolExecutor(_TILES)
        self._asked, self._ahead = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._end = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for pool in (self._tiles, self._asked, self._ahead):
            pool.shutdown(cancel_futures=True)

    def halve(self, runs: Sequence[ViewedRun]) -> list[Future[None]]:
        """Halve maps ahead, one tile set after the other.

        Parameters
        ----------
        runs : sequence of ViewedRun
            All maps of these.

        Returns
        -------
        list of Future
            One for each tile set. What cannot be halved the page says when it asks for it.
        """
        return [
            self._ahead.submit(self._halve, run.pyramid, name)
            for run in runs
            for name in run.pyramid.sets
        ]

    async def give(self, run: ViewedRun, path: str) -> tuple[bytes, str]:
        """Give what has a path, as `ViewedRun.give` does.

        Parameters
        ----------
        run : ViewedRun
            The run.
        path : str
            What of it.

        Returns
        -------
        bytes
            The content.
        str
            Its media type.

        Raises
        ------
        KeyError
            If nothing has that path.
        ImageError, ProductError
            If pixels cannot be read, or halved maps cannot be written.
        """
        loop, name = asyncio.get_running_loop(), run.unprepared(path)
        if name is not None:
            await loop.run_in_executor(self._asked, self._halve, run.pyramid, name)
        return await loop.run_in_executor(self._tiles, run.give, path)

    def _halve(self, pyramid: Pyramid, name: str) -> None:
        pyramid.prepare(name, self._check_end)

    def _check_end(self, _: int) -> None:
        if self._end.is_set():
            raise _EndedError


class _EndedError(Exception):
    """Nobody waits for this any more."""
