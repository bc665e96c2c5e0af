package python

import "slices"

// Sorted is sorted(items, key=key, reverse=reverse).
func Sorted(m *Meter, items []any, key func(any) (any, error), reverse bool) ([]any, error) {
	type keyed struct{ key, item any }
	m.Charge(len(items))
	list := make([]keyed, len(items))
	for i, item := range items {
		k, err := key(item)
		if err != nil {
			return nil, err
		}
		list[i] = keyed{k, item}
	}
	var failed error
	less := func(a, b keyed) bool {
		if failed != nil {
			return false
		}
		is, err := Less(m, a.key, b.key)
		if err != nil {
			failed = err
		}
		return is
	}
	if reverse { // equal items keep their order
		slices.Reverse(list)
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		switch {
		case less(a, b):
			return -1
		case less(b, a):
			return 1
		}
		return 0
	})
	if reverse {
		slices.Reverse(list)
	}
	out := make([]any, len(list))
	for i, k := range list {
		out[i] = k.item
	}
	return out, failed
}
