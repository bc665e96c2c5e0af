package checkpoint_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"textmill/models/checkpoint"
	"textmill/models/embed"
	"textmill/models/session"
)

// Encoders give a text the same vector, bit for bit, alone and in every batch, however their weights are stored.
func TestEncodersInEveryBatch(t *testing.T) {
	for _, name := range provedBy("hidden") {
		for _, precision := range []string{checkpoint.FP32, checkpoint.Q8, checkpoint.Q4} {
			t.Run(name+" "+precision, func(t *testing.T) {
				spec := openBundle(t, importTiny(t, name, precision).Dir)
				e := openEmbedder(t, spec, session.Options{BatchTokens: 256})
				defer e.Close() //nolint:errcheck // of a test
				t.Logf("%s", e.Company())
				if why := e.Dependence(); why != "" {
					t.Fatal(why)
				}
				r := rand.New(rand.NewPCG(7, 8))
				rows := make([]embed.Row, 12)
				for i := range rows {
					rows[i].IDs = make([]int32, 1+r.IntN(min(spec.MaxLength, 20)))
					for j := range rows[i].IDs {
						rows[i].IDs[j] = r.Int32N(30)
					}
				}
				embed := func(rows ...embed.Row) []embed.Vector {
					v, err := e.Embed(t.Context(), rows)
					if err != nil {
						t.Fatal(err)
					}
					return v
				}
				want := embed(rows...)
				for i, row := range rows {
					j := r.IntN(len(rows))
					if !slices.Equal(embed(row)[0], want[i]) || !slices.Equal(embed(rows[j], row)[1], want[i]) {
						t.Errorf("text %d of %d tokens comes to other bits alone, or beside text %d", i, len(row.IDs), j)
					}
				}
			})
		}
	}
}
