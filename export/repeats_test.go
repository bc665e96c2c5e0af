package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"textmill/ground/naming"
)

// published are rows of a message with a number in its stream, one for each id: "a" twice is two chunks.
func published(seq int64, ids ...string) []Row {
	rows := make([]Row, len(ids))
	for i, id := range ids {
		rows[i] = sample("x", 1)[0]
		rows[i].RecordID, rows[i].Text, rows[i].Chunk = id, Some(fmt.Sprint(seq)), Some(int32(i))
		rows[i].StreamSequence, rows[i].StreamCreated = Some(seq), time.Unix(1700000000, 123456789)
		rows[i].Shard = fmt.Sprint(seq)
	}
	return rows
}

func messageKey(seq int64) Key { return key(fmt.Sprint("message ", seq)) }

// repeatBatch is a batch of messages, each of one row for each id.
func repeatBatch(t testing.TB, tab *Table, what string, messages map[int64][]string) *Batch {
	t.Helper()
	b := begin(t, tab)
	b.OnRepeat(what)
	for _, seq := range slices.Sorted(maps.Keys(messages)) {
		if err := b.Add(messageKey(seq), published(seq, messages[seq]...)); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func again(t testing.TB, tab *Table, what string, seq int64, ids ...string) Result {
	t.Helper()
	return commit(t, repeatBatch(t, tab, what, map[int64][]string{seq: ids}))
}

// heldRows is which messages' rows the table holds of each record, in their order.
func heldRows(t testing.TB, tab *Table) map[string]string {
	t.Helper()
	sound(t, tab)
	held := map[string][]string{}
	err := Scan(t.Context(), tab.Path(), func(rows []Row) error {
		for i := range rows {
			held[rows[i].RecordID] = append(held[rows[i].RecordID], rows[i].Text.V)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for id, all := range held {
		slices.Sort(all)
		out[id] = fmt.Sprint(all)
	}
	return out
}

func wantHeld(t testing.TB, tab *Table, want map[string]string) {
	t.Helper()
	if got := heldRows(t, tab); !maps.Equal(got, want) {
		t.Errorf("records and the messages of their rows are\n%v, want\n%v", got, want)
	}
}

func TestRepeatedRecordsAreReplacedAsGroups(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	rows := published(5, "a", "a", "b", "c")
	rows[2].Error, rows[2].Embedding = "too_long: cut it", nil
	other := published(5, "a")
	other[0].Task, other[0].Embedding, other[0].Text = "generate", nil, Some("generated")
	b := begin(t, tab)
	if err := errors.Join(b.Add(messageKey(5), rows), b.Add(messageKey(4), other)); err != nil {
		t.Fatal(err)
	}
	commit(t, b)

	r := again(t, tab, naming.RepeatReplace, 7, "a", "b", "b", "d")
	if r.Rows != 4 || len(r.Left) != 0 {
		t.Errorf("%+v", r)
	}
	wantHeld(t, tab, map[string]string{"a": "[7 generated]", "b": "[7 7]", "c": "[5]", "d": "[7]"})

	// A message that was published before brings only what is not there; that of a stream made later is newer.
	r = again(t, tab, naming.RepeatReplace, 6, "a", "b", "c", "e")
	if l := r.Left[messageKey(6).AppID]; r.Rows != 2 || l != (Left{Rows: 2}) {
		t.Errorf("%+v", r)
	}
	wantHeld(t, tab, map[string]string{"a": "[7 generated]", "b": "[7 7]", "c": "[6]", "d": "[7]", "e": "[6]"})
	late := published(1, "a")
	late[0].StreamCreated = late[0].StreamCreated.Add(time.Hour)
	b = begin(t, tab)
	b.OnRepeat(naming.RepeatReplace)
	if err := b.Add(messageKey(1), late); err != nil {
		t.Fatal(err)
	}
	commit(t, b)
	wantHeld(t, tab, map[string]string{"a": "[1 generated]", "b": "[7 7]", "c": "[6]", "d": "[7]", "e": "[6]"})
}

func TestRepeatedRecordsAreSkipped(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	again(t, tab, naming.RepeatSkip, 5, "a", "a", "b")
	r := again(t, tab, naming.RepeatSkip, 9, "b", "c", "a")
	if l := r.Left[messageKey(9).AppID]; r.Rows != 1 || l.Rows != 2 {
		t.Errorf("%+v", r)
	}
	// A message of which nothing is new is settled all the same, by a commit without files.
	if r = again(t, tab, naming.RepeatSkip, 10, "c", "a"); r.Rows != 0 || outcome(t, tab, messageKey(10)) != Committed {
		t.Errorf("%+v", r)
	}
	again(t, tab, naming.RepeatAppend, 11, "c")
	wantHeld(t, tab, map[string]string{"a": "[5 5]", "b": "[5]", "c": "[11 9]"})
}

// Records that have no id but their place in a message repeat nothing.
func TestRecordsWithoutIDsRepeatNothing(t *testing.T) {
	for _, what := range []string{naming.RepeatReplace, naming.RepeatSkip} {
		tab := table(t, openStore(t, t.TempDir()))
		for seq := range int64(3) {
			rows := published(seq, "0-0", "a")
			rows[0].Unnamed = true
			b := begin(t, tab)
			b.OnRepeat(what)
			if err := b.Add(messageKey(seq), rows); err != nil {
				t.Fatal(err)
			}
			commit(t, b)
		}
		last := map[string]string{naming.RepeatReplace: "[2]", naming.RepeatSkip: "[0]"}[what]
		wantHeld(t, tab, map[string]string{"0-0": "[0 1 2]", "a": last})
	}
}

// Several deliveries of one batch may have rows of a record, small ones and spools, of more records than are looked
// for at once.
func TestRepeatsWithinOneBatch(t *testing.T) {
	for _, what := range []string{naming.RepeatReplace, naming.RepeatSkip} {
		tab := table(t, openStore(t, t.TempDir()))
		again(t, tab, naming.RepeatAppend, 5, "a", "b", "z")
		b := repeatBatch(t, tab, what, map[int64][]string{3: {"b", "c"}, 7: {"a", "c", "d"}, 8: {"c", "e"}})
		b.repeatsAtOnce = 2
		for _, seq := range []int64{9, 6} {
			spool, err := tab.Spool(t.Context(), messageKey(seq), EmbeddingFloat32)
			if err == nil {
				err = errors.Join(spool.Append(published(seq, "d", "f")), spool.Append(published(seq, "g", "z")),
					b.AddSpool(spool))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		commit(t, b)
		want := map[string]string{"a": "[7]", "b": "[5]", "c": "[8]", "d": "[9]", "e": "[8]", "f": "[9]", "g": "[9]",
			"z": "[9]"}
		if what == naming.RepeatSkip {
			want = map[string]string{"a": "[5]", "b": "[5]", "c": "[3]", "d": "[7]", "e": "[8]", "f": "[9]", "g": "[9]",
				"z": "[5]"}
		}
		wantHeld(t, tab, want)
	}
}

// Somebody else is faster, after the table was looked at.
func TestRepeatsAreLookedForAgainInALostRace(t *testing.T) {
	for _, point := range []string{"repeats-found", "repeats-written"} {
		for what, want := range map[string]map[string]string{
			naming.RepeatReplace: {"a": "[7]", "b": "[9]", "c": "[7]", "d": "[9]", "e": "[7]"},
			naming.RepeatSkip:    {"a": "[5]", "b": "[9]", "c": "[4]", "d": "[5 9]", "e": "[7]"},
		} {
			dir := t.TempDir()
			other := table(t, openStore(t, dir))
			put := sync.OnceFunc(func() {
				again(t, other, naming.RepeatAppend, 4, "c")
				again(t, other, naming.RepeatAppend, 9, "b", "d")
				if _, err := other.Compact(t.Context(), CompactOptions{}); err != nil {
					t.Error(err)
				}
			})
			tab := table(t, openStore(t, dir, func(o *Options) {
				o.Point = func(name string) {
					if name == point {
						put()
					}
				}
			}))
			again(t, other, naming.RepeatAppend, 5, "a", "d")
			again(t, tab, what, 7, "a", "b", "c", "d", "e")
			wantHeld(t, tab, want)
		}
	}
}

// Rows that were left out for those of a delivery which is then not committed come again.
func TestRivalsOfACancelledDelivery(t *testing.T) {
	dir := t.TempDir()
	other := table(t, openStore(t, dir))
	again(t, other, naming.RepeatAppend, 1, "a")
	doomed := JobKey("embed", "m", "doomed", "0", []byte("x"))
	cancel := sync.OnceFunc(func() {
		if _, err := other.Judge(t.Context(), []Verdict{CancelVerdict("doomed", time.Now())}); err != nil {
			t.Error(err)
		}
	})
	tab := table(t, openStore(t, dir, func(o *Options) {
		o.Point = func(name string) {
			if name == "repeats-written" {
				cancel()
			}
		}
	}))
	b := repeatBatch(t, tab, naming.RepeatReplace, map[int64][]string{3: {"a", "b"}, 4: {"c"}})
	if err := b.Add(doomed, published(8, "a", "c")); err != nil {
		t.Fatal(err)
	}
	r := commit(t, b)
	for k, want := range map[string]Outcome{messageKey(3).AppID: Absent, messageKey(4).AppID: Absent,
		doomed.AppID: Cancelled} {
		if r.Outcomes[k] != want {
			t.Errorf("%s is %v, want %v", k, r.Outcomes[k], want)
		}
	}
	wantHeld(t, tab, map[string]string{"a": "[1]"})
	again(t, tab, naming.RepeatReplace, 3, "a", "b")
	wantHeld(t, tab, map[string]string{"a": "[3]", "b": "[3]"})
}

// Daemons that race, over messages that come several times and in any order, leave of each record the newest message's
// rows, or where records are skipped those of one; and so does all of it again, under names that the log does not know.
func TestRacingRepeats(t *testing.T) {
	const messages, records, seed = 60, 25, 7
	random := rand.New(rand.NewPCG(seed, seed))
	of := make([][]string, messages)
	newest := map[string]string{}
	for seq := range of {
		for range 5 {
			id := fmt.Sprint("r", random.IntN(records))
			of[seq] = append(of[seq], id, id)
			newest[id] = ""
		}
		for _, id := range of[seq] {
			n := 0
			for _, has := range of[seq] {
				if has == id {
					n++
				}
			}
			newest[id] = fmt.Sprint(slices.Repeat([]int{seq}, n))
		}
	}
	for _, what := range []string{naming.RepeatReplace, naming.RepeatSkip} {
		dir := t.TempDir()
		partitioned := func(o *Options) {
			o.PartitionBy = func(string) Partitioning { return Partitioning{"task"} }
		}
		for round := range 2 {
			var daemons sync.WaitGroup
			for d := range 3 {
				tab := table(t, openStore(t, dir, partitioned))
				order := rand.New(rand.NewPCG(seed, uint64(d))).Perm(messages)
				daemons.Go(func() { raceRepeats(t, tab, what, round, order, of) })
			}
			daemons.Wait()
			tab := table(t, openStore(t, dir))
			if what == naming.RepeatReplace {
				wantHeld(t, tab, newest)
				continue
			}
			held := heldRows(t, tab)
			for id, all := range held {
				var one int
				if _, err := fmt.Sscanf(all, "[%d", &one); err != nil || !slices.Contains(of[one], id) {
					t.Fatalf("%s: %s: %v", id, all, err)
				}
				n := len(slices.DeleteFunc(slices.Clone(of[one]), func(has string) bool { return has != id }))
				if want := fmt.Sprint(slices.Repeat([]int{one}, n)); all != want {
					t.Errorf("record %s has rows of messages %s, want those of one, %s", id, all, want)
				}
			}
			if len(held) != len(newest) {
				t.Errorf("%d records, want %d", len(held), len(newest))
			}
		}
	}
}

// raceRepeats delivers messages some at a time, and those again that did not come in.
func raceRepeats(t *testing.T, tab *Table, what string, round int, order []int, of [][]string) {
	for some := range slices.Chunk(order, 7) {
		for left := slices.Clone(some); len(left) > 0; {
			var err error
			if left, err = deliverRepeats(t.Context(), tab, what, round, left, of); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// deliverRepeats commits messages and returns those that come again.
func deliverRepeats(ctx context.Context, tab *Table, what string, round int, some []int, of [][]string) ([]int, error) {
	b, err := tab.Begin(ctx, EmbeddingFloat32)
	if err != nil {
		return nil, err
	}
	defer b.Abort()
	b.OnRepeat(what)
	keyOf := func(seq int) Key { return key(fmt.Sprint(round, " ", seq)) }
	for _, seq := range some {
		if err := b.Add(keyOf(seq), published(int64(seq), of[seq]...)); err != nil {
			return nil, err
		}
	}
	r, err := b.Commit(ctx)
	return slices.DeleteFunc(some, func(seq int) bool { return r.Outcomes[keyOf(seq).AppID] != Absent }), err
}
