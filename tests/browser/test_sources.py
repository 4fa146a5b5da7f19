"""The catalogue on the page: chosen, plotted, looked at, shared and saved."""

from urllib.parse import parse_qs

import numpy as np
import pytest
from astropy.table import Table
from regions import EllipseSkyRegion, Regions

from morpheus.catalog.regions import write_regions
from morpheus.segmentation import SourceFlag
from morpheus.viewer.sources import SourceColumns

MAGNITUDE = "f160w_mag_kron"
COLOR = "f606w_mag_kron - f160w_mag_kron"


def types(table):
    """Types of the columns as the page gets them: 'f4', 'f8' or 'text'."""
    return {
        column["name"]: column["type"] for column in SourceColumns(table).description()["columns"]
    }


def values_of(table, name):
    """A column, or a difference of two, as the page has it."""
    first, *second = (np.asarray(table[part], types(table)[part]) for part in name.split(" - "))
    return first - second[0] if second else first


def count(view):
    return int(view.page.locator("#n-shown").inner_text())


def chosen(table, address):
    """Which sources the ranges of an address choose."""
    shown = np.ones(len(table), bool)
    for key, (value,) in parse_qs(address).items():
        if key.startswith("range."):
            low, high = (float(part or "nan") for part in value.split(","))
            values = values_of(table, key.removeprefix("range."))
            shown &= (values >= low) & (values <= high)
    return shown


def test_filters(drive, address, table):
    view = drive(address)
    page = view.page
    view.tab("Sources")
    assert count(view) == len(table)
    page.locator("label", has_text="Disk").get_by_role("checkbox").uncheck()
    shown = table["class"] != "disk"
    page.wait_for_function(
        "(n) => document.querySelector('#n-shown').textContent === n", arg=str(shown.sum())
    )
    values = values_of(table, MAGNITUDE)
    limit = float(f"{np.nanmedian(values):.2f}")
    page.get_by_label(f"{MAGNITUDE}, at most").fill(str(limit))
    page.keyboard.press("Tab")
    shown &= values <= limit
    page.wait_for_function(
        "(n) => document.querySelector('#n-shown').textContent === n", arg=str(shown.sum())
    )
    page.locator("label", has_text="deblended").get_by_role("checkbox").check()
    shown &= (table["flags"] & SourceFlag.DEBLENDED) == 0
    page.wait_for_function(
        "(n) => document.querySelector('#n-shown').textContent === n", arg=str(shown.sum())
    )
    assert 0 < shown.sum() < len(table)
    marks = page.evaluate("() => [...window.morpheus.run.catalog.shown]")
    np.testing.assert_array_equal(marks, shown)
    page.get_by_role("button", name="Show all").click()
    view.until("app.run.catalog.nShown === app.run.catalog.n")
    page.get_by_label("Another").select_option("area")
    page.get_by_label("area, at least").fill("30")
    page.keyboard.press("Tab")
    view.until("app.run.catalog.nShown === argument", int((table["area"] >= 30).sum()))


def pictures(page):
    """What is drawn in the plots, and of the sources on the map."""
    return page.evaluate(
        """() => [...document.querySelectorAll(".plot canvas, canvas.sources")]
          .map((canvas) => canvas.toDataURL())"""
    )


