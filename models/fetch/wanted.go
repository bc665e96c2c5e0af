package fetch

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"textmill/models"
)

// wanted chooses the files of a repository: those of a bundle that others exported, or of a checkpoint that is to be
// imported.
func wanted(all []repoFile, preferCheckpoint bool) (chosen []repoFile, imported bool, err error) {
	for _, f := range all {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) || path.Clean(f.Name) != f.Name {
			return nil, false, fmt.Errorf("the repository names a file %s, which is no path inside of it",
				strconv.Quote(f.Name))
		}
	}
	chosen = bundleFiles(all)
	if weights := checkpointFiles(all); len(weights) > 0 && (preferCheckpoint || len(chosen) == 0) {
		chosen, imported = weights, true
	}
	if len(chosen) == 0 {
		return nil, false, errors.New("the repository has neither an ONNX file (at its top or in onnx/) nor safetensors; " +
			"a GGUF file is imported from this machine: textmill models import")
	}
	for _, f := range chosen {
		if f.BlobID == "" && (f.LFS == nil || f.LFS.SHA256 == "") {
			return nil, false, fmt.Errorf("the repository gives no hash of %s to verify it by", f.Name)
		}
	}
	return chosen, imported, nil
}

// moduleFolder is a folder of a sentence-transformers module.
var moduleFolder = regexp.MustCompile(`^[0-9]+_[A-Za-z]+$`)

// checkpointFiles chooses what an import needs: configs, vocabularies, and safetensors; nothing where there are none.
func checkpointFiles(all []repoFile) []repoFile {
	weights := false
	chosen := slices.DeleteFunc(slices.Clone(all), func(f repoFile) bool {
		dir, base := path.Dir(f.Name), path.Base(f.Name)
		if dir != "." && dir != models.TemplatesFolder && !moduleFolder.MatchString(dir) || strings.HasPrefix(base, ".") ||
			base == models.RecordName {
			return true
		}
		if path.Ext(base) == ".safetensors" {
			if !strings.HasPrefix(base, "model") { // Mistral's consolidated.safetensors holds the same once more
				return true
			}
			weights = true
			return false
		}
		return !slices.Contains([]string{".json", ".txt", ".jinja"}, path.Ext(base)) && base != "LICENSE"
	})
	if !weights {
		return nil
	}
	return chosen
}

// bundleFiles chooses what a bundle needs: configs, vocabularies, and one graph with its weights.
func bundleFiles(all []repoFile) []repoFile {
	var graphs []string
	for _, f := range all {
		if dir := path.Dir(f.Name); path.Ext(f.Name) == ".onnx" && (dir == "onnx" || dir == ".") {
			graphs = append(graphs, f.Name)
		}
	}
	if len(graphs) == 0 {
		return nil
	}
	graph := graphs[0]
	if i := slices.IndexFunc(graphs, func(g string) bool { return path.Base(g) == "model.onnx" }); i >= 0 {
		graph = graphs[i]
	}
	return slices.DeleteFunc(slices.Clone(all), func(f repoFile) bool {
		dir, base := path.Dir(f.Name), path.Base(f.Name)
		switch {
		case f.Name == graph, strings.HasPrefix(f.Name, graph+"_data"), strings.HasPrefix(f.Name, graph+".data"):
			return false
		case dir != "." && base == "config.json" && dir != "onnx": // 1_Pooling and its like
			return false
		case dir == models.TemplatesFolder && path.Ext(base) == ".jinja":
			return false
		case dir != "." || base == models.RecordName || strings.HasPrefix(base, "."):
			return true
		}
		return !slices.Contains([]string{".json", ".txt", ".model", ".jinja"}, path.Ext(base))
	})
}
