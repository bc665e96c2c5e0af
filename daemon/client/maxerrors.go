package client

import (
	"fmt"
	"strconv"
	"strings"
)

// maxErrors is how many error rows a job may have. All of them, it never may.
type maxErrors struct {
	given   bool
	rows    int64
	percent float64 // instead of rows, where text ends in %
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
		m.percent, err = strconv.ParseFloat(number, 64)
		if err != nil || !(m.percent >= 0 && m.percent <= 100) {
			return m, fmt.Errorf("--max-errors %s: a percentage is between 0%% and 100%%", s)
		}
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
	if strings.HasSuffix(m.text, "%") {
		most = int64(float64(rows) * m.percent / 100)
	}
	switch {
	case rows > 0 && errors >= rows:
		return fmt.Errorf("%w: all %d rows are errors", ErrErrorRows, rows)
	case m.given && errors > most:
		return fmt.Errorf("%w: %d of %d, --max-errors %s allows %d", ErrErrorRows, errors, rows, m.text, most)
	}
	return nil
}