@pytest.mark.parametrize(
    ("plot", "columns"), [("histogram", [MAGNITUDE]), ("color", [MAGNITUDE, COLOR])]
)
def test_brush(drive, address, table, plot, columns):
    view = drive(address)
    page = view.page
    view.tab("Plots")
    page.wait_for_selector(".plot.size .brush .overlay")
    page.wait_for_selector(f".plot.{plot} .brush .overlay")
    view.still()
    before = pictures(page)
    box = page.locator(f".plot.{plot} .brush .overlay").bounding_box()
    place = [(0.25, 0.3), (0.7, 0.8)]
    (x0, y0), (x1, y1) = (
        (box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in place
    )
    page.mouse.move(x0, y0)
    page.mouse.down()
    page.mouse.move(x1, y1, steps=4)
    page.mouse.up()
    view.until("app.run.catalog.nShown < app.run.catalog.n")
    ranges = view.state("ranges")
    assert set(ranges) == set(columns)
    low, _ = ranges[MAGNITUDE]
    page.wait_for_function(
        "(text) => decodeURIComponent(location.hash).includes(text)", arg=f"{low:.7g}"[:6]
    )
    page.wait_for_timeout(300)  # the address follows a few times a second
    shown = chosen(table, page.evaluate("() => location.hash.slice(1)"))
    assert 0 < shown.sum() < len(table)
    marks = page.evaluate("() => [...window.morpheus.run.catalog.shown]")
    np.testing.assert_array_equal(marks, shown)
    assert page.locator(".plots .count b").inner_text() == str(shown.sum())
    view.still()
    after = pictures(page)
    assert len(after) == 4
    assert all(a != b for a, b in zip(before, after, strict=True))
    # A click beside the box takes it away.
    page.mouse.click(box["x"] + 2, box["y"] + 2)
    view.until("app.run.catalog.nShown === app.run.catalog.n")


def test_the_panel_of_a_source(drive, address, table):
    view = drive(address)
    page = view.page
    source = table[np.argmax(table["area"])]
    view.look(float(source["x"]), float(source["y"]), 0.25)
    page.mouse.click(*view.place(source["x"], source["y"]))
    view.until("app.store.state.selected === argument", int(source["id"]))
    panel = page.locator("aside.source")
    panel.locator(".bars .number").first.wait_for()
    assert panel.locator("h2").inner_text() == f"Source {source['id']}"
    shown = [
        text.split("±")[0].strip() for text in panel.locator(".bars .number").all_inner_texts()
    ]
    names = ("spheroid", "disk", "irregular", "point_source")
    assert shown == [f"{source[f'p_{name}']:.2f}" for name in names]
    widths = page.eval_on_selector_all(
        ".bar i", "(bars) => bars.map((bar) => bar.offsetWidth / bar.parentElement.offsetWidth)"
    )
    assert widths == pytest.approx([source[f"p_{name}"] for name in names], abs=0.02)
    panel.get_by_text("All measurements").click()
    rows = page.eval_on_selector_all(
        ".source table tr",
        "(rows) => rows.map((r) => [r.cells[0].innerText, r.cells[1].innerText])",
    )
    assert [name for name, _ in rows] == table.colnames
    for name, cell in rows:
        value, text = source[name], cell.split()[0]
        if name == "class":
            assert text == value
        elif not np.isfinite(value):
            assert text == "\N{EN DASH}"
        else:
            assert float(text) == pytest.approx(float(value), rel=1e-5)
    flags = panel.locator(".flags li").all_inner_texts()
    expected = [flag for flag in SourceFlag if source["flags"] & flag]
    assert len(flags) == len(expected)
    # A click on the sky closes it; one on an outline does as one on the catalogue.
    for layers, selected in (["outlines"], int(source["id"])), ([], None):
        view.look(
            float(source["x"]),
            float(source["y"]),
            0.25,
            marks=False,
            selected=None if layers else int(source["id"]),
            layers=[{"id": id_, "opacity": 1, "add": False} for id_ in layers],
        )
        page.mouse.click(*view.place(source["x"], source["y"]))
        view.until("app.store.state.selected === argument", selected)


def test_neighbours(drive, address, table):
    source = table[20]
    view = drive(f"{address}#source={source['id']}")
    away = np.hypot(table["x"] - source["x"], table["y"] - source["y"])
    nearest = [int(table["id"][row]) for row in np.argsort(away)[1:7]]
    buttons = view.page.locator(".neighbours button")
    buttons.first.wait_for()
    texts = buttons.all_inner_texts()
    assert [int(text.split()[0]) for text in texts] == nearest
    shown = [float(text.split()[1].rstrip("″")) for text in texts]
    assert shown == pytest.approx(0.06 * np.sort(away)[1:7], rel=0.005, abs=0.01)
    buttons.nth(2).click()
    view.until("app.store.state.selected === argument", nearest[2])


def test_next_and_previous_of_what_is_shown(drive, address, table):
    view = drive(f"{address}#classes=spheroid")
    ids = [int(n) for n in table["id"][table["class"] == "spheroid"]]
    for expected in (*ids[:3],):
        view.page.keyboard.press("n")
        view.until("app.store.state.selected === argument", expected)
    view.page.keyboard.press("p")
    view.until("app.store.state.selected === argument", ids[1])
    view.page.locator("aside.source").get_by_role("button", name="Previous source").click()
    view.until("app.store.state.selected === argument", ids[0])
    view.page.keyboard.press("p")  # round
    view.until("app.store.state.selected === argument", ids[-1])
    view.page.keyboard.press("Escape")
    view.until("app.store.state.selected === null")


def test_a_shared_address_gives_the_same(drive, visit, address, table):
    view = drive(address, permissions=["clipboard-read", "clipboard-write"])
    page = view.page
    view.look(101.5, 77, 0.25)
    view.tab("Layers")
    for name in ("Background", "Outlines"):
        page.locator(".layer", has_text=name).first.get_by_role("checkbox").first.check()
    row = page.locator(".layer", has_text="F606W").last
    row.get_by_role("checkbox").first.check()
    row.get_by_label("Stretch").select_option("log")
    row.get_by_role("slider").first.fill("0.35")
    page.get_by_label("Colours").select_option("paper")
    page.evaluate(
        """() => {
          const app = window.morpheus;
          app.setRanges({ f160w_mag_kron: [21.5, Infinity], margin: [-Infinity, 0.75] });
          app.store.set({ classes: ["disk", "spheroid"], without: 5, sexagesimal: true });
          app.select(7);
        }"""
    )
    view.tab("Sources")
    page.get_by_role("button", name="Dark or light").click()
    view.still()
    page.get_by_role("button", name="Share").click()
    page.get_by_text("The address of this view is copied.").wait_for()
    link = page.evaluate("() => navigator.clipboard.readText()")
    assert link.startswith(f"{address}#")
    again = drive(link)
    again.until("app.store.state.filterVersion > 0")
    states = [one.state() for one in (view, again)]
    for state in states:
        state.pop("filterVersion")
        state.pop("message")
    assert states[1] == states[0]
    shown = [
        one.page.evaluate("() => [...window.morpheus.run.catalog.shown]") for one in (view, again)
    ]
    assert shown[0] == shown[1]
    assert 0 < sum(shown[0]) < len(table)
    center = again.page.evaluate("() => window.morpheus.view.getCenter()")
    assert center == pytest.approx([101.5, 77], abs=0.5)
    # An address can be typed into an open page as well.
    page.evaluate("() => (location.hash = 'at=50,60,0.5&classes=irregular')")
    view.until("app.store.state.classes?.[0] === 'irregular' && app.view.getResolution() === 0.5")
    view.until("app.run.catalog.nShown === argument", int((table["class"] == "irregular").sum()))


@pytest.mark.parametrize(
    "address_part",
    ["at=1,2", "layers=nothing~1~0|rgb~7~0", "range.nothing=1,2", "stretch.F160W=a,b,c,d", "%%%",
     "classes=<script>", "source=abc", "palette=x&theme=y&tab=z", "without=-1.5", "at=0,0,-1"],
)  # fmt: skip
def test_an_address_that_says_nothing(drive, address, address_part):
    view = drive(f"{address}#{address_part}")
    assert view.page.locator("h1").inner_text().strip() == "demo"


def saved(page, name, path):
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    download.value.save_as(path)
    return download.value.suggested_filename


def test_the_table_is_saved(drive, address, table, tmp_path):
    view = drive(f"{address}#tab=sources&classes=disk,irregular&range.f160w_snr=10,")
    assert saved(view.page, "Save table", tmp_path / "a.csv") == "demo.csv"
    shown = np.isin(table["class"], ["disk", "irregular"]) & (values_of(table, "f160w_snr") >= 10)
    found, expected = Table.read(tmp_path / "a.csv", format="ascii.csv"), table[shown]
    assert found.colnames == table.colnames
    assert 0 < len(found) == shown.sum() < len(table)
    for name, kind in types(table).items():
        if kind == "text":
            assert list(found[name]) == list(expected[name])
        else:
            values = np.ma.filled(np.ma.asarray(found[name], float), np.nan)
            np.testing.assert_array_equal(values.astype(kind), values_of(expected, name))


def test_regions_are_saved(drive, address, table, tmp_path):
    view = drive(f"{address}#tab=sources&classes=disk")
    assert saved(view.page, "Save regions", tmp_path / "a.reg") == "demo.reg"
    expected = table[table["class"] == "disk"]
    found = Regions.read(tmp_path / "a.reg", format="ds9")
    assert len(found) == len(expected)
    for region, source in zip(found, expected, strict=True):
        assert isinstance(region, EllipseSkyRegion)
        assert str(region.meta["text"]) == str(source["id"])
        assert region.center.ra.deg == pytest.approx(source["ra"], abs=1e-7)
        assert region.center.dec.deg == pytest.approx(source["dec"], abs=1e-7)


def test_python_writes_the_same_regions(drive, address, table, tmp_path):
    """Also of sources without a position, a Kron aperture, a shape or a known class."""
    view = drive(f"{address}#tab=sources")
    undefined = {"ra": [2], "dec": [2], "kron_semi_major": [3, 4], "semi_major": [4],
                 "ellipticity": [5], "position_angle": [6]}  # fmt: skip
    view.page.evaluate(
        """async (undefined) => {
          const { catalog } = window.morpheus.run;
          await catalog.load(...Object.keys(undefined));
          for (const [name, rows] of Object.entries(undefined)) {
            for (const row of rows) catalog.column(name)[row] = NaN;
          }
          catalog.classOf[7] = 255;
        }""",
        undefined,
    )
    saved(view.page, "Save regions", tmp_path / "a.reg")
    same = table.copy()
    for name in undefined:
        same[name] = values_of(table, name).astype(float)
    for name, rows in undefined.items():
        same[name][rows] = np.nan
    same["class"] = same["class"].astype(object)
    same["class"][7] = "unknown"
    write_regions(same, 0.06, tmp_path / "b.reg")
    assert (tmp_path / "a.reg").read_text() == (tmp_path / "b.reg").read_text()
    assert len(Regions.read(tmp_path / "a.reg", format="ds9")) == len(table) - 1


def test_outlines_follow_what_is_chosen(drive, address, table):
    """Also when what is chosen comes from an address that is typed into an open page."""
    view = drive(address)
    layers = "layers=outlines~1~0&marks=0&at=144,144,0.25"
    view.look(144, 144, 0.25, marks=False, layers=[{"id": "outlines", "opacity": 1, "add": False}])
    y, x = (part.ravel() for part in np.mgrid[70:220, 40:240])
    everything = view.colors(x, y)
    view.page.evaluate("(hash) => (location.hash = hash)", f"{layers}&classes=spheroid")
    view.until("app.store.state.classes?.length === 1 && app.store.state.filterVersion > 0")
    view.still()
    spheroids = view.colors(x, y)
    assert (everything != spheroids).any()
    view.page.evaluate("(hash) => (location.hash = hash)", f"{layers}&classes=disk")
    view.until("app.store.state.classes?.[0] === 'disk' && app.store.state.filterVersion > 0")
    view.still()
    disks = view.colors(x, y)
    assert (disks != spheroids).any()
    blue = (disks == (86, 180, 233)).all(axis=1)
    assert blue.any()
    assert (disks[~blue] == (11, 13, 16)).all()
