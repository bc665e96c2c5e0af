"""A textmill daemon with a queue and tables of its own, for measuring."""
import asyncio
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.request

import nats

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "bin" / "textmill"
MODEL = "all-MiniLM-L6-v2"
WRITER = "SmolLM2-135M-Instruct"


def threads():
    """How many threads both sides get: the CPUs that this process may use."""
    allowed = len(os.sched_getaffinity(0))
    try:
        quota, period = pathlib.Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return allowed if quota == "max" else max(1, min(allowed, int(quota) // int(period)))
    except (OSError, ValueError):
        return allowed


def inspected(model=MODEL):
    """What `textmill models inspect` says of a model, such as its directory."""
    out = subprocess.run([BINARY, "models", "inspect", model, "--json"], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)


def status(pid, field):
    """A field of /proc/PID/status in MiB; None when the process has ended."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return None


class Daemon:
    """Is ready on entry: its one model is loaded and its batch size learned."""

    def __init__(self, count, task="embed", model=None, **settings):
        self.task, self.model = task, model or (WRITER if task == "generate" else MODEL)
        self.dir = tempfile.TemporaryDirectory(prefix="textmill-bench-")
        self.env = {
            **os.environ, "TEXTMILL_NATS_EMBEDDED_ADDR": "127.0.0.1:0", "TEXTMILL_HTTP_ADDR": "127.0.0.1:0", "TEXTMILL_LOG_FORMAT": "json",
            "TEXTMILL_NATS_EMBEDDED_DIR": self.dir.name + "/nats", "TEXTMILL_EXPORT_URI": self.dir.name + "/tables",
            "TEXTMILL_RUNTIME_THREADS": str(threads()), f"TEXTMILL_MODELS_{self.model.upper().replace('-', '_')}_THREADS": str(threads()), **settings,
        }
        self.texts = self.dir.name + "/texts.jsonl"
        with open(self.texts, "w", encoding="utf-8") as f:
            subprocess.run([sys.executable, ROOT / "bench" / "texts.py", str(count)], stdout=f, check=True)

    def __enter__(self):
        self.process = subprocess.Popen([BINARY, "daemon"], env=self.env, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            try:
                record = json.loads(line)
            except ValueError:
                record = {"msg": line.strip(), "level": "ERROR"}
            if record["msg"] == "model is served":
                self.batch_tokens = record["batch_tokens"]
            if record.get("level") == "ERROR":
                print(line, end="", file=sys.stderr)
            if record["msg"] == "textmill is ready":
                self.nats, self.http = record["nats"], record["http"]
                self.client = {**self.env, "TEXTMILL_NATS_URL": self.nats}  # the environment of commands that talk to it
                break
        else:
            raise SystemExit("the daemon ended before it was ready")
        threading.Thread(target=self._drain, daemon=True).start()
        return self

    def _drain(self):
        for line in self.process.stderr:
            if '"level":"ERROR"' in line or '"level":"WARN"' in line:
                print(line, end="", file=sys.stderr)

    def stop(self):
        """Drains the daemon, which leaves its tables, and returns how it ended."""
        self.process.terminate()
        return self.process.wait(timeout=60)

    def __exit__(self, *_):
        self.stop()
        self.dir.cleanup()

    def submit(self, job, file=None, params=(), **kwargs):
        """Starts `textmill submit`, which waits until the rows are committed."""
        command = [BINARY, "submit", "--task", self.task, "--model", self.model, "--dataset", job, "--job", job, *(f"--param={p}" for p in params), file or self.texts]
        return subprocess.Popen(command, env=self.client,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kwargs)

    def run(self, job, file=None):
        """Submits, and returns seconds and rows, from the event before the first message to `done`, by the server's clock."""
        if self.submit(job, file).wait() != 0:
            raise SystemExit(f"textmill submit of {job} failed")
        events = asyncio.run(self._events(job))
        done = [e for e in events if e[1]["type"] == "done"][0]
        if done[1].get("errors"):
            raise SystemExit(f"job {job} has {done[1]['errors']} error rows")
        return (done[0] - events[0][0]).total_seconds(), done[1]["rows"]

    async def _events(self, job):
        connection = await nats.connect(self.nats)
        messages = await connection.jetstream().subscribe(f"textmill.events.{job}", ordered_consumer=True)
        events = []
        while not events or events[-1][1]["type"] != "done":
            m = await messages.next_msg(timeout=30)
            events.append((m.metadata.timestamp, json.loads(m.data)))
        await connection.close()
        return events

    def metric(self, name):
        """The sum of a metric over its labels, as a scraper sees it."""
        with urllib.request.urlopen(self.http + "/metrics") as page:
            lines = page.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + "{", name + " ")))
