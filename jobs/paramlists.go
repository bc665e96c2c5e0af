package jobs

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

func readTexts(name string, v jsontext.Value) ([]string, error) {
	if v.Kind() == '"' {
		if len(v) == 2 {
			return nil, recordErrorf(InvalidParam, "%s: the string is empty; it needs at least one character", name)
		}
		return []string{unquote(v)}, nil
	}
	if v.Kind() != '[' {
		return nil, recordErrorf(InvalidParam, "%s: want a string or an array of strings, have %s", name, kindName(v.Kind()))
	}
	out := []string{} // not nil, though it be empty: none at all is an answer too
	err := eachElement(v, name, func(e jsontext.Value) error {
		if e.Kind() != '"' {
			return recordErrorf(InvalidParam, "%s[%d]: want a string, have %s", name, len(out), kindName(e.Kind()))
		}
		if len(e) == 2 {
			return recordErrorf(InvalidParam, "%s[%d]: the string is empty; it needs at least one character", name, len(out))
		}
		out = append(out, unquote(e))
		return nil
	})
	return out, err
}

func readIDs(name string, v jsontext.Value) ([]int32, error) {
	if v.Kind() == '0' {
		id, err := readID(name, string(v))
		return []int32{id}, err
	}
	if v.Kind() != '[' {
		return nil, recordErrorf(InvalidParam, "%s: want a number or an array of numbers, have %s", name, kindName(v.Kind()))
	}
	var out []int32
	err := eachElement(v, name, func(e jsontext.Value) error {
		id, err := readID(name+"["+strconv.Itoa(len(out))+"]", string(e))
		out = append(out, id)
		return err
	})
	return out, err
}

// readID reads a token ID at a place in params.
func readID(place, text string) (int32, error) {
	id, err := strconv.ParseInt(text, 10, 32)
	if err != nil || id < 0 || strconv.FormatInt(id, 10) != text {
		return 0, recordErrorf(InvalidParam, "%s: %s is not a token ID, a whole number from 0 on", place, clip(text))
	}
	return int32(id), nil
}

func (p param[T]) readBias(v jsontext.Value) (map[int32]float64, error) {
	if v.Kind() != '{' {
		return nil, recordErrorf(InvalidParam, "%s: want an object of token IDs and numbers, have %s", p.name,
			kindName(v.Kind()))
	}
	out := make(map[int32]float64)
	err := eachMember(v, p.name, func(name string, e jsontext.Value) error {
		id, err := readID(p.name, name)
		if err != nil {
			return err
		}
		one := param[T]{name: p.name + "[" + name + "]", kind: floatParam, least: p.least, most: p.most}
		value, err := one.read(e)
		out[id] = value.x
		return err
	})
	return out, err
}

// readRanges reads [[least of each dimension], [greatest of each dimension]].
func readRanges(name string, v jsontext.Value) (*Ranges, error) {
	const want = "two arrays of as many numbers, the least value of each dimension and the greatest"
	if v.Kind() != '[' {
		return nil, recordErrorf(InvalidParam, "%s: want %s, have %s", name, want, kindName(v.Kind()))
	}
	var lists [][]float32
	err := eachElement(v, name, func(list jsontext.Value) error {
		if list.Kind() != '[' {
			return recordErrorf(InvalidParam, "%s: want %s, have %s in it", name, want, kindName(list.Kind()))
		}
		values := []float32{}
		err := eachElement(list, name, func(e jsontext.Value) error {
			x, err := strconv.ParseFloat(string(e), 32)
			if e.Kind() != '0' || err != nil {
				return recordErrorf(InvalidParam, "%s[%d][%d]: want a number that a float32 holds, have %s", name, len(lists),
					len(values), clip(string(e)))
			}
			values = append(values, float32(x))
			return nil
		})
		lists = append(lists, values)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(lists) != 2 || len(lists[0]) != len(lists[1]) || len(lists[0]) == 0 {
		return nil, recordErrorf(InvalidParam, "%s: want %s", name, want)
	}
	for i, least := range lists[0] {
		if most := lists[1][i]; most < least {
			return nil, recordErrorf(InvalidParam, "%s: dimension %d goes from %v to %v", name, i, least, most)
		}
	}
	return &Ranges{lists[0], lists[1]}, nil
}
