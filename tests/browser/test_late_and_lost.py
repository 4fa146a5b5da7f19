"""Answers that come late or not at all: the last wish counts, and failures are told."""

import numpy as np
import pytest

SLOW = "half_light_radius"


def bins(page):
    """The addresses of the columns that a page asks for from now on."""
    asked = []

    def note(request):
        if request.url.endswith(".bin"):
            asked.append(request.url)

    page.on("request", note)
    return asked


def shown(view):
    return view.page.evaluate("() => [...window.morpheus.run.catalog.shown]")


def test_an_older_filter_does_not_win(drive, address, table):
    view = drive(address)
    release = view.hold(view.column(SLOW))
    view.page.evaluate(
        f"() => window.morpheus.setRanges({{ {SLOW}: [0, 1], area: [-Infinity, Infinity] }})"
    )
    view.page.evaluate(f"() => window.morpheus.setRanges({{ {SLOW}: null, area: [30, Infinity] }})")
    expected = np.asarray(table["area"] >= 30)
    view.until("app.run.catalog.nShown === argument", int(expected.sum()))
    assert release() == 1
    view.page.evaluate(f"() => window.morpheus.run.catalog.load('{SLOW}')")
    np.testing.assert_array_equal(shown(view), expected)


def test_a_column_is_asked_for_once(drive, address):
    view = drive(address, refused="columns/")
    asked = bins(view.page)
    twice = f"() => Promise.all([1, 2].map(() => window.morpheus.run.catalog.load('{SLOW}')))"
    mend = view.break_(view.column(SLOW))
    assert "out of order" in view.page.evaluate(f"({twice})().catch((error) => error.message)")
    mend()
    assert len(asked) == 1
    view.page.evaluate(twice)  # a failure is not kept
    view.page.evaluate(twice)
    assert len(asked) == 2


def test_what_is_drawn_late_is_not_shown(drive, address):
    view = drive(address)
    sizes = view.page.evaluate(
        """async () => {
          const { h, render } = await import("./vendor/vendor.js");
          const { Drawing } = await import("./app/ui.js");
          const [place, finish, failures] = [document.createElement("div"), [], []];
          const step = () => new Promise((done) => setTimeout(done, 100));
          for (const size of [10, 20, 30]) {
            const make = () => new Promise((done, fail) => finish.push([size, done, fail]));
            const fail = (error) => failures.push(error);
            render(h(Drawing, { make, inputs: [size], fail, label: "it" }), place);
            await step();
          }
          const sizes = [];
          for (const [size, done, fail] of [finish[1], finish[2], finish[0]]) {
            if (size === 10) fail(new Error("late"));
            else done(new OffscreenCanvas(size, size));
            await step();
            sizes.push(place.firstChild.width);
          }
          return [...sizes, failures.length];
        }"""
    )
    assert sizes == [300, 30, 30, 0]  # 300: of a canvas on which nothing was drawn


def test_values_do_not_come_after_the_pointer_left(drive, address):
    view = drive(address)
    release = view.hold("/tiles/share")
    view.page.mouse.move(*view.place(140, 140))
    status = view.page.locator(".status span")
    status.filter(has_text="x 1").wait_for()
    view.page.mouse.move(100, 20)
    view.until("document.querySelector('.status span').textContent === ''")
    assert release() > 0
    view.page.wait_for_load_state("networkidle")
    assert status.text_content() == ""
    # What was held has come: it is there at once when the pointer comes back.
    view.page.mouse.move(*view.place(141, 140))
    status.filter(has_text="Background").wait_for()


def test_missing_tiles_are_told_once_and_asked_for_again(drive, address):
    view = drive(address, refused="tiles/share")
    page = view.page
    page.evaluate(
        """() => {
          window.told = 0;
          const watch = new MutationObserver((changes) => {
            for (const { addedNodes } of changes) window.told += addedNodes.length;
          });
          watch.observe(document.querySelector(".messages"), { childList: true });
        }"""
    )
    mend = view.break_("tiles/share")
    layers = [{"id": "share:background", "opacity": 1, "add": False}]
    view.look(144, 144, 0.25, marks=False, layers=layers)
    view.message("out of order")
    mend()
    at = [[126], [150]]
    assert view.colors(*at)[0].tolist() == [11, 13, 16]
    page.wait_for_function(
        "() => performance.getEntriesByType('resource').some("
        "(one) => one.name.includes('tiles/share') && one.responseStatus === 200)"
    )
    page.wait_for_load_state("networkidle")
    view.still()
    assert view.colors(*at)[0].sum() > 100
    assert page.evaluate("() => window.told") == 1


@pytest.mark.parametrize("name", ["Save table", "Save regions"])
def test_what_cannot_be_saved(drive, address, name):
    view = drive(f"{address}#tab=sources", refused="columns/")
    view.break_("columns/")
    view.page.get_by_role("button", name=name).click()
    view.message("out of order")


def test_a_plot_that_cannot_be_drawn(drive, address):
    view = drive(address, refused="columns/")
    mend = view.break_(view.column(SLOW))
    view.tab("Plots")
    view.page.locator(".plot.histogram .axis text").first.wait_for()
    view.page.get_by_label("Column of the histogram").select_option(SLOW)
    view.message("out of order")
    mend()
    view.page.get_by_label("Column of the histogram").select_option("area")
    view.page.get_by_label("Column of the histogram").select_option(SLOW)
    view.page.locator(".plot.histogram .title", has_text=SLOW).wait_for()


def test_a_range_that_cannot_be_shown(drive, address):
    """It is told once; the page does not ask on and on."""
    view = drive(f"{address}#tab=sources", refused="columns/")
    asked = bins(view.page)
    view.break_(view.column(SLOW))
    view.page.get_by_label("Another").select_option(SLOW)
    view.message("out of order")
    view.page.wait_for_load_state("networkidle")
    assert len(asked) == 1


def test_the_view_forgets_maps_that_are_closed(drive, two_runs):
    view = drive(two_runs)
    count = """() => ["change", "change:resolution", "propertychange"].map(
      (type) => window.morpheus.view.getListeners(type)?.length ?? 0)"""
    counts = []
    for n in (1, 2, 1, 2, 1):
        if counts or n == 1:
            view.page.get_by_role("button", name="Side by side").click()
        view.until("app.maps.length === argument", n)
        view.still()
        counts.append(view.page.evaluate(count))
    assert counts[0] == counts[2] == counts[4]
    assert counts[1] == counts[3]
