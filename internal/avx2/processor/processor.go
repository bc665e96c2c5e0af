// Package processor lets programs that tests start take the processor for what the tests take it for.
package processor

import "os"

// Env are the variables by which `make test-avx2` hides AVX-512; none elsewhere.
func Env() (env []string) {
	for _, name := range []string{"LD_PRELOAD", "GODEBUG"} {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return env
}
