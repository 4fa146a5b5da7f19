"""How a whole run grows: with pixels, memory, workers and sources.

`make bench-scale` simulates tiles of 1024 x 1024 pixels (CANDELS deep), puts them together to
fields, and runs `morpheus run` on them as a user does, FITS in, catalogue and pictures out, in
processes of its own whose memory is watched, with `--memory 3GB`. It prints tables: time against
pixels, peak memory against pixels, time against workers, time against sources, and what every stage
took.

Memory is the sum over all processes of the run: `rss` counts pages that processes share once for
each of them, `pss` once in all.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from astropy.io import fits

from bench_classify import matrix_rate, processor_name
from morpheus.inference.engine import available_threads
from morpheus.simulate import FieldOptions, image_header, simulate_field

MEGA, GIGA = 1e6, 1e9
TILE = 1024
BANDS = ("F160W", "F125W", "F606W", "F850LP")
BUDGET = "3GB"
PROGRAM = "from morpheus.cli import main; main()"


@dataclass(frozen=True)
class Run:
    """What a run took: wall and processor seconds, peak bytes, and what it says of itself."""

    seconds: float
    rss: int
    pss: int
    record: dict
    n_sources: int


def simulate_tiles(folder: Path, n: int, density: float) -> None:
    """Simulate tiles, images and weights in the four bands."""
    for k in range(n):
        path = folder / f"tile-{density:g}-{k}.npz"
        if path.exists():
            continue
        field = simulate_field(
            FieldOptions(size=TILE, seed=60_000 + k, density=density, defects=False)
        )
        planes, header = {}, None
        for band, image, weight in zip(
            field.survey.bands, field.images, field.weights, strict=True
        ):
            if band.name in BANDS:
                header = image_header(field, band)
                planes |= {f"{band.name}_sci": image, f"{band.name}_wht": weight}
                header.tofile(folder / f"{band.name}.hdr", overwrite=True)
        np.savez(path, **planes)
        print(f"tile {k + 1} of {n}", file=sys.stderr)


def make_field(folder: Path, side: int, density: float, n_tiles: int) -> dict[str, list[str]]:
    """Put tiles together to a field; where there are not enough, they are flipped."""
    across = side // TILE
    arguments = []
    for band in BANDS:
        header = fits.Header.fromfile(folder / f"{band}.hdr")
        for card in ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "EXTEND"):
            header.remove(card, ignore_missing=True)
        for kind, option in (("sci", "--band"), ("wht", "--weight")):
            image = np.empty((side, side), np.float32)
            for k in range(across**2):
                y, x = divmod(k, across)
                with np.load(folder / f"tile-{density:g}-{k % n_tiles}.npz") as tile:
                    plane = tile[f"{band}_{kind}"]
                turned = plane[:: 1 - 2 * (k // n_tiles % 2), :: 1 - 2 * (k // n_tiles // 2 % 2)]
                image[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE] = turned
            path = folder / f"{band}_{kind}_{side}.fits"
            fits.writeto(path, image, header, overwrite=True)
            arguments += [option, f"{band}={path}"]
    return {"arguments": arguments}


def watched(command: list[str]) -> tuple[float, int, int]:
    """Run a command; give wall seconds and the peak of all of its processes' memory."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    root = psutil.Process(process.pid)
    peaks = {"rss": 0, "pss": 0}
    while process.poll() is None:
        total = dict.fromkeys(peaks, 0)
        for one in [root, *children(root)]:
            try:
                memory = one.memory_full_info()
            except psutil.Error:
                continue
            for name in total:
                total[name] += getattr(memory, name)
        peaks = {name: max(peaks[name], total[name]) for name in peaks}
        time.sleep(0.2)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {process.returncode}")
    return seconds, peaks["rss"], peaks["pss"]


