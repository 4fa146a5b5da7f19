"""How fast `morpheus classify` is, from FITS to FITS, and where the time goes.

`make bench` measures, in one run on one machine: the floor (float32 matrix multiplication), the
network alone, the stages of the loop, whole runs of the exact and the fast preset, and the memory
of a large image. It prints Markdown tables; docs/performance.md holds those that were kept.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from morpheus.inference import InferenceOptions, make_engine
from morpheus.inference.accumulate import Accumulator
from morpheus.inference.engine import available_threads
from morpheus.model import Model, find_model, load_model
from morpheus.model.normalise import standardise_jointly

ROOT = Path(__file__).parents[1]
BANDS = ("f160w", "f125w", "f606w", "f850lp")
WHOLE_MFLOP = 81.0  # multiplications and additions of the network, all of a window
NEEDED_MFLOP = 62.3  # of these, what the inner 30 x 30 pixels need in the last three convolutions
MEBI, MICRO = 2**20, 1e-6


def processor_name() -> str:
    """Name of the processor, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def median_time(action: Callable[[], object], repeats: int = 30) -> float:
    """Median wall time of an action, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def matrix_rate(size: int = 2048) -> float:
    """Float32 matrix multiplication on all cores, FLOP/s."""
    a = np.random.default_rng(0).random((size, size), np.float32)
    a @ a
    return 2 * size**3 / median_time(lambda: a @ a, 10)


def network_time(model: Model, precision: str, seconds: float = 4.0) -> float:
    """Wall time per window of the network alone, all cores busy."""
    engine = make_engine(model, InferenceOptions(precision=precision))  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(engine.batch_size, 4, 40, 40)).astype(np.float32)

    def work(end: float) -> int:
        n = 0
        while time.perf_counter() < end:
            engine(windows)
            n += len(windows)
        return n

    with ThreadPoolExecutor(engine.workers) as pool:
        list(pool.map(work, [time.perf_counter() + 0.5] * engine.workers))  # warm up
        start = time.perf_counter()
        n = sum(pool.map(work, [start + seconds] * engine.workers))
        return (time.perf_counter() - start) / n


def stage_times(model: Model) -> dict[str, float]:
    """Time per window of the stages of the loop, each alone on one core."""
    engine = make_engine(model, InferenceOptions(threads=1))
    n = engine.batch_size
    image = np.random.default_rng(0).normal(0.01, 0.05, (4, 100, 300)).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(image, (40, 40), axis=(1, 2))

    def cut() -> NDArray[np.float32]:
        return np.concatenate([views[:, 3, 5 : 5 + n].swapaxes(0, 1)])

    windows = cut()
    normalised = standardise_jointly(windows)
    probabilities = engine(normalised)
    sums = Accumulator.zeros(5, 100, 300)
    return {
        "cut windows": median_time(cut) / n,
        "standardise": median_time(lambda: standardise_jointly(windows)) / n,
        "network": median_time(lambda: engine(normalised)) / n,
        "aggregate": median_time(lambda: sums.add(probabilities, 3, 5, 1)) / n,
    }


def make_mosaic(folder: Path, size: int) -> list[Path]:
    """Repeat the demo's field until it fills an image of `size` pixels."""
    paths = []
    for band in BANDS:
        image, header = fits.getdata(ROOT / f"demo/field/{band}_sci.fits.fz", header=True)
        paths.append(folder / f"{band}_{size}.fits")
        pad = [(0, max(0, size - n)) for n in image.shape]
        mosaic = np.pad(np.nan_to_num(image), pad, mode="wrap")[:size, :size]
        fits.writeto(paths[-1], mosaic, header, overwrite=True)
    return paths


def run_command(folder: Path, size: int, *options: str) -> tuple[float, float, dict[str, float]]:
    """Wall time in s, peak memory in MiB and stage times of one `morpheus classify`."""
    images = make_mosaic(folder, size)
    output = folder / "out"
    program = "from morpheus.cli import main; main()"
    command = [sys.executable, "-c", program, "classify", "-m", "hausen2020", *map(str, images)]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "-o", str(output), "--overwrite", "--quiet", *options])
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"morpheus classify failed (status {status})")
    seconds = json.loads((output / "report.json").read_text())["seconds"]
    scale = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return wall, usage.ru_maxrss * scale / MEBI, seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--size", type=int, default=600, help="side of the timed image, in pixels")
    parser.add_argument(
        "--memory-size", type=int, default=2000, help="side for the memory, 0: skip"
    )
    arguments = parser.parse_args()
    model = load_model(find_model("hausen2020"))

    rate = matrix_rate()
    print(f"{processor_name()}, {available_threads()} cores, {platform.system()}")
    print(f"float32 matrix multiplication: {rate / 1e9:.0f} GFLOP/s\n")
    print("| network alone | ms/window | GFLOP/s needed | of the float32 matrix rate |")
    print("|---|---|---|---|")
    for name, precision in (("float32", "float32"), ("bfloat16, where there is", "auto")):
        t = network_time(model, precision)
        flops = NEEDED_MFLOP * 1e6 / t
        print(f"| {name} | {t * 1e3:.3f} | {flops / 1e9:.0f} | {flops / rate:.0%} |")

    print("\n| stage, one core | us/window | share of the network |")
    print("|---|---|---|")
    stages = stage_times(model)
    for name, t in stages.items():
        print(f"| {name} | {t / MICRO:.1f} | {t / stages['network']:.1%} |")

    with tempfile.TemporaryDirectory() as temporary:
        folder, size = Path(temporary), arguments.size
        print(
            f"\n| {size} x {size} pixels, FITS to FITS | s | ms/window position | windows/s |",
            end="",
        )
        print(" GFLOP/s (whole network) | start-up s | peak MiB |")
        print("|---|---|---|---|---|---|---|")
        positions = (size - 39) ** 2
        for name, share in (("exact", 1.0), ("fast", 1 / 9)):
            wall, memory, seconds = run_command(folder, size, "--preset", name)
            windows = positions * share
            flops = windows * WHOLE_MFLOP * 1e6 / wall
            print(
                f"| {name} | {wall:.1f} | {wall / positions * 1e3:.3f} | {windows / wall:,.0f} |"
                f" {flops / 1e9:.0f} | {wall - seconds['classify']:.1f} | {memory:.0f} |"
            )
        if arguments.memory_size:
            size = arguments.memory_size
            wall, memory, _ = run_command(folder, size, "--preset", "fast")
            print(
                f"\nPeak memory at {size} x {size} pixels: {memory:.0f} MiB ({wall:.0f} s, fast)."
            )


if __name__ == "__main__":
    main()
