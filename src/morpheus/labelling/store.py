"""Votes in an SQLite file: each is on the disk before it is acknowledged, and none is ever lost."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from astropy.table import Table

from morpheus.dataset.layout import SOURCE_CLASSES, UNKNOWN
from morpheus.errors import OptionError, ProductError
from morpheus.labelling.answers import ANSWER_NAMES

__all__ = ["SHARES", "VOTES_FILE", "VoteStore"]

VOTES_FILE = "votes.sqlite"
"""What the file is called in a run's folder."""

SHARES = (*SOURCE_CLASSES, UNKNOWN)
"""What tables of others have of a source: shares of the classes, and of those who cannot tell."""

_VERSION = 1
_WAIT = 20.0  # seconds for another process that writes
_SCHEMA = f"""
CREATE TABLE field (segmentation TEXT NOT NULL);
CREATE TABLE sources (id INTEGER PRIMARY KEY, ra REAL, dec REAL, x REAL NOT NULL, y REAL NOT NULL);
CREATE TABLE votes (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL UNIQUE,
    voter TEXT NOT NULL,
    source INTEGER NOT NULL REFERENCES sources (id),
    answer TEXT NOT NULL CHECK (answer IN ({", ".join(f"'{name}'" for name in ANSWER_NAMES)})),
    time TEXT NOT NULL
);
CREATE INDEX votes_by_voter ON votes (voter, source);
CREATE VIEW standing AS
    SELECT voter, source, answer, MAX(number) AS number FROM votes GROUP BY voter, source;
CREATE TABLE imported (
    panel TEXT NOT NULL,
    source INTEGER NOT NULL REFERENCES sources (id),
    {", ".join(f"{name} REAL NOT NULL" for name in SHARES)},
    n_experts INTEGER NOT NULL,
    PRIMARY KEY (panel, source)
);
PRAGMA user_version = {_VERSION};
"""  # noqa: S608 (names of the project's own)


