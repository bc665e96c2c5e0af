#!/usr/bin/env python3
"""Makes the folder that gpu-check is carried in to a machine with a driver and Python, and without a network.

    python3 bench/gpu/pack.py --binary bin/textmill --to .cache/gpu-pack --architecture 90

It holds the binary without symbols, ONNX Runtime's build for cards with the machine code of one architecture, two
tokenizers, and the scripts: at most 90 MB. CUDA's own libraries are not in it; the check takes those of a PyTorch that
is installed there, or of the system.
"""
import argparse
import lzma
import os
import pathlib
import shutil
import struct
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MOST = 90_000_000
MARK = 0xBA55ED50  # a region of machine code begins with it, and with the lengths of its header and of all that follows
MACHINE_CODE = 2   # the kind of an entry; another is PTX


def regions(data):
    """Offset and size of the sections of an ELF file that hold machine code for cards."""
    if data[:6] != b"\x7fELF\x02\x01":
        raise SystemExit("no ELF file of 64 bits, little-endian")
    table, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, table + i * size) for i in range(count)]
    strings = headers[names][4]
    for name, _, _, _, offset, length in headers:
        end = data.index(b"\0", strings + name)
        if bytes(data[strings + name:end]) in (b".nv_fatbin", b"__nv_relfatbin"):
            yield offset, length


def thin(data, architecture):
    """Writes zeros over the code of all other architectures; nothing moves, so that the library loads as before."""
    kept = 0
    for offset, length in regions(data):
        at, end = offset, offset + length
        while at + 16 <= end:
            mark, _, header, body = struct.unpack_from("<IHHQ", data, at)
            if mark != MARK:
                at += 8
                continue
            entry, stop = at + header, at + header + body
            while entry < stop:
                kind, _, head, payload = struct.unpack_from("<HHIQ", data, entry)
                of, = struct.unpack_from("<I", data, entry + 28)
                if kind == MACHINE_CODE and of == architecture:
                    kept += payload
                else:
                    data[entry + head:entry + head + payload] = bytes(payload)
                entry += head + payload
            at = (stop + 7) & ~7
    if kept == 0:
        raise SystemExit(f"the library has no machine code for architecture {architecture}")
    return kept


def home():
    """Where textmill keeps things."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return pathlib.Path(os.environ.get("TEXTMILL_HOME") or cache / "textmill")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--print-home", action="store_true", help="say where textmill keeps things, and no more")
    p.add_argument("--binary", type=pathlib.Path)
    p.add_argument("--home", type=pathlib.Path, default=home(), help="where textmill setup --device cuda put things")
    p.add_argument("--to", type=pathlib.Path)
    p.add_argument("--architecture", type=int, default=90, help="90 is Hopper (H100, H200), 80 Ampere, 89 Ada, 120 Blackwell")
    a = p.parse_args()
    if a.print_home:
        return print(a.home)
    shutil.rmtree(a.to, ignore_errors=True)
    a.to.mkdir(parents=True)
    shutil.copy(a.binary, a.to / "textmill")
    subprocess.run(["strip", a.to / "textmill"], check=True)
    compress(a.to / "textmill.xz", (a.to / "textmill").read_bytes())
    (a.to / "textmill").unlink()
    library = a.home / "lib" / "cuda"
    for name in ("libonnxruntime.so", "libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"):
        data = bytearray((library / name).read_bytes())
        if name.endswith("cuda.so"):
            print(f"{name}: {thin(data, a.architecture) >> 20} of {len(data) >> 20} MiB are kept")
        compress(a.to / "lib" / (name + ".xz"), data)
    for part, model in (("encoder", "all-MiniLM-L6-v2"), ("decoder", "SmolLM2-135M-Instruct")):
        (a.to / "carried" / part).mkdir(parents=True)
        shutil.copy(a.home / "models" / model / "tokenizer.json", a.to / "carried" / part)
    for script in ("check.py", "shapes.py", "peers.py"):
        shutil.copy(HERE / script, a.to)
    size = sum(f.stat().st_size for f in a.to.rglob("*") if f.is_file())
    print(f"{a.to}: {size / 1e6:.1f} MB. There: python3 check.py")
    return 0 if size <= MOST else print(f"more than {MOST / 1e6:.0f} MB", file=sys.stderr) or 1


def compress(path, data):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(lzma.compress(bytes(data), preset=6))


if __name__ == "__main__":
    sys.exit(main())
