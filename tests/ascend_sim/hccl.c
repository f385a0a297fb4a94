// A pretend HCCL: collectives of processes on one machine, through a file in shared memory.
// Every collective has finished when its call returns.
#define _GNU_SOURCE
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

enum { I8, I16, I32, F16, F32, I64, U64, U8, U16, U32, F64, BF16 };
static const size_t width[] = {1, 2, 4, 2, 4, 8, 8, 1, 2, 4, 8, 2};
enum { SUM, PROD, MAX, MIN };
#define SLOT ((size_t)16 << 20)  // bytes a rank may offer at once; more goes in turns
typedef struct {
  atomic_uint arrived, turn;
  char pad[4096 - 8];
  char data[];
} Shared;
typedef struct {
  Shared* s;
  uint32_t n, rank;
  size_t bytes;
  char name[64];
} Comm;

int HcclGetRootInfo(char* info) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  snprintf(info, 64, "/npu_sim_%d_%ld%09ld", getpid(), (long)t.tv_sec, t.tv_nsec);
  return OK;
}
static void meet(Comm* c) {
  unsigned turn = atomic_load(&c->s->turn);
  if (atomic_fetch_add(&c->s->arrived, 1) + 1 == c->n) {
    atomic_store(&c->s->arrived, 0);
    atomic_fetch_add(&c->s->turn, 1);
    return;
  }
  while (atomic_load(&c->s->turn) == turn) usleep(50);
}
int HcclCommInitRootInfo(uint32_t n, const char* info, uint32_t rank, void** out) {
  Comm* c = calloc(1, sizeof(Comm));
  c->n = n;
  c->rank = rank;
  c->bytes = sizeof(Shared) + n * SLOT;
  strncpy(c->name, info, 63);
  int fd = shm_open(c->name, O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, c->bytes)) return 8;
  c->s = mmap(0, c->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (c->s == MAP_FAILED) return 8;
  meet(c);
  if (rank == 0) shm_unlink(c->name);  // everyone has it open: nothing is left behind
  *out = c;
  return OK;
}
int HcclCommInitRootInfoConfig(uint32_t n, const char* info, uint32_t rank, void* config, void** out) {
  return HcclCommInitRootInfo(n, info, rank, out);
}
int HcclCommDestroy(void* comm) {
  Comm* c = comm;
  munmap(c->s, c->bytes);
  free(c);
  return OK;
}
int HcclGetCommAsyncError(void* c, int* e) {
  *e = OK;
  return OK;
}
uint32_t HcclGetCommConfigCapability(void) { return 0; }
int HcclSetConfig(int k, int v) { return OK; }
int HcclGetCommName(void* comm, char* name) {
  strcpy(name, ((Comm*)comm)->name);
  return OK;
}
static char* slot(Comm* c, uint32_t r) { return c->s->data + r * SLOT; }

static float half_in(uint16_t h) {
  uint32_t sign = (h & 0x8000u) << 16, e = (h >> 10) & 31, m = h & 1023, bits;
  if (e == 31) bits = sign | 0x7f800000u | m << 13;
  else if (e) bits = sign | (e + 112) << 23 | m << 13;
  else {
    float f = m / 16777216.0f;
    memcpy(&bits, &f, 4);
    bits |= sign;
  }
  float f;
  memcpy(&f, &bits, 4);
  return f;
}
static uint16_t half_out(float f) {
  _Float16 h = f;
  uint16_t b;
  memcpy(&b, &h, 2);
  return b;
}
static float bf_in(uint16_t h) {
  uint32_t b = (uint32_t)h << 16;
  float f;
  memcpy(&f, &b, 4);
  return f;
}
static uint16_t bf_out(float f) {
  uint32_t b;
  memcpy(&b, &f, 4);
  if (f != f) return 0x7fc0;
  return (b + 0x7fff + ((b >> 16) & 1)) >> 16;
}
#define PICK(T, a, b)                     \
  (op == SUM    ? (T)((a) + (b))          \
   : op == PROD ? (T)((a) * (b))          \
   : op == MAX  ? ((a) > (b) ? (a) : (b)) \
                : ((a) < (b) ? (a) : (b)))
