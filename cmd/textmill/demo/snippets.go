package demo

import "fmt"

// Snippet is a few lines that read the table with somebody else's tool.
type Snippet struct {
	Tool string // what it needs, as pip calls it
	Code string // Python
}

// Snippets are runnable as they stand, for a table of the documentation comments at dir.
func Snippets(dir string) []Snippet {
	return []Snippet{
		{"duckdb", fmt.Sprintf(`import duckdb
print(duckdb.sql("""
  SELECT b.record_id, round(list_cosine_similarity(a.embedding, b.embedding), 3) AS similarity
  FROM delta_scan(%[1]s) a, delta_scan(%[1]s) b
  WHERE a.record_id = 'bufio.Scanner' AND b.record_id <> a.record_id
  ORDER BY similarity DESC LIMIT 5
"""))`, sqlString(dir))},
		{"polars deltalake", fmt.Sprintf(`import polars as pl
print(pl.scan_delta(%s)
  .filter(pl.col("truncated"))
  .select("record_id", "n_tokens", "n_dropped")
  .sort("n_dropped", descending=True).head(5).collect())`, pythonString(dir))},
		{"pandas deltalake pyarrow", fmt.Sprintf(`import pandas as pd
from deltalake import DeltaTable
rows = pd.read_parquet(DeltaTable(%s).file_uris(), columns=["record_id", "n_tokens", "norm"])
print(len(rows), "rows;", rows.n_tokens.sum(), "tokens")
print(rows.nlargest(5, "n_tokens"))`, pythonString(dir))},
	}
}
