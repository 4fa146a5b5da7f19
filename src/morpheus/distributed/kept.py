"""What a process keeps open between tasks: files, models, engines."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

__all__ = ["KEPT", "Kept"]

_MOST = 16  # things of a thread, of a long-lived worker that serves many runs


class Kept:
    """Things that are made once in a thread, and used again.

    Neither open files nor an engine's requests can be shared by threads. A key says all that a
    thing was made from.
    """

    def __init__(self) -> None:
        self._lock, self._stacks = threading.Lock(), list[ExitStack]()
        self._local = threading.local()

    def give(self, key: Any, make: Callable[[ExitStack], Any]) -> Any:
        """Give what was made before, or make it.

        Parameters
        ----------
        key : hashable
            What it is.
        make : callable
            Makes it; what is to be closed in the end goes on the stack that it is given.

        Returns
        -------
        Any
            The thing.
        """
        things, stack = self._of_thread()
        if key not in things:
            if len(things) >= _MOST:
                stack.close()
                things.clear()
            things[key] = make(stack)
        return things[key]

    def forget(self, kind: type) -> None:
        """Let go of this thread's things of a kind.

        Parameters
        ----------
        kind : type
            Of their keys.
        """
        things, _ = self._of_thread()
        for key in [key for key in things if isinstance(key, kind)]:
            del things[key]

    def release(self) -> None:
        """Close what all threads have open; they open it again when they need it."""
        with self._lock:
            stacks, self._stacks = self._stacks, []
            self._local = threading.local()
        for stack in stacks:
            stack.close()

    def _of_thread(self) -> tuple[dict[Any, Any], ExitStack]:
        local = self._local
        if not hasattr(local, "things"):
            local.things, local.stack = {}, ExitStack()
            with self._lock:
                self._stacks.append(local.stack)
        return local.things, local.stack


KEPT = Kept()
"""That of this process."""
