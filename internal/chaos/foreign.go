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
import json, os, sys, time
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
for line in sys.stdin:
    q = json.loads(line)
    try:
        a = {"n": count(q["path"]) if q["what"] == "count" else maintain(q["path"], q["what"])}
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

// ask does one of count, checkpoint, optimize and clean.
func (d *deltars) ask(ctx context.Context, what, path string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	q, err := json.Marshal(map[string]string{"what": what, "path": path})
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
