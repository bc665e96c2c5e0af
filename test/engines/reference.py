"""The table as readers tell it that no recipe uses for the same engine, and what a loaded row is compared by."""
import hashlib
import pathlib

import duckdb
import duckdb_extension_delta
import numpy as np
from deltalake import DeltaTable

KEY = ["task", "model_sha256", "job", "shard", "record_id", "chunk"]


def by_deltalake(path):
    return DeltaTable(path).to_pyarrow_table().to_pylist()


def by_duckdb(path):
    con = duckdb.connect()
    con.execute("SET enable_progress_bar = false")
    con.load_extension(str(next(pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension"))))
    names = [c[0] for c in con.execute(f"DESCRIBE SELECT * FROM delta_scan({quoted(path)})").fetchall()]
    return [dict(zip(names, r)) for r in con.execute(f"SELECT * REPLACE (created_at::VARCHAR AS created_at) FROM delta_scan({quoted(path)})").fetchall()]


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def row_key(row):
    parts = [row[c] for c in KEY] + ([row["error"], row["text"]] if row["error"] is not None else [])
    text = [("" if p is None else str(p)).encode() for p in parts]
    return hashlib.sha256(b"".join(b"%d:%s" % (len(t), t) for t in text)).hexdigest()


def attributes(value):
    return tuple(sorted(dict(value or {}).items()))


def normal(rows, with_errors=True, zero="\0"):
    """Rows by their key, in one form whoever read them. zero is what a zero character became."""
    out = {}
    for r in rows:
        if r["error"] is not None and not with_errors:
            continue
        v = r["embedding"]
        vector = None if v is None or len(v) == 0 else np.asarray(v, np.float32)
        kept = {c: r.get(c) for c in KEY + ["text", "error", "n_tokens", "truncated"]}
        kept["attributes"] = attributes(r["attributes"])
        kept = eval(repr(kept).replace("\\x00", zero)) if zero != "\0" else kept
        key = row_key(r) if "row_key" not in r else r["row_key"]
        assert key not in out, f"twice: {kept}"
        out[key] = (kept, vector)
    return out


def same(want, got, tolerance=0.0):
    """Fails where two tables differ, by rows, ids, texts, attributes or vectors."""
    assert len(want) == len(got), f"{len(got)} rows, want {len(want)}"
    for key, (kept, vector) in want.items():
        assert key in got, f"no row of {kept}"
        other, other_vector = got[key]
        assert kept == other, f"{other}, want {kept}"
        assert (vector is None) == (other_vector is None), kept
        if vector is not None:
            assert vector.shape == other_vector.shape and np.abs(vector - other_vector).max() <= tolerance, kept


def neighbours(want, answer, recall):
    """Holds (record_id, similarity or distance) of nearest neighbours to brute force. The first is the question itself."""
    ids = [kept["record_id"] for kept, v in want.values() if v is not None]
    matrix = np.stack([v for _, v in want.values() if v is not None]).astype(np.float64)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    assert len(answer) == 10, answer
    at = ids.index(answer[0][0])
    cosine = matrix @ matrix[at]
    for name, number in answer:
        exact = cosine[ids.index(name)]
        assert min(abs(number - exact), abs(1 - number - exact)) < 1e-2, (name, number, exact)
    best = {ids[i] for i in np.argsort(-cosine)[:10]}
    found = len(best & {name for name, _ in answer}) / 10
    assert found >= recall, f"recall {found} of the 10 nearest, want {recall}"
