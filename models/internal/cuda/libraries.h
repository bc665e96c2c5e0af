#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	char path[4096];
	char message[1024]; // why it was not opened
	long version;       // as the library counts it, 0 if it does not say
} opened;

// version names the function that tells it: "int *" it takes, or "size" it returns.
void *open_library(const char *path, const char *version, int takes, opened *o);
