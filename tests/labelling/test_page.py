"""The page of votes in a real browser: two voters, and a server that is killed in between."""

import re
import sqlite3
from collections import Counter

import pytest
from playwright.sync_api import expect

KEYS = {"s": "spheroid", "d": "disk", "i": "irregular", "p": "point_source", "x": "no_source"}
expect.set_options(timeout=60_000)
REFUSED = re.compile(r"net::ERR_CONNECTION_REFUSED|net::ERR_CONNECTION_RESET|net::ERR_EMPTY")


@pytest.fixture
def open_page(browser):
    """Opens pages, and looks afterwards that nothing went wrong or off the host."""
    problems, hosts, contexts = [], set(), []

    def opened(address, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console", lambda m: problems.append(m.text) if m.type in {"error", "warning"} else None
        )
        page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [problem for problem in problems if not REFUSED.search(problem)] == []
    assert all(host.startswith(("127.0.0.1:", "blob")) for host in hosts), hosts


def settled(page):
    """Waits until an answer would be taken."""
    expect(page.locator("footer[aria-busy=false]")).to_have_count(1)


def stored(out):
    with sqlite3.connect(out / "votes.sqlite") as database:
        rows = database.execute("SELECT voter, source, answer FROM votes").fetchall()
    database.close()
    return rows


def test_two_voters_and_a_killed_server(out, serve, open_page):
    """Ten sources each by keys and buttons; killed in the middle, nothing is lost or doubled."""
    server = serve(out, "--panel", "Ann", "--panel", "Ben <b>", "--faintest", "25")
    given = []
    pages = {}
    for name in ("Ann", "Ben <b>"):
        page = pages[name] = open_page(server.address)
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.locator("#progress")).to_contain_text("0 of")
    turn = 0
    for number in range(10):
        for name, page in pages.items():
            turn += 1
            settled(page)
            source = int(
                re.search(r"Source (\d+)", page.locator("figcaption").first.inner_text())[1]
            )
            key = list(KEYS)[turn % len(KEYS)]
            if number == 5 and name == "Ann":
                server.kill()
                page.keyboard.press(key)
                page.keyboard.press(key)  # an impatient voter
                server.start()
            elif turn % 3:
                page.keyboard.press(key)
            else:
                answers = page.locator("footer button")
                answers.nth(list(KEYS).index(key)).dblclick()
            expect(page.locator("#progress")).to_contain_text(f"{number + 1} of")
            given.append((name, source, KEYS[key]))
    assert stored(out) == given
    assert max(Counter((voter, source) for voter, source, _ in given).values()) == 1


def test_an_answer_is_corrected(out, serve, open_page):
    server = serve(out, "--panel", "Ann", "--order", "random")
    page = open_page(server.address)  # a single voter need not say who
    expect(page.locator("#progress")).to_contain_text("0 of")
    settled(page)
    page.keyboard.press("d")
    page.keyboard.press("d")  # bounced
    expect(page.locator("#progress")).to_contain_text("1 of")
    settled(page)
    page.keyboard.press("Backspace")
    expect(page.locator("footer button.on")).to_contain_text("Disk")
    settled(page)
    page.keyboard.press("1")
    expect(page.locator("footer button.on")).to_have_count(0)
    (first, source, _), (_, again, answer) = stored(out)
    assert (first, source, answer) == ("Ann", again, "spheroid")
    # What is seen changes with the controls; the settings stay for the next source.
    band = page.get_by_role("img", name="F160W")
    before = band.evaluate("canvas => canvas.toDataURL()")
    page.get_by_label("Stretch").select_option("linear")
    page.wait_for_function(
        "before => document.querySelector('canvas[aria-label=F160W]').toDataURL() !== before",
        arg=before,
    )
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")
    settled(page)
    page.keyboard.press("u")
    expect(page.locator("#progress")).to_contain_text("2 of")
    expect(page.get_by_label("Stretch")).to_have_value("linear")


def test_a_late_answer_for_another_voter_is_dropped(out, serve, open_page):
    server = serve(out, "--panel", "Ann", "--panel", "Ben", "--order", "random")
    page = open_page(server.address)
    page.get_by_role("button", name="Ann", exact=True).click()
    expect(page.locator("#progress")).to_contain_text("0 of")
    settled(page)
    page.keyboard.press("d")
    expect(page.locator("#progress")).to_contain_text("1 of")
    held = []

    def hold(route):
        held.append(route)

    page.route(re.compile("api/back.*Ann"), hold)
    page.get_by_role("button", name="Back").click()
    page.get_by_role("button", name="Another voter").click()
    page.get_by_role("button", name="Ben", exact=True).click()
    expect(page.locator("#progress")).to_contain_text("0 of")
    (late,) = held
    with page.expect_response(re.compile("api/back.*Ann")):
        late.continue_()
    page.wait_for_load_state("networkidle")
    expect(page.locator("footer button.on")).to_have_count(0)
    settled(page)
    page.keyboard.press("s")
    expect(page.locator("#progress")).to_contain_text("1 of")
    assert [(voter, answer) for voter, _, answer in stored(out)] == [
        ("Ann", "disk"),
        ("Ben", "spheroid"),
    ]


def test_a_phone(out, serve, open_page):
    server = serve(out, "--panel", "Ann", "-n", "1")
    page = open_page(server.address, viewport={"width": 390, "height": 844})
    expect(page.locator("#progress")).to_contain_text("0 of 1")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    settled(page)
    page.get_by_role("button", name="Disk").click()
    expect(page.locator("h2")).to_contain_text("That was the last one")
