// What card asks of ONNX Runtime's C API and of the CUDA runtime that its provider loaded. Every function that can fail
// gives NULL or a text that the caller frees.
#ifndef TEXTMILL_CARD_API_H
#define TEXTMILL_CARD_API_H

#include "onnxruntime_c_api.h"

// What a session is opened with. device is negative for the processor.
typedef struct {
	const char *graph;
	int device, threads, spin;
	const char **keys, **values; // of the CUDA provider
	size_t options;
} card_open_options;

char *card_load(const char *library);
char *card_open(const card_open_options *o, OrtSession **out);
void card_close(OrtSession *s);

char *card_allocator(OrtSession *s, int device, OrtAllocator **out);
void card_free_allocator(OrtAllocator *a);
char *card_alloc(OrtAllocator *a, size_t size, void **out);
void card_free(OrtAllocator *a, void *p);

char *card_value(int device, void *p, size_t size, const int64_t *shape, size_t rank, int kind, OrtValue **out);
void card_free_value(OrtValue *v);

char *card_bind(OrtSession *s, OrtIoBinding **out);
char *card_bind_input(OrtIoBinding *b, const char *name, const OrtValue *v);
char *card_bind_output(OrtIoBinding *b, const char *name, const OrtValue *v);
void card_free_binding(OrtIoBinding *b);

// A part of a copy: rows of width bytes, each a pitch from the one before.
typedef struct {
	void *to;
	const void *from;
	size_t to_pitch, from_pitch, width, rows;
} card_copy;

void card_copy_all(const card_copy *c, size_t n); // on the processor

char *card_run_options(const char *graph_id, OrtRunOptions **out);
char *card_terminate(OrtRunOptions *o);
void card_free_run_options(OrtRunOptions *o);
char *card_run(OrtSession *s, const OrtRunOptions *o, OrtIoBinding *b);

// Of the CUDA runtime; cuda_find comes first.
char *cuda_find(void);
char *cuda_pinned(int device, size_t size, void **out);
void cuda_free_pinned(int device, void *p);
char *cuda_copy_all(int device, const card_copy *c, size_t n);
char *cuda_clear(int device, void *p, size_t size);

#endif
