"""Two runs, phone, hostile text, and the map as files."""

import io
import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from morpheus.catalog import Catalog

EVIL = "<img src=x onerror=window.pwned=1>"
WORSE = '"><script>window.pwned=1</script>'


def test_two_runs_share_the_view(drive, two_runs):
    view = drive(two_runs)
    page = view.page
    view.until("app.maps.length === 2")
    assert page.locator(".pane .run").all_inner_texts() == ["demo", "one band"]
    assert page.title() == "demo / one band \N{EN DASH} Morpheus"
    x, y = view.place(144, 144)
    page.mouse.move(x, y)
    page.mouse.wheel(0, -300)
    view.still()
    centers = page.evaluate(
        """() => window.morpheus.maps.map(({ map }) => {
          const now = map.getView();
          return [...now.getCenter(), now.getResolution()];
        })"""
    )
    assert centers[0] == centers[1]
    boxes = [page.locator(".pane").nth(i).bounding_box() for i in (0, 1)]
    assert boxes[0]["width"] == pytest.approx(boxes[1]["width"], abs=2)
    page.get_by_role("button", name="Side by side").click()
    view.until("app.maps.length === 1")
    assert page.locator(".pane").count() == 1
    page.get_by_role("button", name="Side by side").click()
    view.until("app.maps.length === 2")


def test_a_source_is_the_same_in_two_runs(drive, two_runs, run_folder, other_folder):
    """By its place: runs number their sources differently."""
    view = drive(two_runs)
    view.until("app.maps.length === 2")
    first, second = (
        Table.read(folder / "catalog.fits", hdu=1) for folder in (run_folder, other_folder)
    )
    away = np.hypot(first["x"][:, None] - second["x"], first["y"][:, None] - second["y"])
    pairs = [
        (row, int(np.argmin(away[row])))
        for row in range(len(first))
        if away[row].min() < 1 and first["id"][row] != second["id"][np.argmin(away[row])]
    ]
    assert pairs
    row, other = pairs[0]
    view.page.evaluate(f"window.morpheus.select({first['id'][row]})")
    assert view.page.evaluate("window.morpheus.maps[1].selected()") == second["id"][other]
    # A click in the second map selects the source of the first that is there.
    view.page.evaluate("window.morpheus.store.set({ selected: null })")
    view.page.locator("aside.source").wait_for(state="detached")
    view.still()
    place = view.page.evaluate(
        """([x, y]) => {
          const { map } = window.morpheus.maps[1];
          map.getView().setCenter([x, y]);
          map.renderSync();
          const box = map.getTargetElement().getBoundingClientRect();
          const [dx, dy] = map.getPixelFromCoordinate([x, y]);
          return [box.x + dx, box.y + dy];
        }""",
        [float(second["x"][other]), float(second["y"][other])],
    )
    view.page.mouse.click(*place)
    view.until(f"app.store.state.selected === {first['id'][row]}")


def change_colors(change):
    fade = 1 - np.sqrt(np.abs(change))[:, None]
    full = np.where(change[:, None] < 0, [33, 102, 172], [178, 24, 43])
    return full + fade * (247 - full)


def test_the_difference_of_two_runs(drive, two_runs, run_folder, other_folder):
    view = drive(f"{two_runs}#compare=off")
    layers = [{"id": "change:background", "opacity": 1, "add": False}]
    view.look(144, 144, 0.25, marks=False, layers=layers)
    y, x = (part.ravel() for part in np.mgrid[70:220:3, 40:240:3])
    first, second = (
        fits.getdata(folder / "background_mean.fits")[y, x] for folder in (run_folder, other_folder)
    )
    change = second - first
    expected = change_colors(change)
    found = view.colors(x, y)
    # Where both are nearly equal, the root makes much of rounding.
    clear = (np.abs(change) > 0.02) & np.isfinite(change)
    assert clear.sum() > 50
    np.testing.assert_allclose(found[clear], expected[clear], atol=6)
    # The scale beside the layer's name has the same colours.
    box = view.page.locator(".change i").bounding_box()
    picture = np.asarray(Image.open(io.BytesIO(view.page.screenshot())).convert("RGB"))
    row = picture[int(box["y"] + box["height"] / 2)].astype(int)
    change = np.array([-0.75, -0.5, 0.5, 0.75])
    columns = (box["x"] + box["width"] * (1 + change) / 2).astype(int)
    np.testing.assert_allclose(row[columns], change_colors(change), atol=4)


