package descriptors

import "testing"

func TestSharesOfDescriptors(t *testing.T) {
	for limit, want := range map[int]Shares{
		128:    {Limit: 128, Connections: 16, Clients: 16, Tables: fewestTables},
		256:    {Limit: 256, Connections: 32, Clients: 32, Tables: 10},
		512:    {Limit: 512, Connections: 64, Clients: 64, Tables: 32},
		1024:   {Limit: 1024, Connections: 64, Clients: 128, Tables: 64},
		524288: {Limit: 524288, Connections: 64, Clients: 65536, Tables: 64},
	} {
		got := shareOut(limit, 64, true)
		if got != want {
			t.Errorf("of %d: %+v, want %+v", limit, got, want)
		}
		if held := descriptorsAtRest + got.Connections + got.Clients + limit/4 + got.Tables*descriptorsPerTable; limit >= 256 && held > limit {
			t.Errorf("of %d: %d may be open", limit, held)
		}
	}
}
