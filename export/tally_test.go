package export

import "testing"

func TestTallyTellsWhatADeliveryBrought(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	for _, shards := range [][]string{{"0", "1"}, {"2"}} {
		b := begin(t, tab)
		add(t, b, shards...)
		if shards[0] == "2" {
			rows := sample("3", 5)
			rows[1].Error, rows[4].Error = "nan: x", "nan: y"
			rows[2].Truncated, rows[2].NDropped, rows[3].Model = Some(true), Some[int32](7), "other"
			if err := b.Add(key("3"), rows); err != nil {
				t.Fatal(err)
			}
		}
		commit(t, b)
	}
	again := table(t, openStore(t, dir)) // another process, after a crash
	if err := again.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	for shard, want := range map[string]Tally{"0": {Rows: 10}, "1": {Rows: 10}, "2": {Rows: 10},
		"3": {Rows: 4, Errors: 2, Truncated: 1, Dropped: 7}} {
		if got, found, err := again.Tally(t.Context(), key(shard), origin(shard)); got != want || !found || err != nil {
			t.Errorf("shard %s: %+v %t %v, want %+v", shard, got, found, err, want)
		}
	}
	if got, found, err := again.Tally(t.Context(), key("4"), origin("4")); found || err != nil {
		t.Errorf("an unknown delivery: %+v, %v", got, err)
	}
}

func origin(shard string) Origin { return Origin{Job: "j", Shard: shard, Task: "embed", Model: "m"} }
