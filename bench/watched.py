#!/usr/bin/env python3
"""What it costs to be watched: processor seconds a row of a daemon whose page is open, whose metrics are scraped each second and which
traces 1 % of its shards, against a daemon that nobody watches.

Two daemons embed the same texts in turn, nine times each, and the other one of the first pair begins the next. The bar is 1.02 in
the median of the pairs. Give it an idle machine.
"""
import argparse
import http.server
import os
import statistics
import threading
import urllib.request

import daemon

BAR = 1.02
PAGE = "/events/"  # the regions of the first page as they change


class Collector(http.server.BaseHTTPRequestHandler):
    requests = 0

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        Collector.requests += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def processor(pid):
    """Seconds that a process has had of the processors."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watchers:
    """Who looks at a daemon while it works."""

    def __init__(self, d):
        self.d, self.over, self.scraped, self.seen = d, threading.Event(), 0, 0

    def __enter__(self):
        self.page = urllib.request.urlopen(self.d.http + PAGE)
        self.threads = [threading.Thread(target=self.look, daemon=True), threading.Thread(target=self.scrape)]
        for t in self.threads:
            t.start()
        return self

    def look(self):
        try:
            for line in self.page:
                self.seen += len(line)
        except (OSError, ValueError, AttributeError):
            pass  # it was closed

    def scrape(self):
        while not self.over.wait(1):
            with urllib.request.urlopen(self.d.http + "/metrics") as answer:
                self.scraped += answer.read().count(b"\ntextmill_ready ")

    def __exit__(self, *_):
        self.over.set()
        self.threads[1].join()
        self.page.close()


def measure(d, job):
    """Processor seconds a row."""
    before = processor(d.process.pid)
    _, rows = d.run(job)
    return (processor(d.process.pid) - before) / rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--texts", type=int, default=4000)
    o = parser.parse_args()
    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    traces = {"TEXTMILL_TELEMETRY_TRACES_SAMPLE": "0.01",
              "TEXTMILL_TELEMETRY_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
    small = {"TEXTMILL_LIMITS_RECORDS_PER_SHARD": "50"}  # so that one in a hundred shards is some
    ratios = []
    with daemon.Daemon(o.texts, **small) as alone, daemon.Daemon(o.texts, **small, **traces) as watched:
        for d in (alone, watched):
            d.run("warm")
        for n in range(o.pairs):
            cost = {}
            for one in ((alone, watched), (watched, alone))[n % 2]:
                if one is alone:
                    cost["alone"] = measure(one, f"pair-{n}")
                    continue
                with Watchers(one) as w:
                    cost["watched"] = measure(one, f"pair-{n}")
                if not w.scraped or not w.seen:
                    raise SystemExit(f"nobody watched: {w.scraped} scrapes, {w.seen} bytes of the page")
            ratios.append(cost["watched"] / cost["alone"])
            print(f"pair {n + 1}: {cost['alone'] * 1e3:.3f} ms a row alone, {cost['watched'] * 1e3:.3f} ms watched, {ratios[-1]:.3f} ×", flush=True)
    median = statistics.median(ratios)
    print(f"median {median:.3f} ×, bar {BAR}; {Collector.requests} requests of traces")
    raise SystemExit(0 if median <= BAR else 1)


if __name__ == "__main__":
    main()
