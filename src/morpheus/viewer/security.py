"""What every page and answer of the servers has: for this machine's own browser alone."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tornado.web import HTTPError, RequestHandler, StaticFileHandler

__all__ = ["POLICY", "LocalHandler", "LocalStaticFileHandler"]

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline';"
    " base-uri 'none'; form-action 'none'; object-src 'none'"
)
"""What a page may load: what this server gives. The pages say so too, for other web servers."""

_HEADERS = {
    # Browsers heed the last part in a header only.
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class _Local(RequestHandler):
    """Answers only to a browser on this machine that shows a page of this server.

    The server listens on the loopback interface, but a page of any other site in the same browser
    can send requests there: under its own `Origin`, or, if its name's address was changed to
    this machine's (DNS rebinding), under its own `Host`. Both are refused with 403.
    """

    def prepare(self) -> None:
        """Refuse what comes from elsewhere."""
        host = self.request.host
        origin = self.request.headers.get("Origin")
        try:
            hostname = urlsplit(f"//{host}").hostname
            site = None if origin is None else urlsplit(origin).netloc.lower()
        except ValueError:
            raise HTTPError(400) from None
        if hostname not in _LOOPBACK:
            raise HTTPError(403, reason="Only for this machine")
        if site is not None and site != host.lower():
            raise HTTPError(403, reason="Not for other sites")
        if "%00" in self.request.path:  # no file has that in its name, and looking for one fails
            raise HTTPError(404)

    def set_default_headers(self) -> None:
        """Allow a page nothing but what this server gives."""
        for name, value in _HEADERS.items():
            self.set_header(name, value)
        self.clear_header("Server")

    def write_error(self, status_code: int, **_: Any) -> None:
        """Say what is wrong as plain text, with nothing of the request in it.

        Parameters
        ----------
        status_code : int
            Of HTTP.
        """
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: {self._reason}")


class LocalHandler(_Local):
    """An answer that is made."""


class LocalStaticFileHandler(_Local, StaticFileHandler):
    """A file; paths out of the folder are refused by tornado, and all but some parts of it here."""

    def initialize(  # type: ignore[override]
        self, path: str, default_filename: str, parts: tuple[str, ...]
    ) -> None:
        """Take what the route says.

        Parameters
        ----------
        path : str
            The folder.
        default_filename : str
            Name of what is given for the folder itself.
        parts : tuple of str
            Names of what is given of the folder.
        """
        super().initialize(path, default_filename)
        self.parts = parts

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """Refuse what is not to be given.

        Parameters
        ----------
        root : str
            The folder.
        absolute_path : str
            What is asked for.

        Returns
        -------
        str or None
            The file; None if it is answered already.
        """
        found = super().validate_absolute_path(root, absolute_path)
        if found is not None and Path(found).relative_to(root).parts[0] not in self.parts:
            raise HTTPError(404)
        return found
