"""The page's server: what it takes, what it refuses, and that a kill loses and doubles nothing."""

import http.client
import json
import sqlite3
import threading
import time
import uuid
from urllib.parse import quote

from astropy.table import Table

from morpheus.labelling import VoteStore
from morpheus.labelling.answers import ANSWER_NAMES

JSON = {"Content-Type": "application/json"}


def ask(port, method, path, body=None, headers=JSON):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def vote(port, **changes):
    content = {"voter": "Ann", "source": 1, "answer": "disk", "token": str(uuid.uuid4())}
    return ask(port, "POST", "/api/vote", json.dumps(content | changes))


def stored(out):
    with sqlite3.connect(out / "votes.sqlite") as database:
        rows = database.execute("SELECT voter, source, answer FROM votes").fetchall()
    database.close()
    return rows


def test_what_is_taken_and_given(out, serve):
    port = serve(out, "--panel", "Ann").port
    for changes in (
        {"voter": "Cleo"},
        {"source": 10_000},
        {"source": "1"},
        {"source": True},
        {"source": 2**70},
        {"answer": "star"},
        {"answer": "<script>"},
        {"token": ""},
        {"token": "x" * 65},
        {"token": "\ud800"},  # half a character
        {"more": 1},
        {"voter": "x" * 5000},
    ):
        status, content = vote(port, **changes)
        assert (status, set(json.loads(content))) == (400, {"error"}), changes
    good = json.dumps({"voter": "Ann", "source": 1, "answer": "disk", "token": "t"})
    for body, headers in (
        ("{", JSON),
        ("[]", JSON),
        ("[" * 4000, JSON),
        ("\xff".encode("latin-1"), JSON),
        (good, {"Content-Type": "text/plain"}),  # what a form of another site can send
        (good, {"Content-Type": "application/x-www-form-urlencoded"}),
    ):
        assert ask(port, "POST", "/api/vote", body, headers)[0] == 400
    for headers in ({"Origin": "https://example.org"}, {"Origin": "null"}, {"Host": "example.org"}):
        assert ask(port, "POST", "/api/vote", good, JSON | headers)[0] == 403
        assert ask(port, "GET", "/api/session", None, headers)[0] == 403
    assert ask(port, "GET", "/api/vote")[0] == 405
    assert ask(port, "POST", "/api/next?voter=Ann", good)[0] == 405
    assert ask(port, "GET", "/api/next?voter=Cleo")[0] == 400
    status, content = ask(port, "GET", "/api/next?voter=%ff")
    assert (status, set(json.loads(content))) == (400, {"error"})
    assert stored(out) == []
    own = {"Origin": f"http://127.0.0.1:{port}"}
    assert ask(port, "POST", "/api/vote", good, JSON | own) == (200, b'{"kept": true}')
    assert stored(out) == [("Ann", 1, "disk")]
    # Voters see nothing of the model.
    manifest = json.loads(ask(port, "GET", "/runs/0/manifest.json")[1])
    assert {one["kind"] for one in manifest["sets"].values()} == {"picture", "band", "label"}
    assert manifest["catalog"] is None
    assert manifest["classes"] == []
    for path in ("columns/3.bin", "rows/0.json", "tiles/share-0/0/0_0.png", "../catalog.fits"):
        assert ask(port, "GET", f"/runs/0/{path}")[0] == 404
    assert b"Votes" in ask(port, "GET", "/")[1]
    assert ask(port, "GET", "/label.css")[0] == 200
    assert ask(port, "GET", "/index.html")[0] == 404  # the map's page
    # It looks at the full size only: no maps are made for others.
    assert [path.name for path in (out / "tiles").iterdir()] == ["checked"]


def test_a_killed_server_loses_and_doubles_no_vote(out, serve):
    """Two voters send 100 votes each while the server is killed; each is sent until answered."""
    names = "Ann", "Ben"
    server = serve(out, "--panel", names[0], "--panel", names[1])
    catalog = Table.read(out / "catalog.fits", hdu=1)
    sources = [int(source) for source in catalog["id"]]
    turns = (sources * 2)[:100]  # some are corrected
    acknowledged, resent = [], []

    def work(name):
        for turn, source in enumerate(turns):
            answer = ANSWER_NAMES[(turn + len(name)) % len(ANSWER_NAMES)]
            token = str(uuid.uuid4())
            while True:
                try:
                    status, _ = vote(
                        server.port, voter=name, source=source, answer=answer, token=token
                    )
                except (OSError, http.client.HTTPException):
                    resent.append(token)
                    time.sleep(0.05)
                    continue
                assert status == 200
                break
            acknowledged.append((name, source, answer))
            time.sleep(0.02)

    voters = [threading.Thread(target=work, args=(name,)) for name in names]
    for voter in voters:
        voter.start()
    for done in (30, 90, 150):
        while len(acknowledged) < done:
            time.sleep(0.005)
        server.kill()
        server.start()
    for voter in voters:
        voter.join()
    assert resent
    assert len(acknowledged) == 200
    assert sorted(stored(out)) == sorted(acknowledged)
    last = {(name, source): answer for name, source, answer in acknowledged}
    standing = VoteStore(out / "votes.sqlite").votes()
    assert {(name, source): answer for name, source, answer in standing} == last
    assert len(standing) == len(names) * len(sources)
    for name in names:
        asked = json.loads(ask(server.port, "GET", f"/api/next?voter={quote(name)}")[1])
        assert asked["source"] is None
        assert asked["progress"] == {"voted": len(sources), "total": len(sources)}
