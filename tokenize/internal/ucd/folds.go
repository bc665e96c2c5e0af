package ucd

import (
	_ "embed"
	"encoding/binary"
	"sort"
	"sync"
)

//go:embed folds.bin
var embeddedFolds []byte

// fold is what Oniguruma's (?i) lets a character match beside itself.
type fold struct {
	r       rune
	several bool // some letters one after the other
	part    bool // it and its neighbours together are also one character
	others  []rune
}

var folds = sync.OnceValue(func() []fold {
	b := embeddedFolds
	next := func() int {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return int(n)
	}
	all := make([]fold, next())
	last := 0
	for i := range all {
		last += next()
		flags := next()
		all[i] = fold{r: rune(last), several: flags&1 != 0, part: flags&2 != 0, others: make([]rune, next())}
		for k := range all[i].others {
			all[i].others[k] = rune(next())
		}
	}
	return all
})

// FoldsWithOthers tells whether r in any case is also several letters, or one character together with its neighbours.
func FoldsWithOthers(r rune) bool {
	all := folds()
	i := sort.Search(len(all), func(i int) bool { return all[i].r >= r })
	return i < len(all) && all[i].r == r && (all[i].several || all[i].part)
}

// Fold returns the other cases of the characters in ranges, as ranges; one is false where some are also several
// letters.
func Fold(ranges []rune) (others []rune, one bool) {
	all := folds()
	for i := 0; i < len(ranges); i += 2 {
		at := sort.Search(len(all), func(k int) bool { return all[k].r >= ranges[i] })
		for ; at < len(all) && all[at].r <= ranges[i+1]; at++ {
			if all[at].several {
				return nil, false
			}
			for _, r := range all[at].others {
				others = append(others, r, r)
			}
		}
	}
	return others, true
}
