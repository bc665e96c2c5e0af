package generate

import "slices"

// outgrows tells whether a text of n tokens is computed as long ones are.
func (g *Generator) outgrows(n int) bool {
	original := g.spec.Decoder.OriginalPositions
	return original > 0 && n > original
}

// lengthen has texts that become long with their next token computed anew from their first one on, as those are that
// were long from the beginning: so a text's bits go by itself alone, wherever it became long.
func (g *Generator) lengthen() {
	for slot, s := range g.slots {
		if s == nil || s.long || !s.prefilled() || !g.outgrows(s.used+1) {
			continue
		}
		s.long, s.begun = true, false
		s.opening = slices.Concat(s.Prompt, s.out.IDs[:s.used+1-len(s.Prompt)])
		g.hold(slot, slot, 0)
	}
}
