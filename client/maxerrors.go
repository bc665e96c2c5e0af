package client

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// maxErrors is how many error rows a job may have. All of them, it never may.
type maxErrors struct {
	given   bool
	rows    int64
	percent *big.Rat // instead of rows, where text ends in %; 0.57% of 10,000 rows are 57, which floats miss
	text    string
}

// parseMaxErrors reads a number or a percentage; "" is no bound.
func parseMaxErrors(s string) (m maxErrors, err error) {
	if s == "" {
		return m, nil
	}
	m = maxErrors{given: true, text: s}
	number, isPercent := strings.CutSuffix(s, "%")
	if isPercent {
		percent, err := strconv.ParseFloat(number, 64)
		if err != nil || !(percent >= 0 && percent <= 100) {
			return m, fmt.Errorf("--max-errors %s: a percentage is between 0%% and 100%%", s)
		}
		m.percent, _ = new(big.Rat).SetString(strconv.FormatFloat(percent, 'g', -1, 64))
		return m, nil
	}
	if m.rows, err = strconv.ParseInt(number, 10, 64); err != nil || m.rows < 0 {
		return m, fmt.Errorf("--max-errors %s: it is a number of rows, such as 10, or a percentage, such as 1%%", s)
	}
	return m, nil
}

// check says whether rows, of which some are errors, will do.
func (m maxErrors) check(rows, errors int64) error {
	most := m.rows
	if m.percent != nil {
		of := new(big.Rat).Mul(m.percent, big.NewRat(rows, 100))
		most = new(big.Int).Quo(of.Num(), of.Denom()).Int64()
	}
	switch {
	case rows > 0 && errors >= rows:
		return fmt.Errorf("%w: all %d rows are errors", ErrErrorRows, rows)
	case m.given && errors > most:
		return fmt.Errorf("%w: %d of %d, --max-errors %s allows %d", ErrErrorRows, errors, rows, m.text, most)
	}
	return nil
}
