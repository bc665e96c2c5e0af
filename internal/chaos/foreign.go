package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
)

// deltars reads and maintains tables with delta-rs, in one Python process for the whole campaign.
type deltars struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// server answers a line of JSON with a line of JSON. maintain is what delta-rs does to a table in the course of a
// year.
const server = `
import hashlib, json, os, sys, time
from deltalake import DeltaTable
def count(path):
    return DeltaTable(path).to_pyarrow_dataset().count_rows()
def maintain(path, what):
    log = path + "/_delta_log/"
    t = DeltaTable(path)
    if what == "optimize":
        t.optimize.compact()
        t = DeltaTable(path)
    t.create_checkpoint()
    if what == "clean":
        if "delta.logRetentionDuration" not in t.metadata().configuration:
            t.alter.set_table_properties({"delta.logRetentionDuration": "interval 1 days"})
        past = time.time() - 90 * 86400
        for f in sorted(os.listdir(log)):
            if f.endswith(".json") and f[:20].isdigit() and int(f[:20]) < t.version() - 2:
                os.utime(log + f, (past, past))
        t = DeltaTable(path)
        t.create_checkpoint()
        t.cleanup_metadata()
    return t.version()
def digest(path):
    t = DeltaTable(path).to_pyarrow_dataset().to_table(columns=["record_id", "text", "error"]).to_pydict()
    lines = sorted(i + "\t" + x for i, x, e in zip(t["record_id"], t["text"], t["error"]) if e is None)
    return int.from_bytes(hashlib.sha256("\n".join(lines).encode()).digest()[:8], "big") >> 1
def insists(work):
    for n in range(40):
        try:
            return work()
        except Exception:
            if n == 39: raise
            time.sleep(0.02 * n)
def rework(path, ids):
    if ids: insists(lambda: DeltaTable(path).delete("record_id in (%s)" % ",".join("'%s'" % i for i in ids)))
    insists(lambda: DeltaTable(path).optimize.compact())
    insists(lambda: DeltaTable(path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False))
    return DeltaTable(path).version()
for line in sys.stdin:
    q = json.loads(line)
    try:
        what, path = q["what"], q["path"]
        work = {"count": count, "digest": digest, "rework": lambda p: rework(p, q["ids"])}
        a = {"n": work[what](path) if what in work else maintain(path, what)}
    except Exception as e:
        a = {"error": type(e).__name__ + ": " + str(e)[:500]}
    print(json.dumps(a), flush=True)
os._exit(0)
`

func newDeltars(python string) (*deltars, error) {
	d := &deltars{cmd: exec.Command(python, "-c", server)}
	d.cmd.Stderr = os.Stderr
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.out = bufio.NewReader(out)
	return d, d.cmd.Start()
}

func (d *deltars) close() error { return errors.Join(d.in.Close(), d.cmd.Wait()) }

// question is what delta-rs is asked for.
type question struct {
	What string   `json:"what"`
	Path string   `json:"path"`
	IDs  []string `json:"ids,omitempty"`
}

// ask does one of count, digest, checkpoint, optimize and clean.
func (d *deltars) ask(ctx context.Context, what, path string) (int64, error) {
	return d.askFor(ctx, question{What: what, Path: path})
}

// askFor also does rework, which takes rows away.
func (d *deltars) askFor(ctx context.Context, question question) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	q, err := json.Marshal(question)
	if err != nil {
		return 0, err
	}
	if _, err := d.in.Write(append(q, '\n')); err != nil {
		return 0, fmt.Errorf("ask delta-rs: %w", err)
	}
	line, err := d.out.ReadBytes('\n')
	if err != nil {
		return 0, fmt.Errorf("ask delta-rs: %w", err)
	}
	var a struct {
		N     int64
		Error string
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return 0, err
	}
	if a.Error != "" {
		return 0, errors.New(a.Error)
	}
	return a.N, nil
}
