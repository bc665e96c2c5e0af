"""Writes rows.parquet: three row groups of two rows, with a null text, bytes that are not UTF-8, and a nested column."""
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
