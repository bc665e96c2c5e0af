#define _GNU_SOURCE
#include "api.h"
#include <dlfcn.h>
#include <stdio.h>

// The CUDA runtime's functions, of the library that ONNX Runtime's provider itself uses. Its types are plain integers
// and pointers here, so that nothing of CUDA is needed to build.
static struct {
	int (*set_device)(int);
	int (*memcpy)(void *, const void *, size_t, int, void *);
	int (*memcpy_2d)(void *, size_t, const void *, size_t, size_t, size_t, int, void *);
	int (*memset)(void *, int, size_t);
	int (*synchronize)(void *);
	int (*host_alloc)(void **, size_t, unsigned);
	int (*free_host)(void *);
	const char *(*words)(int);
	int found;
} cuda;

enum { whichever_way = 4, any_context = 1 }; // cudaMemcpyDefault, cudaHostAllocPortable

static char *failed(const char *what, int code) {
	if (code == 0)
		return NULL;
	char *text = NULL;
	// 2 is cudaErrorMemoryAllocation, whose words are the ones that are looked for
	if (asprintf(&text, "%s: CUDA error %d: %s", what, code, code == 2 ? "out of memory" : cuda.words(code)) < 0)
		return strdup(what);
	return text;
}

char *cuda_find(void) {
	if (cuda.found)
		return NULL;
	static const char *const names[] = {"libcudart.so.13", "libcudart.so.12", "libcudart.so.14", NULL};
	void *handle = NULL;
	for (int i = 0; handle == NULL && names[i] != NULL; i++)
		handle = dlopen(names[i], RTLD_LAZY | RTLD_NOLOAD);
	if (handle == NULL)
		return strdup("ONNX Runtime's provider loaded no CUDA runtime (libcudart.so.13)");
	struct {
		void **to;
		const char *name;
	} all[] = {
		{(void **)&cuda.set_device, "cudaSetDevice"},
		{(void **)&cuda.memcpy, "cudaMemcpyAsync"},
		{(void **)&cuda.memcpy_2d, "cudaMemcpy2DAsync"},
		{(void **)&cuda.memset, "cudaMemset"},
		{(void **)&cuda.synchronize, "cudaStreamSynchronize"},
		{(void **)&cuda.host_alloc, "cudaHostAlloc"},
		{(void **)&cuda.free_host, "cudaFreeHost"},
		{(void **)&cuda.words, "cudaGetErrorString"},
	};
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		*all[i].to = dlsym(handle, all[i].name);
		if (*all[i].to == NULL) {
			char *text = NULL;
			if (asprintf(&text, "the CUDA runtime has no %s", all[i].name) < 0)
				return strdup(all[i].name);
			return text;
		}
	}
	cuda.found = 1;
	return NULL;
}

char *cuda_pinned(int device, size_t size, void **out) {
	int code = cuda.set_device(device);
	if (code == 0)
		code = cuda.host_alloc(out, size, any_context);
	return failed("allocate pinned memory", code);
}

void cuda_free_pinned(int device, void *p) {
	if (cuda.set_device(device) == 0)
		cuda.free_host(p);
}

// Device and stream are of the thread, so that each call says which. Copies come back before they are done: the stream
// is waited for, since ONNX Runtime's own does not wait for it.
char *cuda_copy_all(int device, const card_copy *c, size_t n) {
	int code = cuda.set_device(device);
	for (; code == 0 && n > 0; n--, c++) {
		if (c->rows == 1) // a pitch has a bound
			code = cuda.memcpy(c->to, c->from, c->width, whichever_way, NULL);
		else
			code = cuda.memcpy_2d(c->to, c->to_pitch, c->from, c->from_pitch, c->width, c->rows, whichever_way, NULL);
	}
	int waited = cuda.synchronize(NULL);
	return failed("copy", code != 0 ? code : waited);
}

char *cuda_clear(int device, void *p, size_t size) {
	int code = cuda.set_device(device);
	if (code == 0)
		code = cuda.memset(p, 0, size);
	if (code == 0)
		code = cuda.synchronize(NULL);
	return failed("clear memory", code);
}