def test_blink(drive, address):
    view = drive(address)
    shown = """() => window.morpheus.maps[0].map.getLayers().getArray()
      .filter((layer) => layer.get("id") && layer.getVisible()).map((layer) => layer.get("id"))"""
    view.page.keyboard.press("b")
    view.until("app.store.state.blink && app.store.state.layers.length === 2")
    seen = set()
    for _ in range(2):
        (now,) = view.page.evaluate(shown)
        seen.add(now)
        view.page.wait_for_function(f"(now) => ({shown})()[0] !== now", arg=now)
    assert seen == {"rgb", "classes"}
    view.page.get_by_role("button", name="Blink").click()
    view.until("!app.store.state.blink")
    assert sorted(view.page.evaluate(shown)) == ["classes", "rgb"]


def test_a_phone(drive, address, table):
    view = drive(address, width=390, height=844, has_touch=True, is_mobile=True)
    page = view.page
    sizes = "() => [document.documentElement.scrollWidth, innerWidth]"

    def fits_in(selector, least):
        box = page.locator(selector).first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 391
        assert box["y"] + box["height"] <= 845
        assert min(box["width"], box["height"]) >= least

    for name in ("Layers", "Sources", "Plots"):
        view.tab(name)
        assert page.evaluate(sizes) == [390, 390]
        fits_in(".map", 200)
        fits_in(".side .panel", 150)
    fits_in(".plot.histogram", 100)
    row = table[5]
    view.look(float(row["x"]), float(row["y"]), 0.25)
    page.touchscreen.tap(*view.place(row["x"], row["y"]))
    view.until("app.store.state.selected === argument", int(row["id"]))
    page.locator(".bars").wait_for()
    assert page.evaluate(sizes) == [390, 390]
    fits_in(".map", 200)
    fits_in("aside.source", 150)


@pytest.fixture(scope="module")
def hostile(run_folder, tmp_path_factory, start):
    """A run whose names and texts are markup."""
    folder = tmp_path_factory.mktemp("hostile") / f"run {EVIL}"
    shutil.copytree(run_folder, folder, ignore=shutil.ignore_patterns("tiles"))
    path = folder / "report.json"
    report = json.loads(path.read_text())
    report["model"]["name"] = report["started"] = WORSE
    for entry in report["inputs"]:
        if entry["band"] == "F125W":
            entry["band"] = EVIL
        if entry["band"] == "F606W":
            entry["band"] = WORSE
    path.write_text(json.dumps(report))
    catalog = Catalog.read(folder / "catalog.fits")
    table = catalog.table
    names = [str(name) for name in table["class"]]
    names[0], names[1], names[2] = EVIL, WORSE, f"=1+{EVIL}"
    table["class"] = names
    table["area"].description = WORSE
    Catalog(table, catalog.provenance).write(folder / "catalog.fits", overwrite=True)
    return start(folder), folder.name, int(table["id"][0])


