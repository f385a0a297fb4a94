// A pretend Ascend: the C interface of CANN's runtime, as far as torch_npu calls it, over host memory.
// Every stream has always finished.
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define OK 0
static __thread int dev = 0;
static int count(void) {
  const char *seen = getenv("ASCEND_RT_VISIBLE_DEVICES"), *all = getenv("NPU_SIM_DEVICES");
  int n = all ? atoi(all) : 8, k = 0;
  if (!seen) return n;
  for (const char* p = seen; *p;) {
    k += atoi(p) < n;
    while (*p && *p != ',') p++;
    if (*p) p++;
  }
  return k;
}

// ---- device --------------------------------------------------------------
int aclInit(const char* c) { return OK; }
int aclFinalize(void) { return OK; }
int drvGetDevNum(int* n) {
  const char* all = getenv("NPU_SIM_DEVICES");
  *n = all ? atoi(all) : 8;
  return OK;
}
int aclrtGetDeviceCount(uint32_t* n) {
  *n = count();
  return OK;
}
int aclrtSetDevice(int32_t d) {
  if (d < 0 || d >= count()) return 107001;
  dev = d;
  return OK;
}
int aclrtGetDevice(int32_t* d) {
  *d = dev;
  return OK;
}
int aclrtResetDevice(int32_t d) { return OK; }
int aclrtResetDeviceForce(int32_t d) { return OK; }
const char* aclrtGetSocName(void) {
  const char* n = getenv("NPU_SIM_NAME");
  return n ? n : "Ascend910B3";
}
int aclrtSetDeviceSatMode(int m) { return OK; }
int aclSetCompileopt(int o, const char* v) { return OK; }
size_t aclGetCompileoptSize(int o) { return 8; }
int aclGetCompileopt(int o, char* v, size_t n) {
  strncpy(v, "disable", n);
  return OK;
}  // A2 compiles nothing at run time
int aclrtSetOpExecuteTimeOut(uint32_t t) { return OK; }
int aclrtSetOpWaitTimeout(uint32_t t) { return OK; }
static int64_t options[64];
int aclrtGetSysParamOpt(int o, int64_t* v) {
  *v = options[o & 63];
  return OK;
}
int aclrtSetSysParamOpt(int o, int64_t v) {
  options[o & 63] = v;
  return OK;
}
int aclrtCtxGetSysParamOpt(int o, int64_t* v) {
  *v = options[o & 63];
  return OK;
}
int aclrtCtxSetSysParamOpt(int o, int64_t v) {
  options[o & 63] = v;
  return OK;
}
int aclrtGetCurrentContext(void** c) {
  static int context[64];
  *c = &context[dev];
  return OK;
}
int aclrtSetCurrentContext(void* c) { return OK; }
int aclrtDeviceCanAccessPeer(int32_t* can, int32_t d, int32_t p) {
  *can = 1;
  return OK;
}
int aclrtDeviceEnablePeerAccess(int32_t d, uint32_t f) { return OK; }
int aclrtDeviceGetBareTgid(int32_t* t) {
  *t = 1;
  return OK;
}
int aclGetDeviceCapability(uint32_t d, int t, int64_t* v) {
  *v = 24;
  return OK;
}
int aclrtGetDeviceInfo(uint32_t d, int t, int64_t* v) {
  *v = 24;
  return OK;
}
int aclrtGetRunMode(int* m) {
  *m = 1;
  return OK;
}
int aclrtProcessReport(int32_t t) { return OK; }
const char* aclGetRecentErrMsg(void) { return ""; }
int aclmdlInitDump(void) { return OK; }
int aclmdlSetDump(const char* p) { return OK; }
int aclmdlFinalizeDump(void) { return OK; }

// ---- memory --------------------------------------------------------------
static int get(void** p, size_t n) {
  return posix_memalign(p, 512, n ? (n + 511) / 512 * 512 : 512) ? 207001 : OK;
}
int aclrtMalloc(void** p, size_t n, int policy) { return get(p, n); }
int aclrtMallocAlign32(void** p, size_t n, int policy) { return get(p, n); }
int aclrtMallocHost(void** p, size_t n) { return get(p, n); }
int aclrtFree(void* p) {
  free(p);
  return OK;
}
int aclrtFreeHost(void* p) {
  free(p);
  return OK;
}
int aclrtMemcpy(void* d, size_t room, const void* s, size_t n, int kind) {
  memmove(d, s, n);
  return OK;
}
int aclrtMemcpyAsync(void* d, size_t room, const void* s, size_t n, int kind, void* st) {
  memmove(d, s, n);
  return OK;
}
int aclrtMemset(void* d, size_t room, int32_t v, size_t n) {
  memset(d, v, n);
  return OK;
}
int aclrtGetMemInfo(int kind, size_t* f, size_t* t) {
  *t = (size_t)64 << 30;
  *f = (size_t)60 << 30;
  return OK;
}

