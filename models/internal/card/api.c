#define _GNU_SOURCE
#include "api.h"
#include <dlfcn.h>
#include <stdio.h>

// ONNX Runtime has one environment per process: models/internal/onnx made it, and this is another reference to it.
static const OrtApi *ort;
static OrtEnv *env;

// words gives a status's text and frees it.
static char *words(OrtStatus *s) {
	if (s == NULL)
		return NULL;
	char *text = strdup(ort->GetErrorMessage(s));
	ort->ReleaseStatus(s);
	return text;
}

static char *missing(const char *what) {
	char *text = NULL;
	const char *why = dlerror();
	if (asprintf(&text, "%s: %s", what, why ? why : "it is not there") < 0)
		return strdup(what);
	return text;
}

char *card_load(const char *library) {
	if (env != NULL)
		return NULL;
	void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
	if (handle == NULL)
		return missing("the library is not loaded");
	const OrtApiBase *(*base)(void) = (const OrtApiBase *(*)(void))dlsym(handle, "OrtGetApiBase");
	if (base == NULL)
		return missing("OrtGetApiBase");
	ort = base()->GetApi(ORT_API_VERSION);
	if (ort == NULL)
		return strdup("the library is older than its interface of version 24");
	return words(ort->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "textmill", &env));
}

static OrtStatus *use_cuda(OrtSessionOptions *so, const card_open_options *o) {
	OrtCUDAProviderOptionsV2 *cuda = NULL;
	OrtStatus *e = ort->CreateCUDAProviderOptions(&cuda);
	if (e != NULL)
		return e;
	e = ort->UpdateCUDAProviderOptions(cuda, o->keys, o->values, o->options);
	if (e == NULL)
		e = ort->SessionOptionsAppendExecutionProvider_CUDA_V2(so, cuda);
	ort->ReleaseCUDAProviderOptions(cuda);
	return e;
}

char *card_open(const card_open_options *o, OrtSession **out) {
	OrtSessionOptions *so = NULL;
	OrtStatus *e = ort->CreateSessionOptions(&so);
	if (e != NULL)
		return words(e);
	e = ort->SetIntraOpNumThreads(so, o->threads);
	if (e == NULL)
		e = ort->SetInterOpNumThreads(so, 1);
	if (e == NULL)
		e = ort->SetSessionGraphOptimizationLevel(so, ORT_ENABLE_ALL);
	// A memory pattern is kept for each shape ever seen, and texts come in many shapes.
	if (e == NULL)
		e = ort->DisableMemPattern(so);
	if (e == NULL)
		e = ort->AddSessionConfigEntry(so, "session.intra_op.allow_spinning", o->spin ? "1" : "0");
	if (e == NULL && o->device >= 0)
		e = use_cuda(so, o);
	if (e == NULL)
		e = ort->CreateSession(env, o->graph, so, out);
	ort->ReleaseSessionOptions(so);
	return words(e);
}

void card_close(OrtSession *s) { ort->ReleaseSession(s); }

static OrtStatus *memory_info(int device, OrtMemoryInfo **out) {
	if (device < 0)
		return ort->CreateMemoryInfo("Cpu", OrtDeviceAllocator, 0, OrtMemTypeDefault, out);
	return ort->CreateMemoryInfo("Cuda", OrtDeviceAllocator, device, OrtMemTypeDefault, out);
}

char *card_allocator(OrtSession *s, int device, OrtAllocator **out) {
	OrtMemoryInfo *info = NULL;
	OrtStatus *e = memory_info(device, &info);
	if (e == NULL)
		e = ort->CreateAllocator(s, info, out);
	if (info != NULL)
		ort->ReleaseMemoryInfo(info);
	return words(e);
}

void card_free_allocator(OrtAllocator *a) { ort->ReleaseAllocator(a); }

char *card_alloc(OrtAllocator *a, size_t size, void **out) {
	char *why = words(ort->AllocatorAlloc(a, size, out));
	if (why == NULL && *out == NULL)
		return strdup("out of memory");
	return why;
}

void card_free(OrtAllocator *a, void *p) { free(words(ort->AllocatorFree(a, p))); }

char *card_value(int device, void *p, size_t size, const int64_t *shape, size_t rank, int kind, OrtValue **out) {
	OrtMemoryInfo *info = NULL;
	OrtStatus *e = memory_info(device, &info);
	if (e == NULL)
		e = ort->CreateTensorWithDataAsOrtValue(info, p, size, shape, rank, (ONNXTensorElementDataType)kind, out);
	if (info != NULL)
		ort->ReleaseMemoryInfo(info);
	return words(e);
}

void card_free_value(OrtValue *v) { ort->ReleaseValue(v); }

char *card_bind(OrtSession *s, OrtIoBinding **out) { return words(ort->CreateIoBinding(s, out)); }

char *card_bind_input(OrtIoBinding *b, const char *name, const OrtValue *v) {
	return words(ort->BindInput(b, name, v));
}

char *card_bind_output(OrtIoBinding *b, const char *name, const OrtValue *v) {
	return words(ort->BindOutput(b, name, v));
}

void card_free_binding(OrtIoBinding *b) { ort->ReleaseIoBinding(b); }

char *card_run_options(const char *graph_id, OrtRunOptions **out) {
	char *why = words(ort->CreateRunOptions(out));
	if (why == NULL && graph_id != NULL)
		why = words(ort->AddRunConfigEntry(*out, "gpu_graph_id", graph_id));
	return why;
}

char *card_terminate(OrtRunOptions *o) { return words(ort->RunOptionsSetTerminate(o)); }

void card_free_run_options(OrtRunOptions *o) { ort->ReleaseRunOptions(o); }

char *card_run(OrtSession *s, const OrtRunOptions *o, OrtIoBinding *b) { return words(ort->RunWithBinding(s, o, b)); }

void card_copy_all(const card_copy *c, size_t n) {
	for (; n > 0; n--, c++)
		for (size_t i = 0; i < c->rows; i++)
			memcpy((char *)c->to + i * c->to_pitch, (const char *)c->from + i * c->from_pitch, c->width);
}
