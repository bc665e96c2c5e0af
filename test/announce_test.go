package test

import (
	"testing"

	"textmill/internal/foreign"
)

// lastCommit is nats.py: what is told of the newest commit of a table.
const lastCommit = `
import asyncio, json, sys, nats
async def main(url, dataset):
    nc = await nats.connect(url)
    m = await nc.jetstream().get_last_msg("TEXTMILL_EVENTS", "textmill.events.table." + dataset)
    c = json.loads(m.data)
    print(c["version"], c["rows"], c["operation"])
    await nc.close()
asyncio.run(main(sys.argv[1], sys.argv[2]))
`

// TestADeathBeforeTheAnnouncement has the daemon die between a table's first commit and what is told of it. The next one
// tells, though nothing more is committed.
func TestADeathBeforeTheAnnouncement(t *testing.T) {
	t.Parallel()
	begin := dyingDaemons(t)
	first := begin("CRASH_POINT=after-commit:1")
	d := make(chan *daemon, 1)
	go func() {
		first.wait()
		d <- begin()
	}()
	first.submits(t, 0, corpus(5, 1), "--model", model, "--dataset", "told", "-")
	next := <-d
	if !first.says("crashpoint after-commit") {
		t.Errorf("it did not die at that point: %s", first.text())
	}
	if got := foreign.Python(t, lastCommit, next.nats, "told"); got != "1 5 WRITE\n" {
		t.Errorf("told is %q", got)
	}
}
