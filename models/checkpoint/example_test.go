package checkpoint_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"textmill/models"
	"textmill/models/checkpoint"
)

// A checkpoint becomes a bundle: an ONNX graph, its weights and the files that say how it is used.
func ExampleImport() {
	dir, err := os.MkdirTemp("", "models-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	result, err := checkpoint.Import(context.Background(), checkpoint.Options{Source: filepath.Join("testdata", "tiny", "bert"), Dir: dir})
	if err != nil {
		log.Fatal(err)
	}
	spec, err := models.OpenBundle(result.Dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(spec.Name, spec.Task, spec.Dim, spec.Pooling, spec.Graph)
	// Output:
	// bert embed 32 mean onnx/model.onnx
}
