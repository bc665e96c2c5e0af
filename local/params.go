package local

import (
	"fmt"

	"textmill/jobs"
)

// Params decodes the params of a command line as its task does those of a message, which raw are.
func Params[P any](task string, pairs map[string]string, decode func([]byte) (P, error)) (
	params P, raw []byte, err error,
) {
	raw, err = jobs.ParamsJSON(task, pairs)
	if err == nil {
		params, err = decode(raw)
	}
	if err != nil {
		return params, nil, fmt.Errorf("%w: --param: %w", ErrUsage, err)
	}
	return params, raw, nil
}
