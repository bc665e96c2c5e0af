"""Runs clients that are not ours, and a real browser, against one daemon; each check is a program of its own.

    python test/clients/run.py bin/textmill .cache/clients/node [NAME ...]

A check is a file of python/, node/ or browser/ whose name has no underscore in front. It finds the daemon in CHECK_URL
and TEXTMILL_NATS_URL, the token in CHECK_TOKEN, the binary in CHECK_BIN, the tables in TEXTMILL_EXPORT_URI, a folder of its own in
CHECK_SCRATCH, and says by its exit code whether all was as it should be.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
TOKEN = "a token, for whoever may look"
KINDS = {"python": [sys.executable], "node": ["node"], "browser": ["node"]}
CHECK_TIME = 300  # seconds, on a busy machine


class Daemon:
    """A daemon with both models of `textmill setup`, guarded by a token; ready on entry."""

    def __init__(self, binary, scratch):
        token = scratch / "token"
        token.write_text(TOKEN + "\n")
        self.binary = binary
        # A check that starts one of its own must not lend it the queue of everybody's.
        self.env = {
            **{k: v for k, v in os.environ.items() if k != "TEXTMILL_NATS_URL"}, "CHECK_BIN": str(binary), "TEXTMILL_NATS_EMBEDDED_ADDR": "127.0.0.1:0",
            "TEXTMILL_NATS_EMBEDDED_DIR": str(scratch / "nats"), "TEXTMILL_EXPORT_URI": str(scratch / "tables"),
            "TEXTMILL_EXPORT_COMMIT_INTERVAL": "500ms", "TEXTMILL_HTTP_ADDR": "127.0.0.1:0", "TEXTMILL_HTTP_TOKEN_FILE": str(token),
            "TEXTMILL_LOG_FORMAT": "json",
        }
        self.log = []

    def __enter__(self):
        self.process = subprocess.Popen([self.binary, "daemon"], env=self.env, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            self.log.append(line)
            if '"textmill is ready"' in line:
                ready = json.loads(line)
                self.env |= {"TEXTMILL_NATS_URL": ready["nats"], "CHECK_URL": ready["http"], "CHECK_TOKEN": TOKEN}
                break
        else:
            raise SystemExit("the daemon ended before it was ready:\n" + "".join(self.log))
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.ended = self.process.wait(timeout=60)


def checks(names):
    for kind in KINDS:
        for path in sorted((HERE / kind).iterdir()):
            if path.suffix in (".py", ".mjs") and not path.name.startswith("_") and (not names or path.stem in names):
                yield kind, path


def main():
    binary, node = pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute()
    lay(node)
    wanted = list(checks(sys.argv[3:]))
    if not wanted:
        raise SystemExit("there is no such check")
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="textmill-clients-"))
    failed = []
    with Daemon(binary, scratch) as daemon:
        for kind, path in wanted:
            own = scratch / "checks" / path.stem
            own.mkdir(parents=True)
            program = node / kind / path.name if kind != "python" else path
            begun = time.monotonic()
            try:
                code = subprocess.run([*KINDS[kind], program], env={**daemon.env, "CHECK_SCRATCH": str(own)}, timeout=CHECK_TIME).returncode
            except subprocess.TimeoutExpired:
                code = f"no end within {CHECK_TIME} s"
            print(f"{'ok' if code == 0 else 'FAILED'}: {kind}/{path.name}, {time.monotonic() - begun:.0f} s" + ("" if code == 0 else f", {code}"), flush=True)
            if code != 0:
                failed.append(path.name)
    if daemon.ended != 0:
        failed.append(f"the daemon, which ended with {daemon.ended}")
    if failed:
        print("".join(daemon.log[-50:]), file=sys.stderr)
        raise SystemExit("failed: " + ", ".join(failed))
    shutil.rmtree(scratch)


def lay(node):
    """Copies the programs for Node beside their packages, since Node follows a link before it looks for packages."""
    for kind in ("node", "browser"):
        shutil.rmtree(node / kind, ignore_errors=True)
        shutil.copytree(HERE / kind, node / kind)


if __name__ == "__main__":
    main()
