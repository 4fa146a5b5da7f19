"""How quick the map is on a large field: first view, tiles, sources.

The field is made of copies of the demo's (`make demo` first): 30 x 30 of them are 8,700 x 8,700
pixels with about 54,000 sources, with all products of a run. It is served by `morpheus view` in a
process of its own; tiles are fetched by HTTP, one after the other and in an order by chance, and
the page is opened in Chromium, which has no GPU here unless the machine has one. Also written is
how long the export takes.

    python benchmarks/bench_view.py demo-output/out --copies 30
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table, vstack
from playwright.sync_api import Page, sync_playwright

from bench_classify import processor_name
from morpheus.catalog import Catalog

PROGRAM = "from morpheus.cli import main; main()"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SETTLED = "() => performance.getEntriesByName('first view').length > 0"
SINCE_OPENED = "() => performance.getEntriesByName('first view')[0].startTime"
FRAMES = """async () => {
  const view = window.morpheus.view;
  const [x, y] = view.getCenter();
  const times = [];
  let last = performance.now();
  for (let i = 0; i < 60; i++) {
    view.setCenter([x + 40 * i, y + 25 * i]);
    await new Promise(requestAnimationFrame);
    times.push(performance.now() - last);
    last = performance.now();
  }
  return times.slice(5);
}"""
FILTER = """async () => {
  const began = performance.now();
  await window.morpheus.run.catalog.filter({ranges: {f160w_mag_kron: [22, 25]}, classes: null,
    without: 0});
  return performance.now() - began;
}"""


def make_field(run: Path, folder: Path, copies: int) -> Path:
    """Put copies of a run side by side; give the folder of the large one."""
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    out, images = folder / "out", folder / "images"
    out.mkdir(parents=True)
    images.mkdir()
    inputs = []
    for entry in report["inputs"]:
        if entry["kind"] != "image":
            continue
        with fits.open(entry["path"]) as hdus:
            hdu = hdus[entry["hdu"]] if entry["hdu"] else hdus[0]
            data, header = np.tile(hdu.data, (copies, copies)), plain(hdu.header)
        path = images / f"{entry['band']}.fits"
        fits.writeto(path, data.astype(np.float32), header)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        record = {"path": str(path), "hdu": None, "sha256": digest, "shape": data.shape}
        inputs.append({**entry, **record})
    for name in report["products"]:
        with fits.open(run / name) as hdus:
            fits.writeto(out / name, np.tile(hdus[0].data, (copies, copies)), hdus[0].header)
    catalog = Catalog.read(run / "catalog.fits")
    height, width = (int(n) for n in report["inputs"][0]["shape"])
    with fits.open(run / "segmap.fits") as hdus:
        labels = np.tile(hdus["SEGMAP"].data, (copies, copies))
        place = np.arange(copies * copies).reshape(copies, copies) * len(catalog)
        labels += np.where(labels > 0, np.kron(place, np.ones((height, width), np.int32)), 0)
        hdus["SEGMAP"].data = labels.astype(np.int32)
        digest = hashlib.sha256(np.ascontiguousarray(labels, "<i4").data).hexdigest()
        hdus["MASK"].data = np.tile(hdus["MASK"].data, (copies, copies))
        hdus.writeto(out / "segmap.fits")
    parts = []
    for j in range(copies):
        for i in range(copies):
            part: Table = catalog.table.copy(copy_data=True)
            part["id"] += (j * copies + i) * len(catalog)
            for axis, step in (("x", i * width), ("y", j * height)):
                for name in (axis, f"{axis}_min", f"{axis}_max"):
                    part[name] += step
            parts.append(part)
    table = vstack(parts, metadata_conflicts="silent")
    (out / "report.json").write_text(json.dumps({**report, "inputs": inputs, "files": {}}))
    made_from = {**catalog.provenance["segmentation"], "labels_sha256": digest}
    Catalog(table, {**catalog.provenance, "segmentation": made_from}).write(out / "catalog.fits")
    record = json.loads((out / "report.json").read_text(encoding="utf-8"))
    record["files"] = report["files"]
    (out / "report.json").write_text(json.dumps(record), encoding="utf-8")
    return out


def plain(header: fits.Header) -> fits.Header:
    """Give a header without what describes its compression."""
    kept = header.copy(strip=True)
    for card in ("CHECKSUM", "DATASUM", "BLANK", "BZERO", "BSCALE"):
        kept.remove(card, ignore_missing=True)
    return kept


def serve(out: Path) -> tuple[subprocess.Popen[str], str, float]:
    """Start the server; give the process, its address and the seconds until it answered."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "view", str(out), "--no-browser"],
        stdout=subprocess.PIPE,
        text=True,
    )
    address = process.stdout.readline().split(" ")[0]
    return process, address, time.perf_counter() - began


