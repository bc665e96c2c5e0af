"""Writes rows.parquet: three row groups of two rows, with a null text, bytes that are not UTF-8, and a nested column;
and structs.parquet, whose structs are null as a whole or in parts, with a column whose name looks like a path into one."""
import pathlib
import pyarrow as pa
import pyarrow.parquet as pq

here = pathlib.Path(__file__).parent
table = pa.table({
    "id": pa.array(["a", "b", "c", "d", "e", None]),
    "text": pa.array([b"one", None, b"three", b"\xff", b"five" * 300, b"six"], pa.binary()),
    "n": pa.array([1, 2, None, 4, 5, 6]),
    "tags": pa.array([["x"], [], None, ["y"], [], []]),
})
pq.write_table(table, here / "rows.parquet", row_group_size=2)

author = pa.struct([("name", pa.string())])
meta = pa.struct([("title", pa.string()), ("lang", pa.string()), ("n", pa.int32()), ("author", author), ("tags", pa.list_(pa.string()))])
rows = [
    {"title": "T1", "lang": "inner", "n": 1, "author": {"name": "Ada"}, "tags": ["x", "y"]},
    None,
    {"title": None, "lang": "inner", "n": 3, "author": None, "tags": []},
    {"title": "T4", "lang": None, "n": None, "author": {"name": None}, "tags": None},
]
table = pa.table({
    "id": pa.array(["a", "b", "c", "d"]),
    "meta": pa.array(rows, meta),
    "meta.lang": pa.array(["en", "de", None, "fr"]),
    "body": pa.array(["B1", "B2", "B3", None]),
})
pq.write_table(table, here / "structs.parquet", row_group_size=3)
