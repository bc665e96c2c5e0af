"""The two sides that models.py measures: textmill's commands, and the process that has the reference libraries."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

BENCH = pathlib.Path(__file__).resolve().parent
TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    pass


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


class Stream:
    """A process that answers lines, and is asked again and again."""

    def __init__(self, *command, env):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True, env=env,
                                        bufsize=1 << 20)

    def ask(self, lines):
        writer = threading.Thread(target=self.write, args=("".join(lines),))  # or both would wait with pipes full
        writer.start()
        answers = [self.process.stdout.readline() for _ in lines]
        writer.join()
        if not answers[-1]:
            self.log.seek(0)
            raise Failed(f"{self.process.args[:3]} ended: {self.log.read()[-3000:]}")
        return answers

    def write(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def timed(self, lines):
        """Answers, seconds, and seconds of processors."""
        used, begun = processor_seconds(self.process.pid), time.perf_counter()
        answers = self.ask(lines)
        return answers, time.perf_counter() - begun, processor_seconds(self.process.pid) - used

    def close(self):
        self.process.communicate()


class Ours(Stream):
    """`textmill embed` or `generate`, a record a line."""

    def __init__(self, binary, env, threads, command, *params):
        super().__init__(binary, command, "--model", "bench", "--format", "jsonl", "--threads", threads, "--quiet", *params, env=env)

    def run(self, records):
        lines = [json.dumps({"id": str(i), "text": t}) + "\n" for i, t in enumerate(records)]
        answers, *took = self.timed(lines)
        answers = [json.loads(a) for a in answers]
        for a in answers:
            if "error" in a:
                raise Failed(a["error"])
        return [a.get("embedding") or a.get("output_ids") for a in answers], *took


class Peer(Stream):
    """The references, as references.py has them."""

    def __init__(self, threads):
        super().__init__(sys.executable, BENCH / "references.py", threads, env=dict(os.environ, OMP_NUM_THREADS=str(threads)))

    def answer(self, *question):
        answers, _, processors = self.timed([json.dumps(question) + "\n"])
        return json.loads(answers[0]), processors

    def make(self, *given):
        return self.answer("make", *given)[0]

    def load(self, family, path):
        self.answer("load", family, path)

    def run(self, records):
        (seconds, values), processors = self.answer("run", records)
        return values, seconds, processors


class Static:
    """A static model's side that is ours: a process for each run, of which starting, as it takes with one text, does not count."""

    def __init__(self, binary, env, threads, work, source):
        self.command = [str(binary), "embed", "--model", "bench", "--threads", str(threads), "--quiet"]
        self.env, self.work, self.source, self.runs = env, work, source, 0
        self.first = pathlib.Path(work, "first.jsonl")
        with open(source, encoding="utf-8") as f:
            self.first.write_text(next(f), encoding="utf-8")

    def once(self, source):
        self.runs += 1
        self.table = os.path.join(self.work, f"table{self.runs}")
        used, begun = os.times(), time.perf_counter()
        with open(source, encoding="utf-8") as f:
            subprocess.run([*self.command, "--out", self.table], stdin=f, env=self.env, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        took, now = time.perf_counter() - begun, os.times()
        return took, now.children_user + now.children_system - used.children_user - used.children_system

    def run(self, _):
        start, whole = self.once(self.first), self.once(self.source)
        return [], whole[0] - start[0], whole[1] - start[1]

    def close(self):
        pass
