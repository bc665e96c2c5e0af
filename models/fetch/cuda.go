package fetch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"textmill/ground/durable"
	"textmill/ground/places"
)

// CUDA puts ONNX Runtime's build for NVIDIA's cards into a folder of its own, and beside it those parts of CUDA that
// are asked for: of cudart, nvrtc, cublas, curand and cudnn those that the system lacks. What is there already is
// verified and kept.
func CUDA(ctx context.Context, o Options, parts []string) ([]Installed, error) {
	return o.cuda(ctx, cudaWheels, parts)
}

func (o Options) cuda(ctx context.Context, wheels map[string]route, parts []string) ([]Installed, error) {
	unlock, err := o.lock(ctx, "CUDA")
	if err != nil {
		return nil, err
	}
	defer unlock()
	var all []Installed
	for _, name := range slices.Sorted(maps.Keys(wheels)) {
		if name != cudaRuntime && !slices.Contains(parts, name) {
			continue
		}
		i, err := o.cudaPart(ctx, name, wheels[name])
		if err != nil {
			return all, err
		}
		all = append(all, i)
	}
	return all, nil
}

// cudaPart puts one part into place. Whoever looks for the build finds it by its library, which comes last.
func (o Options) cudaPart(ctx context.Context, name string, r route) (Installed, error) {
	dir := filepath.Dir(places.CUDALibrary(o.Home))
	artifact := r.parts[0].name
	whole, err := r.liesIn(ctx, dir)
	if err != nil {
		return Installed{}, err
	}
	done := Installed{Name: artifact, Version: r.version, Source: r.describe(), Path: dir}
	if whole {
		o.say(artifact, r.describe(), fmt.Sprintf("%s %s is in place", artifact, r.version))
		return done, nil
	}
	_, err = o.obtain(ctx, artifact, []route{r}, func(r route, staging string) error {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for _, p := range r.parts[0].pins {
			staged := filepath.Join(staging, p.to)
			if err := errors.Join(os.Chmod(staged, 0o755), durable.Move(staged, filepath.Join(dir, p.to))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Installed{}, fmt.Errorf("%s for CUDA: %w", name, err)
	}
	o.say(artifact, r.describe(), fmt.Sprintf("installed %s %s", artifact, r.version))
	done.Fresh = true
	return done, nil
}
