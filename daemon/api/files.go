package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"textmill/daemon/batches"
	"textmill/jobs/queue"
	"textmill/open/telemetry"
)

// fileObject is a file in OpenAI's form.
type fileObject struct {
	ID        string `json:"id"`
	Object    string `json:"object"`
	Bytes     int64  `json:"bytes"`
	CreatedAt int64  `json:"created_at"`
	ExpiresAt *int64 `json:"expires_at"`
	Filename  string `json:"filename"`
	Purpose   string `json:"purpose"`
	Status    string `json:"status"`
}

func objectOf(f *batches.File) fileObject {
	return fileObject{ID: f.ID, Object: "file", Bytes: f.Content.Size, CreatedAt: f.Created / int64(time.Second),
		ExpiresAt: atOrNull(f.Expires), Filename: f.Name, Purpose: f.Purpose, Status: "processed"}
}

// atOrNull is a time in seconds, null where it is none.
func atOrNull(at int64) *int64 {
	if at == 0 {
		return nil
	}
	return &at
}

// uploadsAtOnce is how many files are taken in at a time, a chunk of each in memory.
const uploadsAtOnce = 8

func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength > s.o.FileBytes+mostForm {
		w.Header().Set("Connection", "close")
		fileTooLong(s.o.FileBytes).write(w)
		return
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		w.Header().Set("Connection", "close")
		busy("too many files are being uploaded").write(w)
		return
	}
	begun, conn := time.Now(), http.NewResponseController(w)
	_ = conn.SetWriteDeadline(time.Time{}) // each read has its time
	r.Body = &patient{ReadCloser: r.Body, conn: conn}
	form, err := r.MultipartReader()
	if err != nil {
		fail(http.StatusBadRequest, "a file is sent as multipart/form-data: "+err.Error()).write(w)
		return
	}
	up, f := readUpload(form, s.o.FileBytes, func(part io.Reader) (queue.Content, error) {
		return s.o.Batches.Upload(r.Context(), part)
	})
	if f != nil {
		if up.content.Chunks > 0 {
			s.o.Batches.Discard(r.Context(), up.content)
		}
		w.Header().Set("Connection", "close") // the rest of the body is not read
		_ = conn.SetWriteDeadline(time.Now().Add(sending))
		f.write(w)
		return
	}
	_ = conn.SetWriteDeadline(time.Now().Add(sending))
	file, err := s.o.Batches.AddFile(r.Context(), batches.File{Name: up.name, Purpose: batches.PurposeBatch,
		Expires: up.expires(time.Now()), Content: up.content})
	if err != nil {
		s.o.Batches.Discard(r.Context(), up.content)
		trouble(w, err)
		return
	}
	s.o.Batches.Uploaded(telemetry.TraceOf(r.Header.Get), &file, begun)
	answer(w, http.StatusOK, objectOf(&file))
}

// patient gives a client time for each piece of what it sends, however long all of it takes.
type patient struct {
	io.ReadCloser
	conn *http.ResponseController
	set  time.Time
}

func (p *patient) Read(b []byte) (int, error) {
	if now := time.Now(); now.Sub(p.set) > time.Second {
		p.set = now
		_ = p.conn.SetReadDeadline(now.Add(sending))
	}
	return p.ReadCloser.Read(b)
}

func (s *Server) files(w http.ResponseWriter, r *http.Request) {
	q, f := readPage(r.URL.Query(), 10_000, 10_000, "purpose")
	purpose := r.URL.Query().Get("purpose")
	if f == nil && purpose != "" && purpose != batches.PurposeBatch && purpose != batches.PurposeOutput {
		f = fail(http.StatusBadRequest, "purpose "+quoted(purpose)+": batch or batch_output is needed").of("purpose")
	}
	if f != nil {
		f.write(w)
		return
	}
	all, err := s.o.Batches.Files(r.Context())
	if err != nil {
		trouble(w, err)
		return
	}
	var objects []fileObject
	for i := range all {
		if purpose == "" || all[i].Purpose == purpose {
			objects = append(objects, objectOf(&all[i]))
		}
	}
	writePage(w, q, objects, func(o fileObject) string { return o.ID })
}

func (s *Server) file(w http.ResponseWriter, r *http.Request) {
	f, err := s.o.Batches.File(r.Context(), r.PathValue("file"))
	if err != nil {
		trouble(w, err)
		return
	}
	answer(w, http.StatusOK, objectOf(&f))
}

func (s *Server) deleteFile(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("file")
	if err := s.o.Batches.DeleteFile(r.Context(), id); err != nil {
		trouble(w, err)
		return
	}
	answer(w, http.StatusOK, deletion{id, "file", true})
}

// content sends a file as it is read. Where it turns out not to be whole the answer breaks off, and so is short of
// what it was said to be.
func (s *Server) content(w http.ResponseWriter, r *http.Request) {
	f, err := s.o.Batches.File(r.Context(), r.PathValue("file"))
	if err != nil {
		trouble(w, err)
		return
	}
	conn := http.NewResponseController(w)
	in := s.o.Batches.Open(r.Context(), f)
	first := make([]byte, 32<<10)
	n, err := in.Read(first)
	if err != nil && !errors.Is(err, io.EOF) { // while it can still be said
		trouble(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(f.Content.Size, 10))
	for err == nil || n > 0 {
		_ = conn.SetWriteDeadline(time.Now().Add(sending))
		if _, e := w.Write(first[:n]); e != nil {
			return // the client has gone
		}
		if err != nil {
			break
		}
		n, err = in.Read(first)
	}
	if !errors.Is(err, io.EOF) {
		panic(http.ErrAbortHandler)
	}
}

// trouble answers with what files and batches failed for.
func trouble(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, batches.ErrNotFound):
		fail(http.StatusNotFound, "there is no object of this id").of("id").named("not_found").write(w)
	case errors.Is(err, batches.ErrOver):
		fail(http.StatusConflict, "the batch "+err.Error()).named("invalid_status").write(w)
	default:
		noRoomOr(err).write(w)
	}
}

// noRoomOr is why something was not stored. Clients that send again what was refused need not where there is no room.
func noRoomOr(err error) *failure {
	switch {
	case errors.Is(err, queue.ErrFull):
		return fail(http.StatusInsufficientStorage,
			"there is no room for more files: delete some, or raise the limit of the stream "+queue.FileStream+
				" (http.files_max_bytes when it is made, nats stream edit later)").named("insufficient_storage")
	case errors.Is(err, context.Canceled):
		return fail(http.StatusBadRequest, "the request did not come whole")
	}
	return fail(http.StatusServiceUnavailable, "files and batches cannot be asked for now: "+err.Error())
}
