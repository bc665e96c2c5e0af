package jinja

import (
	"fmt"
	"strings"
	"time"

	"textmill/tokenize/chat/internal/python"
)

// strftime formats as C does in its own locale, with glibc's flags (-, _, 0, ^, #) and widths; what it does not know
// stays as it is.
func strftime(m *python.Meter, t time.Time, format string) string {
	var b strings.Builder
	for at := 0; at < len(format); at++ {
		if format[at] != '%' {
			b.WriteByte(format[at])
			continue
		}
		from := at
		f := field{}
		for at++; at < len(format) && strings.IndexByte("-_0^#", format[at]) >= 0; at++ {
			switch c := format[at]; c {
			case '^':
				f.upper = true
			case '#':
				f.swap = true
			default:
				f.pad = c
			}
		}
		for ; at < len(format) && format[at] >= '0' && format[at] <= '9'; at++ {
			f.width = min(f.width*10+int(format[at]-'0'), python.MaxBytes)
		}
		if at < len(format) && (format[at] == 'E' || format[at] == 'O') {
			at++
		}
		if at == len(format) {
			b.WriteString(format[from:])
			break
		}
		s, ok := f.directive(m, t, format[at])
		if !ok {
			s = format[from : at+1]
		}
		m.Bytes(b.Len()/python.MaxBytes*2*python.MaxBytes + len(s))
		b.WriteString(s)
	}
	return b.String()
}

// field is one directive's flags.
type field struct {
	pad         byte // 0: the directive's own
	upper, swap bool
	width       int
}

// number pads as the directive does unless a flag says otherwise.
func (f field) number(m *python.Meter, n, width int, pad byte) string {
	if f.pad != 0 {
		pad = f.pad
	}
	s := fmt.Sprint(n)
	if pad == '-' {
		return s
	}
	if pad == '_' {
		pad = ' '
	}
	width = max(width, f.width)
	return strings.Repeat(string(pad), m.Times(int64(width-len(s)), 1)) + s
}

func (f field) text(m *python.Meter, s string) string {
	if f.upper || f.swap {
		s = strings.ToUpper(s)
	}
	pad := " "
	if f.pad == '0' {
		pad = "0"
	}
	return strings.Repeat(pad, m.Times(int64(f.width-len(s)), 1)) + s
}

func (f field) directive(m *python.Meter, t time.Time, c byte) (string, bool) {
	layouts := map[byte]string{'a': "Mon", 'A': "Monday", 'b': "Jan", 'h': "Jan", 'B': "January",
		'c': "Mon Jan _2 15:04:05 2006",
		'D': "01/02/06", 'x': "01/02/06", 'F': "2006-01-02", 'R': "15:04", 'T': "15:04:05", 'X': "15:04:05",
		'r': "03:04:05 PM"}
	if layout, ok := layouts[c]; ok {
		return f.text(m, t.Format(layout)), true
	}
	hour12 := (t.Hour()+11)%12 + 1
	isoYear, isoWeek := t.ISOWeek()
	numbers := map[byte]struct {
		n, width int
		pad      byte
	}{
		'C': {t.Year() / 100, 2, '0'}, 'd': {t.Day(), 2, '0'}, 'e': {t.Day(), 2, ' '}, 'g': {isoYear % 100, 2, '0'},
		'G': {isoYear, 4, '0'},
		'H': {t.Hour(), 2, '0'}, 'I': {hour12, 2, '0'}, 'j': {t.YearDay(), 3, '0'}, 'k': {t.Hour(), 2, ' '},
		'l': {hour12, 2, ' '},
		'm': {int(t.Month()), 2, '0'}, 'M': {t.Minute(), 2, '0'}, 's': {int(t.Unix()), 1, '0'}, 'S': {t.Second(), 2, '0'},
		'u': {(int(t.Weekday())+6)%7 + 1, 1, '0'}, 'U': {(t.YearDay() + 6 - int(t.Weekday())) / 7, 2, '0'},
		'V': {isoWeek, 2, '0'},
		'w': {int(t.Weekday()), 1, '0'}, 'W': {(t.YearDay() + 6 - (int(t.Weekday())+6)%7) / 7, 2, '0'},
		'y': {t.Year() % 100, 2, '0'}, 'Y': {t.Year(), 1, '0'},
	}
	if n, ok := numbers[c]; ok {
		return f.number(m, n.n, n.width, n.pad), true
	}
	switch c {
	case 'f':
		return fmt.Sprintf("%06d", t.Nanosecond()/1000), true
	case 'n':
		return f.text(m, "\n"), true
	case 't':
		return f.text(m, "\t"), true
	case '%':
		return f.text(m, "%"), true
	case 'p', 'P':
		s := t.Format("PM")
		if c == 'P' || f.swap {
			f.swap = false
			s = strings.ToLower(s)
		}
		return f.text(m, s), true
	case 'z', 'Z':
		return "", true // a time without a zone, as datetime.now() is
	}
	return "", false
}
