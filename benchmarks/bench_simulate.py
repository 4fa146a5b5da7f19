"""How fast fields are simulated, by size, density and number of processes.

`python benchmarks/bench_simulate.py` simulates fields of CANDELS' depth in four bands and prints a
Markdown table; docs/simulation.md holds the one that was kept. A first small field, which is not
measured, tabulates what all fields share.
"""

import argparse
import os
import platform
import time
from dataclasses import replace

from morpheus.simulate import FieldOptions, simulate_field


def measure(options: FieldOptions) -> tuple[float, int]:
    """Simulate a field; return the seconds and the number of its sources."""
    start = time.perf_counter()
    field = simulate_field(options)
    return time.perf_counter() - start, len(field.catalog)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How fast fields are simulated.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--densities", type=float, nargs="+", default=[50, 150, 450])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    plain = FieldOptions(seed=1)
    simulate_field(replace(plain, size=256))
    runs = [replace(plain, size=size) for size in arguments.sizes]
    middle = runs[len(runs) // 2]
    runs += [replace(middle, density=density) for density in arguments.densities]
    runs += [replace(runs[len(arguments.sizes) - 1], jobs=jobs) for jobs in arguments.jobs]
    print(f"{platform.machine()}, {os.cpu_count()} processors, four bands\n")
    print("| size | sources per arcmin2 | sources | jobs | s | pixels/s |")
    print("|---|---|---|---|---|---|")
    for options in dict.fromkeys(runs):
        seconds, n_sources = measure(options)
        print(
            f"| {options.size} | {options.density:g} | {n_sources} | {options.jobs} "
            f"| {seconds:.1f} | {options.size**2 / seconds:,.0f} |"
        )


if __name__ == "__main__":
    main()
