package parquetin

import (
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// textOf writes a value that is not null as text.
type textOf func(*parquet.Value) string

// textFor chooses the text form of a type; nil when it has none.
func textFor(t parquet.Type) textOf {
	var logical format.LogicalTypeValue
	if lt := t.LogicalType(); lt != nil {
		logical = lt.Value
	}
	switch l := logical.(type) {
	case *format.DecimalType:
		return decimalText(t.Kind(), int(l.Scale))
	case *format.DateType:
		return dateText
	case *format.TimestampType:
		return timestampText(l)
	case *format.TimeType:
		return timeText(l.Unit)
	case *format.IntType:
		if !l.IsSigned {
			return unsignedText(t.Kind())
		}
	case *format.UUIDType:
		return uuidText
	case *format.NullType:
		return func(*parquet.Value) string { return "" } // never called: every value is null
	case *format.StringType, *format.EnumType, *format.JsonType, nil:
	default:
		return nil // BSON, geometry and what is yet to come
	}
	return plainText(t.Kind())
}

func plainText(k parquet.Kind) textOf {
	switch k {
	case parquet.Boolean:
		return func(v *parquet.Value) string { return strconv.FormatBool(v.Boolean()) }
	case parquet.Int32:
		return func(v *parquet.Value) string { return strconv.FormatInt(int64(v.Int32()), 10) }
	case parquet.Int64:
		return func(v *parquet.Value) string { return strconv.FormatInt(v.Int64(), 10) }
	case parquet.Int96:
		return int96Text
	case parquet.Float:
		return func(v *parquet.Value) string { return floatText(float64(v.Float()), 32) }
	case parquet.Double:
		return func(v *parquet.Value) string { return floatText(v.Double(), 64) }
	case parquet.ByteArray:
		// Old writers do not mark strings as such; whether the bytes are UTF-8 is for the caller to see.
		return func(v *parquet.Value) string { return string(v.ByteArray()) }
	}
	return nil
}

func unsignedText(k parquet.Kind) textOf {
	if k == parquet.Int32 {
		return func(v *parquet.Value) string { return strconv.FormatUint(uint64(v.Uint32()), 10) }
	}
	return func(v *parquet.Value) string { return strconv.FormatUint(v.Uint64(), 10) }
}

// floatText writes a number as JSON does, and what JSON cannot write by name.
func floatText(f float64, bits int) string {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	s := strconv.FormatFloat(f, format, -1, bits)
	if n := len(s); format == 'e' && n > 4 && s[n-4:n-1] == "e-0" {
		s = s[:n-2] + s[n-1:] // e-09 is e-9
	}
	return s
}

func uuidText(v *parquet.Value) string {
	s := hex.EncodeToString(v.ByteArray())
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func dateText(v *parquet.Value) string {
	return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly)
}

// nanos is how many nanoseconds a unit of time is.
func nanos(u format.TimeUnit) int64 {
	switch u.Value.(type) {
	case *format.MilliSeconds:
		return 1e6
	case *format.MicroSeconds:
		return 1e3
	}
	return 1
}

func timestampText(l *format.TimestampType) textOf {
	unit, layout := nanos(l.Unit), "2006-01-02T15:04:05.999999999"
	if l.IsAdjustedToUTC {
		layout += "Z"
	}
	perSecond := int64(1e9) / unit
	return func(v *parquet.Value) string {
		n := v.Int64()
		return time.Unix(n/perSecond, n%perSecond*unit).UTC().Format(layout)
	}
}

func timeText(u format.TimeUnit) textOf {
	unit := nanos(u)
	return func(v *parquet.Value) string {
		n := v.Int64()
		if v.Kind() == parquet.Int32 {
			n = int64(v.Int32())
		}
		return time.Unix(0, 0).UTC().Add(time.Duration(n * unit)).Format("15:04:05.999999999")
	}
}

// int96Text reads the timestamps of old writers: nanoseconds of the day, then the Julian day.
func int96Text(v *parquet.Value) string {
	var i deprecated.Int96 = v.Int96()
	const unixEpoch = 2440588
	ns := int64(i[1])<<32 | int64(i[0])
	return time.Unix((int64(i[2])-unixEpoch)*86400, ns).UTC().Format("2006-01-02T15:04:05.999999999Z")
}

func decimalText(k parquet.Kind, scale int) textOf {
	return func(v *parquet.Value) string {
		var n *big.Int
		switch k {
		case parquet.Int32:
			n = big.NewInt(int64(v.Int32()))
		case parquet.Int64:
			n = big.NewInt(v.Int64())
		default:
			b := v.ByteArray()
			n = new(big.Int).SetBytes(b)
			if len(b) > 0 && b[0] >= 0x80 {
				n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
			}
		}
		return scaled(n, scale)
	}
}

func scaled(n *big.Int, scale int) string {
	digits := new(big.Int).Abs(n).String()
	if scale > 0 {
		if missing := scale + 1 - len(digits); missing > 0 {
			digits = strings.Repeat("0", missing) + digits
		}
		digits = digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
	}
	if n.Sign() < 0 {
		return "-" + digits
	}
	return digits
}