#define LOOP(T)                                                           \
  for (size_t i = 0; i < n; i++) {                                        \
    T v = ((T*)from[0])[i];                                               \
    for (uint32_t r = 1; r < c->n; r++) v = PICK(T, v, ((T*)from[r])[i]); \
    ((T*)out)[i] = v;                                                     \
  }                                                                       \
  break;
#define LOOP16(in, put)                      \
  for (size_t i = 0; i < n; i++) {           \
    float v = in(((uint16_t*)from[0])[i]);   \
    for (uint32_t r = 1; r < c->n; r++) {    \
      float w = in(((uint16_t*)from[r])[i]); \
      v = PICK(float, v, w);                 \
    }                                        \
    ((uint16_t*)out)[i] = put(v);            \
  }                                          \
  break;
static int fold(Comm* c, char** from, void* out, size_t n, int type, int op) {
  switch (type) {
    case I8:
    LOOP(int8_t) case I16:
    LOOP(int16_t) case I32:
    LOOP(int32_t) case I64:
    LOOP(int64_t) case U8:
      LOOP(uint8_t)
    case F32:
    LOOP(float) case F16:
    LOOP16(half_in, half_out) case BF16:
      LOOP16(bf_in, bf_out)
      default : return 5;  // not supported, as on A2
  }
  return OK;
}
static int reduce(Comm* c, const void* in, void* out, size_t n, int type, int op, int wanted) {
  if (op > MIN || width[type] == 0) return 5;
  size_t step = SLOT / width[type], w = width[type];
  char* from[c->n];
  int rc = OK;
  for (uint32_t r = 0; r < c->n; r++) from[r] = slot(c, r);
  for (size_t done = 0; done < n || n == 0; done += step) {
    size_t k = n - done < step ? n - done : step;
    memcpy(slot(c, c->rank), (const char*)in + done * w, k * w);
    meet(c);
    if (wanted) rc |= fold(c, from, (char*)out + done * w, k, type, op);
    meet(c);
    if (n == 0) break;
  }
  return rc;
}
int HcclAllReduce(void* in, void* out, uint64_t n, int type, int op, void* c, void* st) {
  return reduce(c, in, out, n, type, op, 1);
}
int HcclReduce(void* in, void* out, uint64_t n, int type, int op, uint32_t root, void* c, void* st) {
  return reduce(c, in, out, n, type, op, ((Comm*)c)->rank == root);
}
// copies `n` bytes that rank `who(r)` holds at `in + at` to everyone
static int share(Comm* c, const char* in, char* out, size_t bytes, int64_t root) {
  for (size_t done = 0; done < bytes; done += SLOT) {
    size_t k = bytes - done < SLOT ? bytes - done : SLOT;
    if (root < 0 || c->rank == root) memcpy(slot(c, c->rank), in + done, k);
    meet(c);
    if (root < 0)
      for (uint32_t r = 0; r < c->n; r++) memcpy(out + r * bytes + done, slot(c, r), k);
    else if (c->rank != root) memcpy(out + done, slot(c, root), k);
    meet(c);
  }
  return OK;
}
int HcclBroadcast(void* p, uint64_t n, int type, uint32_t root, void* c, void* st) {
  return share(c, p, p, n * width[type], root);
}
int HcclAllGather(void* in, void* out, uint64_t n, int type, void* c, void* st) {
  return share(c, in, out, n * width[type], -1);
}
int HcclReduceScatter(void* in, void* out, uint64_t n, int type, int op, void* comm, void* st) {
  Comm* c = comm;
  size_t w = width[type];
  char* all = malloc(n * w * c->n);
  int rc = reduce(c, in, all, n * c->n, type, op, 1);
  memcpy(out, all + c->rank * n * w, n * w);
  free(all);
  return rc;
}
int HcclScatter(void* in, void* out, uint64_t n, int type, uint32_t root, void* comm, void* st) {
  Comm* c = comm;
  size_t bytes = n * width[type];
  char* all = malloc(bytes * c->n);
  if (c->rank == root) memcpy(all, in, bytes * c->n);
  share(c, all, all, bytes * c->n, root);
  memcpy(out, all + c->rank * bytes, bytes);
  free(all);
  return OK;
}
int HcclBarrier(void* c, void* st) {
  meet(c);
  return OK;
}
