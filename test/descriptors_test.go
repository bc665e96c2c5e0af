package test

import (
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/internal/foreign"
)

// publishToMany is nats.py: a message of its own for each of so many datasets.
const publishToMany = `
import asyncio, json, sys, nats
async def main(url, model, datasets):
    nc = await nats.connect(url)
    js = nc.jetstream()
    for n in range(datasets):
        job = {"job": "many", "shard": n, "shards": datasets, "dataset": "d%d" % n, "records": [{"id": str(n), "text": "a few words"}]}
        await js.publish("textmill.jobs.embed." + model, json.dumps(job).encode())
    await nc.close()
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
`

// countInEach prints how many tables there are, and how many rows they have together and at most, as delta-rs reads them.
const countInEach = `
import os, sys
from deltalake import DeltaTable
rows = [DeltaTable(os.path.join(sys.argv[1], d)).to_pyarrow_dataset().count_rows() for d in os.listdir(sys.argv[1]) if not d.startswith("_")]
print(len(rows), sum(rows), max(rows))
`

// With 256 descriptors, 400 datasets get their rows while 400 clients hold on to the daemon's pages and 200 to its NATS server.
func TestMoreDatasetsAndClientsThanDescriptors(t *testing.T) {
	const datasets = 400
	home := newHome(t)
	daemon := call{home: home, env: daemonEnv("TEXTMILL_NATS_ACK_WAIT=30s")}.command(t, t.Context(), "daemon")
	limited := exec.CommandContext(t.Context(), "sh", append([]string{"-c", `ulimit -n 256 && exec "$@"`, "sh"}, daemon.Args...)...)
	limited.Env = daemon.Env
	d := startCommand(t, home, limited)
	foreign.Python(t, publishToMany, d.nats, model, fmt.Sprint(datasets))
	for n := range 600 {
		address := d.http
		if n%3 == 0 {
			address = d.nats
		}
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address[strings.Index(address, "://")+3:])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if address == d.http && n%2 == 0 { // begins to ask, and never ends
			_ = conn.SetDeadline(time.Now().Add(time.Second))
			_, _ = fmt.Fprint(conn, "GET /status HTTP/1.1\r\nHost: loc")
		}
	}
	d.await(`"verdict":"committed"`, datasets)
	if got, want := strings.TrimSpace(foreign.Python(t, countInEach, filepath.Join(home, "tables"))), fmt.Sprintf("%d %d 1", datasets, datasets); got != want {
		t.Errorf("tables, rows, most rows of one: %s, want %s", got, want)
	}
	for _, sign := range []string{"too many open files", `"verdict":"handed_back"`, `"verdict":"dead"`} {
		if n := strings.Count(d.text(), sign); n > 0 {
			t.Errorf("the log says %s %d times; first: %s", sign, n, lineWith(d.text(), sign))
		}
	}
	if code, body := get(t, d.http+"/readyz", ""); code != 200 || body != "ready\n" {
		t.Errorf("/readyz says %d %q", code, body)
	}
}

// lineWith is the first line of a log that says so.
func lineWith(log, sign string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, sign) {
			return line
		}
	}
	return ""
}