// ---- streams and events ----------------------------------------------------
int aclrtCreateStream(void** s) {
  *s = malloc(64);
  return OK;
}
int aclrtCreateStreamWithConfig(void** s, uint32_t p, uint32_t f) {
  *s = malloc(64);
  return OK;
}
int aclrtDestroyStream(void* s) { return OK; }
int aclrtDestroyStreamForce(void* s) { return OK; }
int aclrtSynchronizeStream(void* s) { return OK; }
int aclrtSynchronizeStreamWithTimeout(void* s, int32_t t) { return OK; }
int aclrtSynchronizeDevice(void) { return OK; }
int aclrtSynchronizeDeviceWithTimeout(int32_t t) { return OK; }
int aclrtSetStreamOverflowSwitch(void* s, uint32_t f) { return OK; }
int aclrtStreamQuery(void* s, int* st) {
  *st = 0;
  return OK;
}
int aclrtStreamWaitEvent(void* s, void* e) { return OK; }
int aclrtCreateEvent(void** e) {
  *e = calloc(1, 64);
  return OK;
}
int aclrtCreateEventWithFlag(void** e, uint32_t f) { return aclrtCreateEvent(e); }
int aclrtCreateEventExWithFlag(void** e, uint32_t f) { return aclrtCreateEvent(e); }
int aclrtDestroyEvent(void* e) {
  free(e);
  return OK;
}
int aclrtRecordEvent(void* e, void* s) {
  clock_gettime(CLOCK_MONOTONIC, (struct timespec*)e);
  return OK;
}
int aclrtResetEvent(void* e, void* s) { return OK; }
int aclrtSynchronizeEvent(void* e) { return OK; }
int aclrtQueryEventStatus(void* e, int* st) {
  *st = 1;
  return OK;
}
int aclrtQueryEventWaitStatus(void* e, int* st) {
  *st = 1;
  return OK;
}
int aclrtEventElapsedTime(float* ms, void* a, void* b) {
  struct timespec *x = a, *y = b;
  *ms = (y->tv_sec - x->tv_sec) * 1e3f + (y->tv_nsec - x->tv_nsec) / 1e6f;
  return OK;
}

// ---- single operators: only what torch_npu launches past the dispatcher ---------
typedef struct {
  int type;
  int nd;
  int64_t dims[16];
} Desc;
typedef struct {
  void* p;
  size_t n;
} Buffer;
void* aclCreateTensorDesc(int type, int nd, const int64_t* dims, int format) {
  Desc* d = calloc(1, sizeof(Desc));
  d->type = type;
  d->nd = nd > 16 ? 16 : nd;
  if (dims) memcpy(d->dims, dims, d->nd * 8);
  return d;
}
void aclDestroyTensorDesc(const void* d) { free((void*)d); }
int aclSetTensorFormat(void* d, int f) { return OK; }
int aclSetTensorShape(void* d, int nd, const int64_t* dims) { return OK; }
void* aclCreateDataBuffer(void* p, size_t n) {
  Buffer* b = malloc(sizeof(Buffer));
  b->p = p;
  b->n = n;
  return b;
}
int aclDestroyDataBuffer(const void* b) {
  free((void*)b);
  return OK;
}
static double number(int type, const void* p, size_t i) {
  switch (type) {
    case 0: return ((float*)p)[i];
    case 3: return ((int32_t*)p)[i];
    case 4:
    case 12: return ((uint8_t*)p)[i];
    case 9: return ((int64_t*)p)[i];
    default: fprintf(stderr, "ascend_sim: no Cast from type %d\n", type); abort();
  }
}
int aclopCompileAndExecute(const char* op, int ni, Desc** id, Buffer** in, int no, Desc** od, Buffer** out,
                           void* attr, int engine, int flag, const char* path, void* st) {
  size_t n = out[0]->n;
  if (!strcmp(op, "Fill") || strstr(op, "FloatStatus")) {  // only with zeros here; no overflow so far
    memset(out[0]->p, 0, n);
  } else if (!strcmp(op, "PadV3")) {  // only at the end of a row
    memcpy(out[0]->p, in[0]->p, in[0]->n < n ? in[0]->n : n);
  } else if (!strcmp(op, "Cast")) {
    int t = od[0]->type;
    for (size_t i = 0; i < n / (t == 9 ? 8 : t == 4 || t == 12 ? 1 : 4); i++) {
      double v = number(id[0]->type, in[0]->p, i);
      if (t == 0) ((float*)out[0]->p)[i] = v;
      else if (t == 3) ((int32_t*)out[0]->p)[i] = v;
      else if (t == 9) ((int64_t*)out[0]->p)[i] = v;
      else ((uint8_t*)out[0]->p)[i] = t == 12 ? v != 0 : v;
    }
  } else {
    fprintf(stderr, "ascend_sim: torch_npu ran the operator %s past the dispatcher\n", op);
    return 500002;
  }
  return OK;
}

