"""Talks with the Go side over a pair of pipes."""
import json
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Go:
    """The answer command, built anew so that it is never older than the code."""

    def __init__(self, **environment):
        binary = os.path.join(ROOT, ".cache", "answer")
        subprocess.run(["go", "build", "-o", binary, "./tokenize/conformance/answer"], cwd=ROOT, check=True)
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the Go side ended with {self.process.wait()}")
        answer = json.loads(line)
        if "panic" in answer:
            raise RuntimeError(answer["panic"] + "\n" + answer["stack"])
        return answer
