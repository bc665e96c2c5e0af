// Package signals keeps the process's signal handlers as they are while foreign code is loaded that may set its own.
package signals

/*
#include <signal.h>
#include <string.h>

enum { kept = 32 };

static void save(struct sigaction *all) {
	for (int s = 1; s < kept; s++)
		sigaction(s, NULL, &all[s]);
}

// Only handlers that changed are set again.
static int restore(const struct sigaction *all) {
	int changed = 0;
	for (int s = 1; s < kept; s++) {
		struct sigaction now;
		if (sigaction(s, NULL, &now) != 0)
			continue;
		if (now.sa_sigaction == all[s].sa_sigaction && now.sa_flags == all[s].sa_flags)
			continue;
		if (sigaction(s, &all[s], NULL) == 0)
			changed++;
	}
	return changed;
}

static void ignore(int s) { signal(s, SIG_IGN); }
*/
import "C"

import "syscall"

// Keep notes all handlers as they are now. The returned function sets those again that have changed since, and says
// how many.
func Keep() (restore func() int) {
	var all [C.kept]C.struct_sigaction
	C.save(&all[0])
	return func() int { return int(C.restore(&all[0])) }
}

// ignoreInC sets a handler behind Go's back, as a library would.
func ignoreInC(s syscall.Signal) { C.ignore(C.int(s)) }