def test_markup_is_text(drive, hostile, tmp_path):
    address, name, first = hostile
    view = drive(f"{address}#source={first}")
    page = view.page
    assert page.locator("h1").inner_text().strip() == name
    assert name in page.title()
    rows = page.locator(".side .layer span").all_inner_texts()
    assert {EVIL, WORSE} <= set(rows)
    page.get_by_text("All measurements").click()
    assert page.locator(".source tr", has_text="class").locator("td").inner_text().strip() == EVIL
    for part in ("Layers", "Sources", "Plots"):
        view.tab(part)
        assert page.locator("[role=tab].on").inner_text().strip() == part
    page.keyboard.press("?")
    assert WORSE in page.get_by_role("dialog").inner_text()
    page.keyboard.press("Escape")
    view.find(EVIL)
    page.get_by_role("status").wait_for()
    view.tab("Layers")
    for band in (EVIL, WORSE):
        page.locator(".layer", has_text=band).last.get_by_role("checkbox").first.check()
    view.still()
    # From the address as well.
    again = drive(view.page.evaluate("() => window.morpheus.address()"))
    assert [one["id"] for one in again.state("layers")] == [
        *("classes", f"band:{EVIL}", f"band:{WORSE}"),
    ]
    # A spreadsheet does not take it for a formula either.
    view.tab("Sources")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save table").click()
    download.value.save_as(tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text()
    assert ",=1+" not in text
    assert "\"'=1+" in text
    for one in (view, again):
        assert one.page.evaluate("() => window.pwned") is None
        assert one.page.locator("#app img[onerror], #app script").count() == 0


def test_the_map_as_files(drive, site, table):
    view = drive(site)
    page = view.page
    source = table[np.argmax(table["area"])]
    view.look(float(source["x"]), float(source["y"]), 0.25)
    page.mouse.click(*view.place(source["x"], source["y"]))
    view.until("app.store.state.selected === argument", int(source["id"]))
    page.locator(".bars").wait_for()
    page.keyboard.press("c")
    page.keyboard.press("o")
    view.tab("Plots")
    page.wait_for_selector(".plot.size .axis text")
    view.tab("Sources")
    page.locator("label", has_text="Disk").get_by_role("checkbox").uncheck()
    view.until("app.run.catalog.nShown === argument", int((table["class"] != "disk").sum()))
    view.still()
    assert view.address("classes").startswith("at=")


def test_every_layer_has_a_canvas_of_its_own(drive, address):
    """Names of bands differ in digits only, and light is added layer by layer."""
    view = drive(address)
    layers = [{"id": f"band:{band}", "opacity": 1, "add": True} for band in ("F160W", "F125W")]
    view.look(144, 144, 0.5, marks=False, layers=layers)
    names = view.page.evaluate(
        "window.morpheus.maps[0].map.getLayers().getArray().map((layer) => layer.getClassName())"
    )
    assert len(set(names)) == len(names)
    blends = view.page.evaluate(
        """[...document.querySelectorAll("[class^=layer-]")].map((e) => e.style.mixBlendMode)"""
    )
    assert blends.count("screen") == 2


def test_blink_goes_on_after_a_move(drive, address):
    view = drive(address)
    view.page.keyboard.press("b")
    view.until("app.store.state.blink && app.store.state.layers.length === 2")
    view.page.evaluate("window.morpheus.store.set({})")
    shown = view.page.evaluate(
        """window.morpheus.maps[0].map.getLayers().getArray()
          .filter((layer) => layer.get("id") && layer.getVisible()).length"""
    )
    assert shown == 1


@pytest.mark.parametrize("text", ["5000 5000 px", "1-2 3 px", "1.2.3 4 px"])
def test_places_that_are_none(drive, address, text):
    view = drive(address)
    before = view.page.evaluate("window.morpheus.view.getCenter()")
    view.page.locator("#find").fill(text)
    view.page.locator("#find").press("Enter")
    view.until("app.store.state.message === 'That position is not in the field.'")
    assert view.page.evaluate("window.morpheus.view.getCenter()") == before


@pytest.mark.parametrize("hash_", ["toString=1", "stretch.toString=asinh,0,1,ffffff"])
def test_addresses_that_mean_nothing(drive, address, hash_):
    view = drive(f"{address}#{hash_}")
    assert "toString" not in view.page.evaluate("window.morpheus.address()")
