package fetch

import (
	"encoding/json"
	"path"
	"path/filepath"
	"testing"

	"textmill/models"
)

// FuzzListing is what a hub says that it has: whatever it says, files land in the bundle under their own names, verified.
func FuzzListing(f *testing.F) {
	f.Add([]byte(`[{"rfilename":"config.json","blobId":"1"},{"rfilename":"onnx/model.onnx","lfs":{"sha256":"2"}},{"rfilename":"onnx/model.onnx_data","lfs":{"sha256":"3"}},{"rfilename":"1_Pooling/config.json","blobId":"4"}]`))
	f.Add([]byte(`[{"rfilename":"a.onnx"},{"rfilename":"../config.json"},{"rfilename":"/x.json"}]`))
	f.Add([]byte(`[{"rfilename":"a.onnx","blobId":"1"},{"rfilename":"a.onnx_data/../textmill.json","blobId":"2"},{"rfilename":"a.onnx.data","lfs":{}}]`))
	f.Add([]byte(`[{"rfilename":"config.json","blobId":"1"},{"rfilename":"model-1.safetensors","lfs":{"sha256":"2"}},{"rfilename":"0_StaticEmbedding/model.safetensors","lfs":{"sha256":"3"}}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var all []repoFile
		if json.Unmarshal(data, &all) != nil {
			return
		}
		var chosen []repoFile
		for _, preferCheckpoint := range []bool{false, true} {
			files, _, err := wanted(all, preferCheckpoint)
			if err == nil {
				chosen = append(chosen, files...)
			}
		}
		for _, c := range chosen {
			if !filepath.IsLocal(c.Name) || path.Clean(c.Name) != c.Name || c.Name == models.RecordName {
				t.Errorf("%q would be written", c.Name)
			}
			if c.BlobID == "" && (c.LFS == nil || c.LFS.SHA256 == "") {
				t.Errorf("%q would not be verified", c.Name)
			}
		}
	})
}
