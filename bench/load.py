"""Measures `textmill table load --to pgvector --run` and checks each row: python bench/load.py bin/textmill maketable [ROWS]

The server is the one of test/engines, which `make test-engines` obtains; run it with that interpreter, .cache/engines/venv/bin/python.
"""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "test" / "engines"))
import engines
import numpy as np
import psycopg
import pyarrow.parquet as pq
import reference

rows = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
scratch = pathlib.Path(tempfile.mkdtemp(prefix="textmill-load-"))
server = engines.Postgres("pgvector", scratch, str(pathlib.Path(sys.argv[1]).absolute()))
try:
    subprocess.run([sys.argv[2], "-dir", str(scratch / "tables"), "-rows", str(rows), "-commits", "10"], check=True, stdout=subprocess.DEVNULL)
    table = str(scratch / "tables" / "docs")
    begun = time.time()
    done = subprocess.run([server.textmill, "table", "load", "--to", "pgvector", "--run", server.target, table], check=True, capture_output=True, text=True)
    ended = time.time()
    with psycopg.connect(server.target) as c:
        seen = 0
        wanted = {}
        for f in subprocess.run([sys.argv[1], "table", "files", table], check=True, capture_output=True, text=True).stdout.split():
            for r in pq.read_table(f, columns=reference.KEY + ["text", "error", "embedding"]).to_pylist():
                wanted[reference.row_key(r)] = (r["text"].replace("\0", "\ufffd"), np.asarray(r["embedding"], np.float32))
        with c.cursor("all") as cursor:
            cursor.itersize = 2000
            for key, text, vector in cursor.execute("SELECT row_key, text, embedding::text FROM docs"):
                want_text, want_vector = wanted.pop(key)
                assert text == want_text and np.array_equal(np.asarray(json.loads(vector), np.float32), want_vector), key
                seen += 1
    assert not wanted and seen == rows, (len(wanted), seen)
    seconds = float(re.search(r"committed in ([0-9.]+) s", done.stderr)[1])
    print(json.dumps({"rows": rows, "seconds": seconds, "rows_per_second": round(rows / seconds), "seconds_with_index": round(ended - begun, 1), "verified": seen}))
finally:
    server.close()
    shutil.rmtree(scratch)