def children(process: psutil.Process) -> list[psutil.Process]:
    """Give the processes that a process has started, and those that they have."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def run(arguments: list[str], output: Path, *options: str) -> Run:
    """Run `morpheus run`."""
    shutil.rmtree(output, ignore_errors=True)
    command = [sys.executable, "-c", PROGRAM, "run", "-q", *arguments, "-o", str(output), *options]
    seconds, rss, pss = watched(command)
    report = json.loads((output / "report.json").read_text())
    return Run(seconds, rss, pss, report["run"], report["files"]["catalog.fits"]["n_sources"])


def classifying(one: Run) -> float:
    """Give the seconds of the classification stage."""
    return float(one.record["seconds"]["classify"])


def pixels_table(folder: Path, sides: list[int], density: float, n_tiles: int) -> dict[int, Run]:
    """Print time and memory against pixels."""
    print(
        "\n| pixels | sources | all, s | of these start-up | Mpixel/s, all | Mpixel/s, classified |"
        " peak rss, MB | peak pss, MB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    runs = {}
    for side in sides:
        field = make_field(folder, side, density, n_tiles)
        one = runs[side] = run(field["arguments"], folder / "out", "--memory", BUDGET)
        inside = sum(one.record["seconds"].values())
        print(
            f"| {side:,} x {side:,} | {one.n_sources:,} | {one.seconds:.1f}"
            f" | {one.seconds - inside:.1f} | {side**2 / one.seconds / MEGA:.2f}"
            f" | {side**2 / classifying(one) / MEGA:.2f} | {one.rss / MEGA:.0f}"
            f" | {one.pss / MEGA:.0f} |"
        )
    n = np.array([side**2 for side in runs], float)
    seconds = np.array([one.seconds for one in runs.values()])
    slope, start = np.polyfit(n, seconds, 1, w=1 / seconds)
    off = np.abs(start + slope * n - seconds) / seconds
    print(
        f"\nA line through these: {start:.1f} s + {slope * MEGA:.2f} s for each million pixels;"
        f" times are off it by {', '.join(f'{x:.0%}' for x in off)}."
    )
    return runs


def stages_table(one: Run, side: int) -> None:
    """Print what each stage took."""
    print(f"\n| stage of {side:,} x {side:,} pixels | wall, s | processor, s | tasks |")
    print("|---|---|---|---|")
    for name, cost in one.record["stages"].items():
        print(f"| {name} | {cost['seconds']:.1f} | {cost['cpu_seconds']:.1f} | {cost['tasks']} |")
    for name in ("write maps", "write segmentation", "pictures"):
        print(f"| {name} (this process) | {one.record['seconds'][name]:.1f} | | |")


def workers_table(folder: Path, side: int) -> None:
    """Print time against workers; chunks are the same."""
    arguments = field_arguments(folder, side)
    print("\n| workers | all, s | classify, s | efficiency, all stages | efficiency, classify |")
    print("|---|---|---|---|---|")
    runs = {
        n: run(arguments, folder / "out", "--chunk", "1792", "--threads", str(n)) for n in (1, 2)
    }
    for n, one in runs.items():
        stages, alone = (stage_seconds(each) for each in (one, runs[1]))
        print(
            f"| {n} | {one.seconds:.1f} | {classifying(one):.1f} | {alone / n / stages:.0%}"
            f" | {classifying(runs[1]) / n / classifying(one):.0%} |"
        )


def stage_seconds(one: Run) -> float:
    """Give the wall time of what workers do."""
    return float(sum(cost["seconds"] for cost in one.record["stages"].values()))


def field_arguments(folder: Path, side: int) -> list[str]:
    """Give the options of a field that was made."""
    kinds = (("sci", "--band"), ("wht", "--weight"))
    return [
        text
        for band in BANDS
        for kind, option in kinds
        for text in (option, f"{band}={folder / f'{band}_{kind}_{side}.fits'}")
    ]


def sources_table(folder: Path, side: int, densities: list[float], n_tiles: int) -> None:
    """Print time against sources, at the same number of pixels."""
    print("\n| sources | all, s | segment, s | catalogue, s | ms a source and worker |")
    print("|---|---|---|---|---|")
    for density in densities:
        simulate_tiles(folder, n_tiles, density)
        field = make_field(folder, side, density, n_tiles)
        one = run(field["arguments"], folder / "out", "--chunk", "896")
        catalogue, workers = one.record["seconds"]["catalog"], one.record["workers"]
        print(
            f"| {one.n_sources:,} | {one.seconds:.1f} | {one.record['seconds']['segment']:.1f}"
            f" | {catalogue:.1f} | {catalogue * workers / one.n_sources * 1e3:.1f} |"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 2048, 4096, 8192])
    parser.add_argument("--tiles", type=int, default=16, help="that are simulated")
    parser.add_argument("--density", type=float, default=150.0, help="as of morpheus simulate")
    parser.add_argument("--folder", type=Path, help="where tiles are kept for another time")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) if arguments.folder is None else arguments.folder
        folder.mkdir(parents=True, exist_ok=True)
        print(
            f"{processor_name()}, {available_threads()} cores; float32 matrices"
            f" {matrix_rate() / GIGA:.0f} GFLOP/s"
        )
        simulate_tiles(folder, arguments.tiles, arguments.density)
        runs = pixels_table(folder, arguments.sides, arguments.density, arguments.tiles)
        stages_table(runs[arguments.sides[-1]], arguments.sides[-1])
        workers_table(folder, arguments.sides[-1])
        density = arguments.density
        sources_table(folder, 2048, [density / 3, density, 3 * density], min(4, arguments.tiles))


if __name__ == "__main__":
    main()
