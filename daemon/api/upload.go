package api

import (
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"textmill/daemon/batches"
	"textmill/jobs/queue"
)

const (
	mostForm  = 64 << 10 // what a form has beside its file
	mostField = 1 << 10
	mostParts = 16
	mostName  = 255

	leastExpiry, mostExpiry = 3600, 2_592_000 // s, as OpenAI has them
	usualExpiry             = 30 * 24 * 3600  // of a file of requests
)

// upload is what a form says of its file.
type upload struct {
	purpose, anchor, seconds string
	name                     string
	content                  queue.Content
	there                    bool
}

// putting puts away what a reader gives.
type putting func(io.Reader) (queue.Content, error)

func fileTooLong(most int64) *failure {
	return fail(http.StatusRequestEntityTooLarge, "the file is longer than "+strconv.FormatInt(most, 10)+
		" bytes; cut it into several, or raise http.file_bytes").of("file").named("file_too_large")
}

var errFileTooLong = errors.New("the file is too long")

// readUpload reads a form, whose parts may come in any order, and puts its file away as it comes. Whatever is wrong,
// the content is told if there is one.
func readUpload(form *multipart.Reader, most int64, put putting) (up upload, f *failure) {
	seen := map[string]bool{}
	for n := 0; ; n++ {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return up, up.check()
		}
		if err != nil || n == mostParts {
			return up, fail(http.StatusBadRequest, "the form did not come whole, or has more parts than a file needs")
		}
		name := part.FormName()
		if seen[name] {
			return up, fail(http.StatusBadRequest, "the form has the field "+quoted(name)+" twice").of(name)
		}
		seen[name] = true
		if f := up.take(name, part, most, put); f != nil {
			return up, f
		}
	}
}

func (up *upload) take(name string, part *multipart.Part, most int64, put putting) *failure {
	fields := map[string]*string{"purpose": &up.purpose, "expires_after[anchor]": &up.anchor,
		"expires_after[seconds]": &up.seconds}
	switch {
	case name == "file":
		var err error
		up.name = fileName(part.FileName())
		up.content, err = put(&bounded{r: part, left: most})
		up.there = err == nil
		switch {
		case errors.Is(err, errFileTooLong):
			return fileTooLong(most)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return fail(http.StatusBadRequest, "the file did not come whole").of("file")
		case err != nil:
			return noRoomOr(err)
		}
		return nil
	case fields[name] != nil:
		value, err := io.ReadAll(io.LimitReader(part, mostField+1))
		if err != nil || len(value) > mostField {
			return fail(http.StatusBadRequest, "the field "+name+" did not come whole, or is too long").of(name)
		}
		*fields[name] = string(value)
		return nil
	}
	return fail(http.StatusBadRequest, "the field "+quoted(name)+" is not known; a file has file, purpose and expires_after").of(name)
}

func (up *upload) check() *failure {
	switch {
	case !up.there:
		return fail(http.StatusBadRequest, "the form has no file").of("file")
	case up.purpose != batches.PurposeBatch:
		return fail(http.StatusBadRequest, "purpose "+quoted(up.purpose)+": only files of the purpose batch are taken").of("purpose")
	case up.anchor == "" && up.seconds == "":
		return nil
	}
	return expiryWrong(up.anchor, up.seconds)
}

// expiryWrong says what is wrong with an expires_after.
func expiryWrong(anchor, seconds string) *failure {
	n, err := strconv.ParseInt(seconds, 10, 64)
	switch {
	case anchor != "created_at":
		return fail(http.StatusBadRequest, "expires_after.anchor "+quoted(anchor)+": it must be created_at").of("expires_after.anchor")
	case err != nil || n < leastExpiry || n > mostExpiry:
		return fail(http.StatusBadRequest, "expires_after.seconds "+quoted(seconds)+": a number from 3600 to 2592000 is needed").
			of("expires_after.seconds")
	}
	return nil
}

// expires is when the file goes, in seconds.
func (up *upload) expires(now time.Time) int64 {
	if up.seconds == "" {
		return now.Unix() + usualExpiry
	}
	n, _ := strconv.ParseInt(up.seconds, 10, 64) // check has read it
	return now.Unix() + n
}

// fileName is what a client calls its file, without where it lies there.
func fileName(s string) string {
	s = path.Base(strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), `\`, "/"))
	for len(s) > mostName {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	if s == "." || s == "/" {
		return "file"
	}
	return s
}

// bounded is a reader that fails where more comes.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errFileTooLong
	}
	return n, err
}
