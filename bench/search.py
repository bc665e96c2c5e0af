#!/usr/bin/env python3
"""One question to a million vectors of 384 floats: warm, and cold beside dd over the same files.

Cold means that no page of the table's files is in memory (POSIX_FADV_DONTNEED). The search reads the vectors only, dd all bytes of
the files; what is compared is bytes a second. Runs alternate, and medians count.
"""

import argparse
import os
import pathlib
import re
import resource
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def search(binary: str, args: argparse.Namespace, times: int, questions: int = 1) -> tuple[float, int, float]:
    """Seconds of a search, bytes of vectors that it read, and processor seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run(
        [binary, "-test.run", "^$", "-test.bench", "^BenchmarkNearest$", "-test.benchtime", f"{times}x", "-test.count", "1", "-tables", args.tables, "-rows", str(args.rows),
         "-precision", args.precision, "-questions", str(questions)], cwd=ROOT / "search", check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = next(line for line in out.splitlines() if line.startswith("BenchmarkNearest"))
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return float(re.search(r"([\d.e+]+) ns/op", line)[1]) / 1e9, int(float(re.search(r"([\d.e+]+) bytes", line)[1])), used / times


def forget(files: list[pathlib.Path]) -> None:
    for f in files:
        fd = os.open(f, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def dd(files: list[pathlib.Path]) -> float:
    begun = time.monotonic()
    for f in files:
        subprocess.run(["dd", f"if={f}", "of=/dev/null", "bs=1M", "status=none"], check=True)
    return time.monotonic() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--tables", default=str(ROOT / ".cache" / "bench-search"), help="where the table is kept")
    args = parser.parse_args()
    binary = str(ROOT / ".cache" / "search.test")
    subprocess.run(["go", "test", "-c", "-o", binary, "./search"], cwd=ROOT, check=True)
    search(binary, args, 1)  # makes the table
    files = sorted(pathlib.Path(args.tables, f"{args.precision}-{args.rows}", "docs").glob("*.parquet"))
    whole = sum(f.stat().st_size for f in files)
    ratios, colds, warms, used = [], [], [], []
    for _ in range(args.pairs):
        forget(files)
        plain = whole / dd(files)
        forget(files)
        took, size, _ = search(binary, args, 1)
        colds.append(took)
        ratios.append(size / took / plain)
        print(f"cold: {took:.2f} s, {size / took / 1e6:.0f} MB/s of vectors; dd {plain / 1e6:.0f} MB/s of the files: {ratios[-1]:.2f} x", flush=True)
        dd(files)
        took, _, cpu = search(binary, args, 3)
        warms.append(took)
        used.append(cpu)
        print(f"warm: {took:.2f} s, {cpu:.2f} s of processor time", flush=True)
    many, _, cpu = search(binary, args, 1, 100)
    print(f"{args.rows} rows, {args.precision}, {size} bytes of vectors in {len(files)} files of {whole} bytes")
    print(f"medians: warm {statistics.median(warms):.2f} s ({statistics.median(used):.2f} s of processor time), cold {statistics.median(colds):.2f} s, {statistics.median(ratios):.2f} x the rate of dd; 100 questions at once, warm: {many:.2f} s ({cpu:.2f} s)")


if __name__ == "__main__":
    main()
