// What is asked of NVIDIA's driver, without its headers, so that a machine without it builds and runs this.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_THERE = -1, NO_FUNCTION = -2, MOST_CARDS = 64 };

typedef struct {
	char name[256];
	char bus[32];
	int major, minor;
	unsigned long long total;
	long long available; // -1: nobody says
} card;

typedef struct {
	int state; // 0, one of the above, or CUDA's error
	int cuda;
	int count;
	char version[96];
	char message[512];
	card cards[MOST_CARDS];
} driver;

void ask(const char *cuda, const char *nvml, driver *d);