class VoteStore:
    """The votes on the sources of one field.

    Votes are only ever added: one that corrects another stands behind it, and the last of a voter
    on a source counts. The file is a plain SQLite database with a rollback journal, which also
    works on file systems of networks, and `synchronous = EXTRA`: what `vote` returned from survives
    a crash of the program and of the machine. Several processes may use it.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    ProductError
        If it is no file of votes, or of a later version, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
        if version != _VERSION:
            raise ProductError(
                f"{path} holds no votes of this version of Morpheus (it says {version}, not"
                f" {_VERSION}); choose another file (--votes-file)"
            )

    @classmethod
    def of_field(cls, path: Path, sources: Table, segmentation: str) -> "VoteStore":
        """Open the votes of a field, or begin them.

        Parameters
        ----------
        path : Path
            The file; made if it is not there.
        sources : astropy.table.Table
            The catalogue: `id`, `x`, `y`, `ra` and `dec`.
        segmentation : str
            Digest of the labels of the segmentation map: votes are of its sources.

        Returns
        -------
        VoteStore
            The votes.

        Raises
        ------
        ProductError
            If the file is of another segmentation map, is none of votes, or cannot be written.
        """
        cls._make(path, sources, segmentation)
        store = cls(path)
        with store._open() as database:
            found = database.execute("SELECT segmentation FROM field").fetchone()
        if found is None or found[0] != segmentation:
            raise ProductError(
                f"{path} holds votes on the sources of another segmentation map than that of this"
                " catalogue; choose another file (--votes-file), or bring back the map"
            )
        return store

    @classmethod
    def _make(cls, path: Path, sources: Table, segmentation: str) -> None:
        columns = ("id", "ra", "dec", "x", "y")
        rows = [
            (int(row[0]), *(float(v) if np.isfinite(v) else None for v in row[1:]))
            for row in zip(*(sources[name] for name in columns), strict=True)
        ]
        try:
            with _connection(path, "rwc") as database, database:
                if _is_made(database):  # and perhaps cannot be written
                    return
                database.execute("BEGIN IMMEDIATE")  # another process may make it just now
                if not _is_made(database):
                    for statement in _SCHEMA.strip().split(";\n"):
                        database.execute(statement)
                    database.execute("INSERT INTO field VALUES (?)", (segmentation,))
                    database.executemany("INSERT INTO sources VALUES (?, ?, ?, ?, ?)", rows)
        except (OSError, sqlite3.Error) as error:
            raise ProductError(f"cannot write votes to {path}: {error}") from error

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with _connection(self.path) as database:
                yield database
        except sqlite3.Error as error:
            raise ProductError(f"cannot use the votes in {self.path}: {error}") from error

    def vote(self, voter: str, source: int, answer: str, token: str) -> None:
        """Add a vote. It is on the disk when this returns.

        Parameters
        ----------
        voter : str
            Whose it is.
        source : int
            The number of the source.
        answer : str
            One of `ANSWER_NAMES`.
        token : str
            Of this vote alone: the same again is the same vote, and changes nothing.

        Raises
        ------
        OptionError
            If there is no such source or answer, or the token was that of another vote.
        ProductError
            If it cannot be written.
        """
        if answer not in ANSWER_NAMES:
            raise OptionError(f"{answer!r} is no answer; there are {', '.join(ANSWER_NAMES)}")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._open() as database, database:
            known = database.execute("SELECT 1 FROM sources WHERE id = ?", (source,)).fetchone()
            if known is None:
                raise OptionError(f"there is no source {source}")
            database.execute(
                "INSERT INTO votes (token, voter, source, answer, time) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (token) DO NOTHING",
                (token, voter, source, answer, now),
            )
            query = "SELECT voter, source, answer FROM votes WHERE token = ?"
            kept = database.execute(query, (token,)).fetchone()
        if kept != (voter, source, answer):  # to acknowledge it would lose this one
            raise OptionError("another vote had this token; each vote needs one of its own")

    def votes(self) -> list[tuple[str, int, str]]:
        """Give the votes that stand.

        Returns
        -------
        list of (str, int, str)
            Voter, source and answer: the last of each voter on each source, in the order in which
            they were given.
        """
        with self._open() as database:
            query = "SELECT voter, source, answer FROM standing ORDER BY number"
            return list(database.execute(query))

    def sources(self) -> Table:
        """Give the sources of the field.

        Returns
        -------
        astropy.table.Table
            `id`, `ra`, `dec`, `x` and `y`; NaN where there is no position on the sky.
        """
        with self._open() as database:
            rows = list(database.execute("SELECT id, ra, dec, x, y FROM sources ORDER BY id"))
        ids = np.array([row[0] for row in rows], np.int64)
        places = np.array([row[1:] for row in rows], np.float64).reshape(len(rows), 4)
        return Table([ids, *places.T], names=("id", "ra", "dec", "x", "y"))

    def add_panel(self, panel: str, sources: Sequence[int], shares: Table) -> None:
        """Keep what others said of sources; a panel of the same name is replaced.

        Parameters
        ----------
        panel : str
            What it is called.
        sources : sequence of int
            Numbers of the sources, each once.
        shares : astropy.table.Table
            A row for each: `SHARES`, which add up to 1, and `n_experts`.

        Raises
        ------
        ProductError
            If it cannot be written.
        """
        rows = [
            (panel, int(source), *(float(row[name]) for name in SHARES), int(row["n_experts"]))
            for source, row in zip(sources, shares, strict=True)
        ]
        marks = ", ".join("?" * (len(SHARES) + 3))
        with self._open() as database, database:
            database.execute("DELETE FROM imported WHERE panel = ?", (panel,))
            database.executemany(f"INSERT INTO imported VALUES ({marks})", rows)  # noqa: S608

    def panels(self) -> Table:
        """Give what others said of sources.

        Returns
        -------
        astropy.table.Table
            `panel`, `source`, `SHARES` and `n_experts`; no rows if nothing was imported.
        """
        names = ("panel", "source", *SHARES, "n_experts")
        with self._open() as database:
            query = f"SELECT {', '.join(names)} FROM imported ORDER BY panel, source"  # noqa: S608
            rows = list(database.execute(query))
        types = (str, "i8", *("f8",) * len(SHARES), "i8")
        return Table(rows=rows or None, names=names, dtype=types)


def _is_made(database: sqlite3.Connection) -> bool:
    return bool(database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0])


@contextmanager
def _connection(path: Path, mode: str = "rw") -> Iterator[sqlite3.Connection]:
    # With this mode a file that has gone is an error, and not an empty one in its place.
    address = f"{path.absolute().as_uri()}?mode={mode}"
    database = sqlite3.connect(address, uri=True, timeout=_WAIT)
    try:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("PRAGMA synchronous = EXTRA")
        yield database
    finally:
        database.close()
