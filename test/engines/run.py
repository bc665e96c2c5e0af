"""Runs each recipe of `textmill table load` against its engine, and compares what the engine holds with the table.

    python test/engines/run.py bin/textmill .cache/engines/maketable .cache/engines/jars [ENGINE ...]
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

from deltalake import DeltaTable

import engines
import reference

ROWS, ERRORS = 1200, 12


def make(maketable, place, *args):
    subprocess.run([maketable, "-dir", str(place), "-rows", str(ROWS), "-errors", str(ERRORS), *args], check=True, stdout=subprocess.DEVNULL)
    return str(place / "docs")


def change(maketable, table):
    """Rows come, rows go, and files are merged."""
    make(maketable, pathlib.Path(table).parent, "-job", "second", "-rows", "100", "-errors", "3", "-commits", "1", "-hostile=false")
    DeltaTable(table).delete("job = 'made' AND n_tokens = 3 AND record_id < 'r0000300'")
    DeltaTable(table).optimize.compact()
    make(maketable, pathlib.Path(table).parent, "-job", "third", "-rows", "100", "-errors", "0", "-commits", "1", "-hostile=false")


def check(engine, table, maketable):
    read = reference.by_duckdb if engine.name == "deltalake" else reference.by_deltalake
    more = ["--errors"] if engine.errors else []
    version = DeltaTable(table).version()
    before = reference.normal(read(table), engine.errors, engine.zero)
    assert len(before) == ROWS + ERRORS * engine.errors, len(before)
    answer = engine.load(table, *more)
    reference.same(before, reference.normal(engine.rows()), engine.tolerance)
    vectors = {k: v for k, v in before.items() if v[1] is not None}
    reference.neighbours(vectors, answer, engine.recall)
    if engine.stored:
        engine.load(table, *more)  # again, with the same command
        reference.same(before, reference.normal(engine.rows()), engine.tolerance)
    change(maketable, table)
    after = reference.normal(read(table), engine.errors, engine.zero)
    assert 0 < len(before.keys() - after.keys()) and 0 < len(after.keys() - before.keys())
    engine.load(table, *more, "--since", str(version))
    if engine.stored:
        reference.same(after, reference.normal(engine.rows()), engine.tolerance)
        engine.load(table, *more, "--since", str(version))  # a second time there is nothing to do
        reference.same(after, reference.normal(engine.rows()), engine.tolerance)
    else:
        key = lambda r: tuple(r[c] for c in reference.KEY)
        gone = {key(r) for r in engine.gone}
        kept = {k: v for k, v in before.items() if tuple(v[0][c] for c in reference.KEY) not in gone}
        reference.same(after, kept | reference.normal(engine.rows()))
    engine.load(table)  # without the errors
    clean = reference.normal(read(table), False, engine.zero)
    reference.same(clean, reference.normal(engine.rows()), engine.tolerance)
    if engine.name == "pgvector":
        scripts(engine, table, clean)


def scripts(engine, table, clean):
    """The printed script does the same under psql, whatever the name; and what was loaded last is known."""
    name = "it's \"x\"; -- \\ %"
    engine.script(table, "--name", name)
    reference.same(clean, reference.normal(engine.rows(name)))
    assert engine.load(table, "--since", "last")
    reference.same(clean, reference.normal(engine.rows()))


def main():
    textmill, maketable, jars = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]).absolute()
    failed = passed = 0
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="textmill-engines-"))
    try:
        for name, engine in engines.every(scratch, str(pathlib.Path(textmill).absolute()), jars):
            if sys.argv[4:] and name not in sys.argv[4:]:
                continue
            begun, opened = time.monotonic(), None
            place = scratch / f"it's {name}'s \"ü\" 日本 $x"
            try:
                table = make(maketable, place, "-partition-by", "date,attribute:hostile")
                opened = engine()
                check(opened, table, maketable)
                passed += 1
                print(f"ok   {name:11} {time.monotonic() - begun:6.1f} s", flush=True)
            except BaseException:
                failed += 1
                print(f"FAIL {name}", flush=True)
                traceback.print_exc()
            finally:
                if opened:
                    opened.close()
                shutil.rmtree(place, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    os._exit(failed > 0 or passed == 0)  # threads of pyarrow abort a regular exit now and then


main()
