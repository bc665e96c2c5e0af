package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"textmill/ground/regular"
	"textmill/input/htmltext"
	"textmill/jobs"
)

// wholeFile is the format of files that are one record each.
const wholeFile = "whole file"

// sniffed is how much of a file says what it is.
const sniffed = 8 << 10

// wholeSource hands out the one record of a file.
type wholeSource struct {
	record jobs.Record
	over   bool
}

func (s *wholeSource) next(it *Item) error {
	if s.over {
		return io.EOF
	}
	s.over = true
	*it = Item{Record: s.record}
	return nil
}

// OpenWhole reads a file as one record, which is called by the file's name. A file that is no text, or that has no
// text in it, holds no record: LeftOut says so.
func OpenWhole(path, name string, o Options) (*Reader, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	rec, leftOut, err := readWhole(f, name, o.withDefaults().MaxRecordBytes)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &Reader{format: wholeFile, src: &wholeSource{rec, leftOut != ""}, leftOut: leftOut}, nil
}

func readWhole(f *os.File, name string, most int) (rec jobs.Record, leftOut string, err error) {
	head, err := io.ReadAll(io.LimitReader(f, sniffed))
	if err != nil {
		return rec, "", err
	}
	if leftOut := notText(head, false); leftOut != "" {
		return rec, leftOut, nil
	}
	data, err := io.ReadAll(io.MultiReader(bytes.NewReader(head), io.LimitReader(f, int64(most))))
	if err != nil {
		return rec, "", err
	}
	if len(data) > most {
		st, err := f.Stat()
		if err != nil {
			return rec, "", err
		}
		rec = jobs.Record{ID: name, Attributes: map[string]string{"file": name}, Err: fileError(jobs.TooLong, name,
			"the file has %d bytes, the limit is %d; split it, or raise limits.record_bytes", st.Size(), most)}
		return rec, "", nil
	}
	rec, leftOut = wholeRecord(data, name)
	return rec, leftOut, nil
}

func fileError(class, name, format string, args ...any) *jobs.RecordError {
	return &jobs.RecordError{Class: class, Message: name + ": " + fmt.Sprintf(format, args...)}
}

// wholeRecord makes the record of a file, or says why it is left out.
func wholeRecord(data []byte, name string) (rec jobs.Record, leftOut string) {
	if leftOut := notText(data, true); leftOut != "" {
		return rec, leftOut
	}
	kind := mediaType(data, name)
	rec = jobs.Record{ID: name, Attributes: map[string]string{"file": name, "media_type": kind}}
	text, problem := decode(data)
	if problem != "" {
		rec.Err = fileError(jobs.BadUTF8, name, "%s", problem)
		return rec, ""
	}
	if kind == mediaHTML {
		made, title, err := htmltext.Convert(text)
		if err != nil {
			rec.Err = fileError(jobs.InvalidRecord, name, "%v; convert it to text", err)
			return rec, ""
		}
		if text = made; title != "" {
			rec.Attributes["title"] = title
		}
	}
	if strings.TrimSpace(text) == "" {
		return jobs.Record{}, "it has no text"
	}
	rec.Text = text
	return rec, ""
}

const (
	mediaHTML     = "text/html"
	mediaMarkdown = "text/markdown"
	mediaPlain    = "text/plain"
)

// mediaType goes by the name, and only where that says nothing by what is in the file. Tables of the system are not
// asked: a file is the same record on every machine.
func mediaType(data []byte, name string) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".html", ".htm", ".xhtml":
		return mediaHTML
	case ".md", ".markdown":
		return mediaMarkdown
	case "":
		if strings.HasPrefix(http.DetectContentType(data), mediaHTML) {
			return mediaHTML
		}
	}
	return mediaPlain
}

var (
	utf16LE = []byte{0xff, 0xfe}
	utf16BE = []byte{0xfe, 0xff}
	utf32LE = []byte{0xff, 0xfe, 0, 0}
)

// notText says what a file is that is no text: it holds NUL, or is not UTF-8 and looks like another kind of file.
// Bytes may be the beginning of a file, or all of it.
func notText(data []byte, all bool) string {
	kind := http.DetectContentType(data)
	wide := bytes.HasPrefix(data, utf16LE) || bytes.HasPrefix(data, utf16BE)
	switch {
	case bytes.HasPrefix(data, []byte("%PDF-")):
	case wide && !bytes.HasPrefix(data, utf32LE):
		return ""
	case bytes.IndexByte(data, 0) >= 0:
		if strings.HasPrefix(kind, "text/") {
			kind = "application/octet-stream"
		}
	case strings.HasPrefix(kind, "text/"), invalidAt(data) < 0, !all && invalidAt(data) > len(data)-utf8.UTFMax:
		return ""
	}
	return "it is no text (" + kind + ")"
}

// invalidAt is where the first byte stands that is not UTF-8; -1: there is none.
func invalidAt(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}
