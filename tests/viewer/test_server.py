"""What the server gives, to whom, and what it never gives; asked without a client's politeness."""

import json
import re
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from morpheus.pipeline.viewing import open_run
from morpheus.viewer.pages import STATIC
from morpheus.viewer.security import POLICY

SECRET = "a line of a file outside"


@pytest.fixture(scope="module")
def server(made, serve, tmp_path_factory):
    (made / "secret.txt").write_text(SECRET)
    (made / "out/secret.txt").write_text(SECRET)
    return serve(made / "out", "--tiles", tmp_path_factory.mktemp("tiles"))


class Answer:
    def __init__(self, content):
        head, _, self.body = content.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1]) if first else None
        self.headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}


def ask(server, target, *, method="GET", host=None, headers=(), body=b""):
    """Send a request as it stands, byte for byte."""
    host = f"127.0.0.1:{server.port}" if host is None else host
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)
        content = b""
        while part := connection.recv(1 << 16):
            content += part
    return Answer(content)


def test_it_gives_the_page_and_the_run(server, made):
    page = ask(server, "/")
    assert (page.status, page.body) == (200, (STATIC / "index.html").read_bytes())
    assert ask(server, "/runs.json").body == b'["out"]'
    with open_run(made / "out") as run:
        for path in run.paths():
            answer = ask(server, f"/runs/0/{path}")
            content, kind = run.give(path)
            assert answer.status == 200
            assert answer.body == content
            assert answer.headers["content-type"].startswith(kind)


@pytest.mark.parametrize("path", ["/", "/app/main.js", "/runs.json", "/runs/0/manifest.json"])
def test_headers(server, path):
    answer = ask(server, path)
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    for part in ("base-uri", "form-action", "object-src", "frame-ancestors"):
        assert f"; {part} 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src" not in policy  # so scripts are those of the server alone
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("page", ["index.html", "label.html"])
def test_the_pages_have_the_same_policy(page):
    """Where another web server gives the site; `frame-ancestors` is for headers only."""
    text = (STATIC / page).read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy"\s+content="([^"]*)"', text)
    assert policy == POLICY


def test_errors_have_the_headers_too(server):
    answer = ask(server, "/<script>")
    assert (answer.status, answer.body) == (404, b"404: Not Found")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in answer.headers


UP = [
    *("../", "../" * 3, "..%2f", "%2e%2e/", "%2e%2e%2f", "%252e%252e%252f", "..\\", "..%5c"),
    *("./../", "app/../../", "app/%2e%2e/%2e%2e/", "/../", "//", "\\", "....//", "..;/", "%c0%ae/"),
]
PLACES = ["secret.txt", "out/secret.txt", "report.json", "etc/passwd", "server.py", "index.html"]


@pytest.mark.parametrize("start", ["/", "/runs/0/", "/runs/0/tiles/", "/runs/0/tiles/rgb/0/"])
@pytest.mark.parametrize("up", UP)
def test_nothing_outside(server, made, start, up):
    targets = [start + up * n + place for n in (1, 6) for place in PLACES]
    targets += [start + up + str(made / "secret.txt"), start + up + f"{made}/out/report.json"]
    for target in targets:
        answer = ask(server, target)
        if answer.status == 200:  # it led to the page itself
            assert answer.body == (STATIC / "index.html").read_bytes()
            continue
        assert answer.status in {400, 403, 404}, target
        assert SECRET.encode() not in answer.body
        assert re.fullmatch(rb"4\d\d: [A-Za-z ]+", answer.body), target


@pytest.mark.parametrize(
    "target",
    [
        *("/runs/0/%00", "/\\", "/..", "/app", "/app/", "/vendor/", "/app//"),
        *("/label.html", "/label.css", "/app/../label.html", "/vendor/../label.css"),
        *("/runs", "/runs/", "/runs/0", "/runs/0/", "/runs/1/manifest.json"),
        *("/runs/00/manifest.json", "/runs/-1/manifest.json", "/runs/0/tiles/rgb/9/0_0.jpg"),
        *("/runs/0/tiles/nothing/0/0_0.png", "/runs/0/tiles/rgb/0/99_99.jpg", "/runs.json/"),
        *(
            "/runs/0/secret.txt",
            "/runs/0/../../secret.txt",
            "/file:///etc/passwd",
            "/" + "a" * 5000,
        ),
        *("/runs/0/" + "a" * 30000, "/runs/0/rows/" + "9" * 300 + ".json", "/" + "a/" * 2000),
        *("//etc/passwd", "///etc/passwd", "/%2fetc%2fpasswd", "/~", "/C:/Windows", "/con"),
        *("/%ff%fe", "/runs/0/%ff", "/%F0%9F%98%80", "/runs/0/tiles/rgb/0/0_0.jpg%0a"),
    ],
)
def test_no_such_thing(server, target):
    answer = ask(server, target)
    if answer.status == 301:  # a folder's name without its slash
        assert answer.headers["location"] == f"{target}/"
        answer = ask(server, f"{target}/")
    assert answer.status in {400, 403, 404}, answer.body
    assert re.fullmatch(rb"4\d\d: [A-Za-z ]+", answer.body)


@pytest.mark.parametrize("target", ["http://evil.example/runs.json", "*", "runs.json", "/ /"])
def test_odd_targets(server, target):
    answer = ask(server, target)
    assert answer.status in {None, 200, 400, 403, 404}
    if answer.status == 200:
        assert answer.body == b'["out"]'
    assert ask(server, "/runs.json").status == 200  # it still answers


PATHS = ["/", "/app/main.js", "/runs.json", "/runs/0/manifest.json", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "https://127.0.0.1.evil.example", "null", "http://127.0.0.1"),
        *("http://127.0.0.1:1", "file://", "http://localhost:{port}", ""),
    ],
)
def test_other_sites_are_refused(server, path, origin):
    origin = origin.format(port=server.port)
    answer = ask(server, path, headers=[f"Origin: {origin}"])
    assert answer.status in {400, 403}, answer.body
    assert len(answer.body) < 60


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "0.0.0.0:{port}"),
        *("192.168.0.1:{port}", "localhost.evil.example", "127.0.0.1@evil.example", ""),
        *("evil.example#127.0.0.1", "[::2]:{port}", "127.0.0.1,evil.example"),
    ],
)
def test_other_names_of_this_machine_are_refused(server, path, host):
    answer = ask(server, path, host=host.format(port=server.port))
    assert answer.status in {400, 403}, answer.body
    assert b"html" not in answer.body


