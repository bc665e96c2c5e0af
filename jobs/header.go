package jobs

import (
	"mime"
	"strconv"
	"strings"
)

// Names of the headers that publishers may set.
const (
	HeaderContentType = "Content-Type"
	HeaderMsgID       = "Nats-Msg-Id"
	HeaderJob         = "Textmill-Job"
	HeaderDataset     = "Textmill-Dataset"
)

// Header holds a message's headers; names are compared without regard to case.
type Header map[string][]string

// Get is the first value of a header, "" without one.
func (h Header) Get(name string) string {
	if v, ok := h[name]; ok && len(v) > 0 {
		return v[0]
	}
	for k, v := range h {
		if strings.EqualFold(k, name) && len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// plainText reports whether the headers say text/plain, and the charset if they name one.
func (h Header) plainText() (charset string, ok bool) {
	value := h.Get(HeaderContentType)
	kind, params, err := mime.ParseMediaType(value)
	if err != nil { // parameters that cannot be read do not change the type
		kind, _, _ = strings.Cut(value, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
	}
	return strings.ToLower(params["charset"]), kind == "text/plain"
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
