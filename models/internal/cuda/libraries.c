#define _GNU_SOURCE
#include "libraries.h"
#ifdef __linux__
#include <link.h>
#endif

static void whence(void *library, const char *asked, opened *o) {
	snprintf(o->path, sizeof o->path, "%s", asked);
#ifdef __linux__
	struct link_map *m = NULL;
	if (dlinfo(library, RTLD_DI_LINKMAP, &m) == 0 && m->l_name[0] != 0)
		snprintf(o->path, sizeof o->path, "%s", m->l_name);
#endif
}

void *open_library(const char *path, const char *version, int takes, opened *o) {
	memset(o, 0, sizeof *o);
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (library == NULL) {
		snprintf(o->message, sizeof o->message, "%s", dlerror());
		return NULL;
	}
	whence(library, path, o);
	if (version == NULL)
		return library;
	if (takes) {
		int v = 0, (*ask)(int *) = dlsym(library, version);
		if (ask != NULL && ask(&v) == 0)
			o->version = v;
	} else {
		size_t (*ask)(void) = dlsym(library, version);
		if (ask != NULL)
			o->version = ask();
	}
	return library;
}
