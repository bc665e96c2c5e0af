package export

import (
	"context"
	"errors"
	"os"
)

// KnowsJob says whether a table has rows or verdicts of a job's shards, the first model's that it saw the job with;
// that is all that a version before this one wrote. A table that is not there knows none.
func KnowsJob(ctx context.Context, uri, job string) (bool, error) {
	v, err := openView(ctx, uri)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer v.close()
	_, known := v.txns.short[v.txns.hash(job)]
	return known, nil
}
