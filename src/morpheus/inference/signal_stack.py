"""Where signals are handled, kept as it was."""

import contextlib
import ctypes
import sys
from collections.abc import Iterator

__all__ = ["signal_stack_kept"]


class _Stack(ctypes.Structure):
    """`stack_t` of Linux."""

    _fields_ = (("memory", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


@contextlib.contextmanager
def signal_stack_kept() -> Iterator[None]:
    """Give a thread the stack for its signal handlers back that it had before.

    OpenVINO's processor plugin sets one of its own in the thread that loads it, and frees it when
    it goes. If it goes in another thread, or if there were two and the first to come went first, a
    stack that is gone stays set; the next signal that Python handles then ends the process. Nothing
    needs this stack: handlers run on the thread's own where there is none.
    """
    if sys.platform != "linux":  # pragma: no cover (the plugin does so on Linux only)
        yield
        return
    sigaltstack = ctypes.CDLL(None).sigaltstack
    before = _Stack()
    known = sigaltstack(None, ctypes.byref(before)) == 0
    try:
        yield
    finally:
        if known:
            sigaltstack(ctypes.byref(before), None)
