package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"regexp"
)

//go:embed assets
var files embed.FS

// assets are served under names that hold a hash of their content, so that browsers keep them for good.
type assets struct {
	names   map[string]string // by file
	content map[string][]byte // by name
}

// imported is another module in a module.
var imported = regexp.MustCompile(`"\./([a-z]+\.js)"`)

func newAssets() *assets {
	a := &assets{names: map[string]string{}, content: map[string][]byte{}}
	all, err := files.ReadDir("assets")
	if err != nil {
		panic(err) // it is part of the program, as are the files below
	}
	for _, f := range all {
		a.add(f.Name())
	}
	return a
}

// add names a file by its content, and before that those that it imports.
func (a *assets) add(file string) string {
	if name, known := a.names[file]; known {
		return name
	}
	content, err := files.ReadFile("assets/" + file)
	if err != nil {
		panic(err)
	}
	content = imported.ReplaceAllFunc(content, func(m []byte) []byte {
		return []byte(`"./` + a.add(string(m[3:len(m)-1])) + `"`)
	})
	sum, ext := sha256.Sum256(content), path.Ext(file)
	name := file[:len(file)-len(ext)] + "." + hex.EncodeToString(sum[:6]) + ext
	a.names[file], a.content[name] = name, content
	return name
}

// path is where a file is served.
func (a *assets) path(file string) string { return "/assets/" + a.names[file] }

func (a *assets) serve(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	content, known := a.content[name]
	secure(w.Header())
	if !known {
		http.Error(w, "there is no such asset; load the page again", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = bytes.NewReader(content).WriteTo(w)
}
