package export

import (
	"testing"
	"time"
)

func TestVerdictsDropWhatZombiesCommit(t *testing.T) {
	dir := t.TempDir()
	judge := table(t, openStore(t, dir))
	zombie := table(t, openStore(t, dir))
	put(t, judge, "before")
	b := begin(t, zombie)
	add(t, b, "a", "b", "before", "c")
	late := JobKey("embed", "m", "ended", "0", nil)
	if err := b.Add(late, sample("z", 10)); err != nil {
		t.Fatal(err)
	}
	res, err := judge.Judge(t.Context(), []Verdict{DeadVerdict(key("b")), CancelVerdict("ended", time.Time{}),
		DeadVerdict(key("before"))})
	if err != nil {
		t.Fatal(err)
	}
	if res.Outcomes[key("b").AppID] != Dead || res.Outcomes[key("before").AppID] != Committed ||
		res.Outcomes["textmill/cancel/ended"] != Cancelled {
		t.Errorf("verdicts: %+v", res)
	}
	got := commit(t, b)
	want := map[string]Outcome{key("a").AppID: Committed, key("b").AppID: Dead, key("before").AppID: Committed,
		key("c").AppID: Committed, late.AppID: Cancelled}
	for id, o := range want {
		if got.Outcomes[id] != o {
			t.Errorf("%s is %v, want %v", id, got.Outcomes[id], o)
		}
	}
	if got.Rows != 20 {
		t.Errorf("%d rows committed, want 20", got.Rows)
	}
	holds(t, judge, "before", "a", "c")
	again, err := judge.Judge(t.Context(), []Verdict{DeadVerdict(key("b"))})
	if err != nil || again.Version != got.Version {
		t.Errorf("a repeated verdict made version %d after %d: %v", again.Version, got.Version, err)
	}
	// A corrected payload may be sent under the name of the dead one.
	if o := outcome(t, judge, JobKey("embed", "m", "j", "b", []byte("corrected"))); o != Absent {
		t.Errorf("another payload under a dead key is %v", o)
	}
}

func TestSequencesAreRanges(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	created := time.Unix(1700000000, 5)
	at := func(seq uint64) time.Time { return created.Add(time.Duration(seq) * time.Second) }
	k := func(seq uint64) Key { return SeqKey("S", created, seq, at(seq), "text") }
	b := begin(t, tab)
	for _, seq := range []uint64{7, 3, 4, 5, 9} {
		if err := b.Add(k(seq), []Row{{RecordID: k(seq).AppID}}); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, b)
	if n := tab.Keys(); n != 3 {
		t.Errorf("%d ranges, want 3-5, 7-7 and 9-9", n)
	}
	for seq, want := range map[uint64]Outcome{2: Absent, 3: Committed, 4: Committed, 5: Committed, 6: Absent,
		7: Committed, 8: Absent, 9: Committed} {
		if got := outcome(t, tab, k(seq)); got != want {
			t.Errorf("sequence %d is %v, want %v", seq, got, want)
		}
	}
	// A restored stream uses sequences again, a new stream of the same name has another creation time.
	if got := outcome(t, tab, SeqKey("S", created, 4, at(100), "text")); got != Absent {
		t.Errorf("a sequence used again is %v", got)
	}
	if got := outcome(t, tab, SeqKey("S", created.Add(1), 4, at(4), "text")); got != Absent {
		t.Errorf("the sequence of another stream is %v", got)
	}
	if _, err := tab.Judge(t.Context(), []Verdict{DeadVerdict(k(20)), CancelVerdict("text", at(30))}); err != nil {
		t.Fatal(err)
	}
	for seq, want := range map[uint64]Outcome{20: Dead, 25: Cancelled, 31: Absent, 4: Committed} {
		if got := outcome(t, tab, k(seq)); got != want {
			t.Errorf("after the cancel, sequence %d is %v, want %v", seq, got, want)
		}
	}
}

func TestRangesOverlap(t *testing.T) {
	r := &ranges{}
	r.put(seqRange{1, 100, 50})
	r.put(seqRange{10, 20, 500})
	r.put(seqRange{30, 30, 7})
	r.put(seqRange{30, 30, 700})
	for _, c := range []struct {
		seq  uint64
		at   int64
		want bool
	}{{1, 50, true}, {1, 51, false}, {15, 400, true}, {21, 400, false}, {30, 700, true}, {100, 50, true}, {101, 1, false},
		{0, 0, false}} {
		if got := r.has(c.seq, c.at); got != c.want {
			t.Errorf("sequence %d at %d: %v", c.seq, c.at, got)
		}
	}
}

// A verdict that an older version wrote with the date of a client whose clock was ahead.
func TestACancelDatedInTheFutureEndsNothingLater(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	created, now := time.Unix(1700000000, 5), time.Now()
	if _, err := tab.Judge(t.Context(), []Verdict{CancelVerdict("text", now.AddDate(1, 0, 0))}); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Time]Outcome{now.Add(-time.Second): Cancelled, now.Add(2 * clocksApart): Absent} {
		if o := outcome(t, tab, SeqKey("S", created, 1, at, "text")); o != want {
			t.Errorf("a message of %s is %s, want %s", at, o, want)
		}
	}
}

// A shard has rows of one payload, by whichever attempt they came, though each attempt is a delivery of its own.
func TestARetryDoesNotDoubleAShard(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	at := func(shard, payload string) Key { return JobKey("embed", "m", "j", shard, []byte(payload)) }
	for _, step := range []struct {
		key  Key
		want Outcome // before it is committed
	}{
		{at("0", "p"), Absent},
		{at("0/r1", "other"), Conflict}, // the retry of an identity_conflict, as older clients make it
		{at("0/r1", "p"), Committed},
		{at("1/r1", "p"), Absent},
		{at("1", "p"), Committed}, // published again after the letter was retried
		{at("1", "other"), Conflict},
		{at("1/r2", "p"), Committed},
		{at("1/r2", "other"), Conflict},
		{JobKey("embed", "n", "j", "0/r1", []byte("other")), Absent},
		{JobKey("embed", "n", "j", "0", []byte("other")), Committed},
		{JobKey("embed", "n", "j", "0", []byte("p")), Conflict},
	} {
		if o := outcome(t, tab, step.key); o != step.want {
			t.Errorf("%s is %s, want %s", step.key, o, step.want)
		}
		b := begin(t, tab)
		if err := b.Add(step.key, rowsOf(step.key.owner[6:], step.key.shard)); err != nil {
			t.Fatal(err)
		}
		if res := commit(t, b); (res.Rows > 0) != (step.want == Absent) {
			t.Errorf("%s brought %d rows", step.key, res.Rows)
		}
	}
	again := table(t, openStore(t, dir))
	if o := outcome(t, again, at("1", "p")); o != Committed {
		t.Errorf("read anew it is %s", o)
	}
	if got := sound(t, again); len(got) != 30 {
		t.Errorf("%d rows, want 30", len(got))
	}
	// What was given up may come by a retry.
	if _, err := tab.Judge(t.Context(), []Verdict{DeadVerdict(at("2", "p"))}); err != nil {
		t.Fatal(err)
	}
	if dead, retry := outcome(t, tab, at("2", "p")), outcome(t, tab, at("2/r1", "p")); dead != Dead || retry != Absent {
		t.Errorf("given up it is %s, its retry %s", dead, retry)
	}
}
