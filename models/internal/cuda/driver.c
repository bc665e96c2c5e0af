#include "driver.h"

typedef int status;
typedef struct { unsigned long long total, available, used; } usage; // nvmlMemory_t

static void *function(void *library, const char *name, driver *d) {
	void *f = dlsym(library, name);
	if (f == NULL && d->state == 0) {
		d->state = NO_FUNCTION;
		snprintf(d->message, sizeof d->message, "the driver has no %s", name);
	}
	return f;
}

static void say(void *library, status s, driver *d) {
	status (*text)(status, const char **) = dlsym(library, "cuGetErrorString");
	const char *said = NULL;
	if (text != NULL && text(s, &said) == 0 && said != NULL)
		snprintf(d->message, sizeof d->message, "%s", said);
}

// Attributes 75 and 76 of a device are its compute capability.
static status describe(void *library, int i, card *c, driver *d) {
	status (*get)(int *, int) = function(library, "cuDeviceGet", d);
	status (*name)(char *, int, int) = function(library, "cuDeviceGetName", d);
	status (*total)(size_t *, int) = function(library, "cuDeviceTotalMem_v2", d);
	status (*attribute)(int *, int, int) = function(library, "cuDeviceGetAttribute", d);
	status (*bus)(char *, int, int) = function(library, "cuDeviceGetPCIBusId", d);
	if (d->state != 0)
		return d->state;
	int device = 0;
	size_t bytes = 0;
	status s = get(&device, i);
	if (s == 0)
		s = name(c->name, sizeof c->name - 1, device);
	if (s == 0)
		s = total(&bytes, device);
	if (s == 0)
		s = attribute(&c->major, 75, device);
	if (s == 0)
		s = attribute(&c->minor, 76, device);
	if (s == 0)
		s = bus(c->bus, sizeof c->bus - 1, device);
	c->total = bytes;
	c->available = -1;
	return s;
}

static status count(void *library, driver *d) {
	status (*init)(unsigned) = function(library, "cuInit", d);
	status (*version)(int *) = function(library, "cuDriverGetVersion", d);
	status (*devices)(int *) = function(library, "cuDeviceGetCount", d);
	if (d->state != 0)
		return d->state;
	status s = version(&d->cuda);
	if (s == 0)
		s = init(0);
	if (s == 0)
		s = devices(&d->count);
	if (d->count > MOST_CARDS)
		d->count = MOST_CARDS;
	return s;
}

// watch asks what only NVML tells. Containers may have none.
static void watch(const char *name, driver *d) {
	void *library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
	if (library == NULL)
		return;
	status (*init)(void) = dlsym(library, "nvmlInit_v2");
	status (*end)(void) = dlsym(library, "nvmlShutdown");
	status (*version)(char *, unsigned) = dlsym(library, "nvmlSystemGetDriverVersion");
	status (*handle)(const char *, void **) = dlsym(library, "nvmlDeviceGetHandleByPciBusId_v2");
	status (*memory)(void *, usage *) = dlsym(library, "nvmlDeviceGetMemoryInfo");
	if (init == NULL || end == NULL || init() != 0)
		return;
	if (version == NULL || version(d->version, sizeof d->version - 1) != 0)
		d->version[0] = 0;
	for (int i = 0; handle != NULL && memory != NULL && i < d->count; i++) {
		void *device = NULL;
		usage u;
		if (handle(d->cards[i].bus, &device) == 0 && memory(device, &u) == 0)
			d->cards[i].available = u.available;
	}
	end();
}

void ask(const char *cuda, const char *nvml, driver *d) {
	memset(d, 0, sizeof *d);
	void *library = dlopen(cuda, RTLD_LAZY | RTLD_LOCAL);
	if (library == NULL) {
		d->state = NOT_THERE;
		snprintf(d->message, sizeof d->message, "%s", dlerror());
		return;
	}
	status s = count(library, d);
	for (int i = 0; s == 0 && i < d->count; i++)
		s = describe(library, i, &d->cards[i], d);
	watch(nvml, d);
	if (s != 0 && d->state == 0) {
		d->state = s;
		say(library, s, d);
	}
}
