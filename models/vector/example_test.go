package vector_test

import (
	"fmt"

	"textmill/models/vector"
)

func ExampleFinish() {
	v, err := vector.Finish([]float32{3, 4, 12}, vector.Params{Dimensions: 2, Normalize: true})
	fmt.Println(v.F, v.Norm, v.Dim, err)
	// Output:
	// [0.6 0.8] 5 2 <nil>
}