def wait_for_maps(out: Path, names: Iterable[str]) -> None:
    """Wait until the server has halved all maps."""
    while not all((out / "tiles" / name).is_dir() for name in names):
        time.sleep(1)


def fetch(address: str) -> bytes:
    """Give what our own server has at an address."""
    with urllib.request.urlopen(address) as reply:  # noqa: S310 (http, on this machine)
        return reply.read()


def tiles(address: str, n: int) -> None:
    """Print how long tiles take."""
    manifest = json.loads(fetch(f"{address}runs/0/manifest.json"))
    rng = random.Random(1)  # noqa: S311 (which tiles)
    print("\n| tiles | median (ms) | 95% (ms) | longest (ms) | median size (kB) |")
    print("|---|---:|---:|---:|---:|")
    for name, one in manifest["sets"].items():
        times, sizes = [], []
        for _ in range(n):
            level = rng.randint(0, manifest["levels"])
            rows, columns = (-(-(size >> level) // manifest["tile"]) for size in manifest["shape"])
            row, column = rng.randrange(rows), rng.randrange(columns)
            url = f"{address}runs/0/tiles/{name}/{level}/{row}_{column}.{one['suffix']}"
            began = time.perf_counter()
            content = fetch(url)
            times.append(1000 * (time.perf_counter() - began))
            sizes.append(len(content) / 1000)
        print(
            f"| {name} ({', '.join(one['planes'])}) | {np.median(times):.0f} |"
            f" {np.percentile(times, 95):.0f} | {max(times):.0f} | {np.median(sizes):.0f} |"
        )


def views(page: Page, address: str, name: str, state: str) -> None:
    """Print how long a view takes from the address to the last tile."""
    times = []
    for _ in range(5):
        page.goto("about:blank")
        page.goto(f"{address}{state}")
        page.wait_for_function(SETTLED)
        times.append(page.evaluate(SINCE_OPENED))
    print(f"| {name} | {np.median(times):.0f} | {max(times):.0f} |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="what `make demo` made: demo-output/out")
    parser.add_argument("--copies", type=int, default=30)
    parser.add_argument("--tiles", type=int, default=200, help="of every set")
    parser.add_argument("--no-export", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = make_field(arguments.run, Path(temporary), arguments.copies)
        side = 290 * arguments.copies
        n = len(Catalog.read(out / "catalog.fits"))
        print(f"{processor_name()}; {side} x {side} pixels, {n:,} sources")
        process, address, first = serve(out)
        wait_for_maps(out, json.loads(fetch(f"{address}runs/0/manifest.json"))["sets"])
        process.terminate()
        process.wait()
        process, address, again = serve(out)
        try:
            print(f"\nThe server answers after {first:.1f} s the first time, then {again:.1f} s.")
            size = sum(path.stat().st_size for path in (out / "tiles").rglob("*.npy"))
            print(f"Halved maps: {size / 1e6:.0f} MB.")
            tiles(address, arguments.tiles)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path=CHROMIUM, args=["--no-sandbox"]
                )
                page = browser.new_page(viewport={"width": 1440, "height": 900})
                print("\n| view | median (ms) | longest of 5 (ms) |\n|---|---:|---:|")
                views(page, address, "whole field, colour and sources", "")
                views(page, address, "the same, all classes", "#layers=classes~1~0")
                at = f"#at={side / 2},{side / 2},1"
                views(page, address, "full size", at)
                views(
                    page,
                    address,
                    "full size, classes and outlines",
                    f"{at}&layers=classes~1~0|outlines~1~0",
                )
                page.goto("about:blank")
                page.goto(address)
                page.wait_for_function(SETTLED)
                frames = page.evaluate(FRAMES)
                print(
                    f"\nA frame while the map moves, all sources in view: median"
                    f" {np.median(frames):.0f} ms, longest {max(frames):.0f} ms."
                )
                print(f"Filtering all sources: {page.evaluate(FILTER):.0f} ms.")
                browser.close()
        finally:
            process.terminate()
            process.wait()
        if not arguments.no_export:
            site, began = Path(temporary) / "site", time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", PROGRAM, "view", str(out), "--export", str(site), "-q"],
                check=True,
            )
            files = [path for path in site.rglob("*") if path.is_file()]
            size = sum(path.stat().st_size for path in files)
            print(
                f"\nThe export takes {time.perf_counter() - began:.0f} s: {len(files):,} files,"
                f" {size / 1e6:.0f} MB."
            )


if __name__ == "__main__":
    main()
