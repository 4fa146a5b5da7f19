"""A browser, runs of the demo's field, servers; no page may complain or ask another host."""

import io
import json
import re
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from morpheus.catalog import Catalog
from morpheus.pipeline.viewing import open_run
from morpheus.viewer import export_site

FIELD = Path(__file__).parents[2] / "demo/field"
BANDS = ("F160W", "F125W", "F606W", "F850LP")
PROGRAM = "from morpheus.cli import main; main()"
SETTLED = "() => performance.getEntriesByName('first view').length > 0"
RENDERED = """() => new Promise((done) => {
  const { map } = window.morpheus.maps[0];
  map.once("rendercomplete", () => requestAnimationFrame(() => done(true)));
  map.render();
})"""


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    """The demo's field with all bands."""
    return _run(tmp_path_factory.mktemp("browser") / "demo", BANDS)


@pytest.fixture(scope="session")
def other_folder(tmp_path_factory):
    """The same in one band."""
    return _run(tmp_path_factory.mktemp("browser") / "one band", BANDS[:1])


def _run(out, bands):
    images = [FIELD / f"{band.lower()}_sci.fits.fz" for band in bands]
    weights = [f"--weight={band}={FIELD}/{band.lower()}_wht.fits.fz" for band in bands]
    command = [sys.executable, "-c", PROGRAM, "run", *map(str, images), *weights, "-o", str(out)]
    subprocess.run([*command, "-q"], check=True)
    return out


@pytest.fixture(scope="session")
def table(run_folder):
    """The run's catalogue."""
    return Catalog.read(run_folder / "catalog.fits").table


@pytest.fixture(scope="session")
def start():
    """Starts `morpheus view`; gives the address."""
    running = []

    def serve(*folders):
        log = tempfile.TemporaryFile()  # noqa: SIM115 (a pipe that none reads fills)
        command = [sys.executable, "-c", PROGRAM, "view", *map(str, folders), "--no-browser", "-q"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        running.append((process, log))
        return process.stdout.readline().split(" ")[0]

    yield serve
    for process, log in running:
        process.terminate()
        process.wait(timeout=60)
        process.stdout.close()
        log.close()


@pytest.fixture(scope="session")
def address(start, run_folder):
    """Where the run is served."""
    return start(run_folder)


@pytest.fixture(scope="session")
def two_runs(start, run_folder, other_folder):
    """Where both runs are served, to compare them."""
    return start(run_folder, other_folder)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def site(run_folder, tmp_path_factory):
    """Where the run as files is served, in a folder of a plain web server."""
    root = tmp_path_factory.mktemp("www")
    with open_run(run_folder) as run:
        export_site([run], root / "papers/map")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/papers/map/"
        server.shutdown()
        thread.join()


def _watch(page, host, refused, trouble):
    """Note what a page complains of, and what it asks another host for."""

    def note(url, text):
        if refused is None or refused not in url:
            trouble.append(text)

    def asked(one):
        if not one.url.startswith((host, "blob:", "data:")):
            trouble.append(f"asked {one.url}")

    def said(message):
        if message.type in {"error", "warning"}:
            note(message.location["url"], f"{message.type}: {message.text}")

    def answered(reply):
        if reply.status >= 400:
            note(reply.url, f"{reply.status} {reply.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: trouble.append(f"page error: {error}"))
    page.on("request", asked)
    page.on("requestfailed", lambda one: note(one.url, f"failed: {one.url} {one.failure}"))
    page.on("response", answered)


@pytest.fixture
def visit(browser, request, tmp_path):
    """Opens pages; at the end none has complained, failed to load or asked another host.

    Except that what has `refused` in its address may fail: a test makes it.
    """
    trouble, contexts = [], []

    def go(address, *, width=1440, height=900, refused=None, **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, **{"color_scheme": "dark", **options}
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        _watch(page, address.split("#")[0], refused, trouble)
        page.goto(address)
        page.wait_for_function(SETTLED)
        return page

    failed = request.session.testsfailed
    yield go
    for number, context in enumerate(contexts):
        if request.session.testsfailed > failed or trouble:
            for page in context.pages:
                page.screenshot(path=tmp_path / f"failed-{number}.png")
        context.close()
    assert not trouble


class Driver:
    """What tests do with a page of the map."""

    def __init__(self, page):
        self.page = page

    def state(self, name=None):
        """The state of the page, or a part of it."""
        text = self.page.evaluate("() => JSON.stringify(window.morpheus.store.state)")
        state = json.loads(text)
        return state if name is None else state[name]

    def until(self, condition, argument=None):
        """Wait for a condition of `app` (and `argument`)."""
        self.page.wait_for_function(
            f"(argument) => {{ const app = window.morpheus; return {condition}; }}", arg=argument
        )

    def still(self):
        """Wait until the map has come to rest and is drawn."""
        self.until("!app.view.getAnimating() && !app.view.getInteracting()")
        self.page.evaluate(RENDERED)

    def look(self, x, y, resolution, **state):
        """Look at a pixel, with changes of the state."""
        self.page.evaluate(
            """([x, y, resolution, state]) => {
              const app = window.morpheus;
              app.view.setCenter([x, y]);
              app.view.setResolution(resolution);
              app.store.set(state);
            }""",
            [x, y, resolution, state],
        )
        self.still()

    def place(self, x, y):
        """Where on the page a pixel of the image is."""
        left, top = self.page.evaluate(
            """(at) => {
              const { map } = window.morpheus.maps[0];
              const box = map.getViewport().getBoundingClientRect();
              const [x, y] = map.getPixelFromCoordinate(at);
              return [box.left + x, box.top + y];
            }""",
            [float(x), float(y)],
        )
        return left, top

    def colors(self, x, y):
        """Red, green and blue that the page shows at pixels of the image."""
        shown = np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"))
        x0, y0 = self.place(0, 0)
        scale = (self.place(1, 0)[0] - x0, self.place(0, 1)[1] - y0)
        columns = np.floor(x0 + scale[0] * np.asarray(x)).astype(int)
        rows = np.floor(y0 + scale[1] * np.asarray(y)).astype(int)
        return shown[rows, columns].astype(int)

    def hold(self, part):
        """Let no request with a part in its address go; gives what lets all of them."""
        held = []
        pattern = re.compile(re.escape(part))

        def keep(route):
            held.append(route)

        def release():
            for route in held:
                route.continue_()
            self.page.unroute(pattern)
            return len(held)

        self.page.route(pattern, keep)
        return release

    def break_(self, part):
        """Let requests with a part in their address fail; gives what mends them."""
        pattern = re.compile(re.escape(part))
        self.page.route(pattern, lambda route: route.fulfill(status=500, body="out of order"))
        return lambda: self.page.unroute(pattern)

    def column(self, name):
        """The part of an address that is a column's."""
        number = self.page.evaluate("(name) => morpheus.run.catalog.numbers.get(name)", name)
        return f"columns/{number}.bin"

    def message(self, contains):
        """Wait for a message."""
        self.page.get_by_role("status").filter(has_text=contains).wait_for()

    def tab(self, name):
        """Open a panel."""
        self.page.get_by_role("tab", name=name).click()

    def find(self, text):
        """Type where to go."""
        self.page.fill("#find", text)
        self.page.press("#find", "Enter")

    def address(self, contains):
        """The address once it has a text."""
        self.page.wait_for_function("(text) => location.hash.includes(text)", arg=contains)
        return self.page.evaluate("() => location.hash.slice(1)")


@pytest.fixture
def drive(visit):
    """Opens a page and gives what drives it."""

    def go(address, **options):
        return Driver(visit(address, **options))

    return go