@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_name_is_refused(server, path):
    answers = [
        ask(server, path, host="["),
        ask(server, path, headers=["Origin: http://["]),
        ask(server, f"{path}%00"),
    ]
    for answer in answers:
        assert answer.status >= 400
        assert re.fullmatch(rb"[45]\d\d: [A-Za-z ]+", answer.body)


def test_this_machine_s_names(server):
    for host in ("127.0.0.1", "localhost", "[::1]", "LOCALHOST"):
        address = f"{host}:{server.port}"
        answer = ask(server, "/runs.json", host=address, headers=[f"Origin: http://{address}"])
        assert answer.status == 200
        assert answer.body == b'["out"]'


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "NONSENSE"])
def test_nothing_is_taken(server, made, method):
    def files():
        places = [*STATIC.rglob("*"), *(made / "out").rglob("*")]
        return {path: path.stat().st_mtime_ns for path in places}

    before = files()
    for path in ("/", "/new.html", "/runs.json", "/runs/0/manifest.json", "/runs/0/rows/0.json"):
        answer = ask(server, path, method=method, body=b"a=b")
        assert answer.status == 405
        assert re.fullmatch(rb"405: [A-Za-z ]+", answer.body)
    assert files() == before


def test_it_listens_on_loopback_only(server):
    process = psutil.Process(server.process.pid)
    listening = [c.laddr for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    assert [tuple(address) for address in listening] == [("127.0.0.1", server.port)]
    others = {
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    }
    for address in others:
        with (
            pytest.raises((ConnectionRefusedError, TimeoutError)),
            socket.create_connection((address, server.port), timeout=2),
        ):
            pass


def test_it_lives_through_all_this(server):
    assert server.process.poll() is None
    assert json.loads(ask(server, "/runs.json").body) == ["out"]


def test_a_port_that_is_taken(server, made, tmp_path):
    program = "from morpheus.cli import main; main()"
    command = [sys.executable, "-c", program, "view", made / "out", "--no-browser", "-q"]
    done = subprocess.run(
        [*map(str, command), "--port", str(server.port), "--tiles", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"port {server.port} of this machine cannot be used" in done.stderr
    assert "--port names another" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c(make_run, serve, how):
    """A server has nothing that could be incomplete: its end is a good one."""
    one = serve(make_run())
    assert ask(one, "/runs.json").status == 200
    code, errors = one.end(how)
    assert (code, errors) == (0, "")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", one.port), timeout=2)
