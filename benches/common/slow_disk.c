/* Preloaded into a process under measurement: every fsync and fdatasync first waits SLOW_DISK_US microseconds, as a slower
 * disk would, then is done, and is counted in the first eight bytes of the file SLOW_DISK_COUNT. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static long wait_us;
static uint64_t unshared;
static uint64_t *count = &unshared;

__attribute__((constructor)) static void begin(void) {
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    const char *us = getenv("SLOW_DISK_US"), *path = getenv("SLOW_DISK_COUNT");
    wait_us = us ? atol(us) : 0;
    int file = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;
    if (file >= 0 && ftruncate(file, sizeof *count) == 0) {
        void *shared = mmap(0, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (shared != MAP_FAILED) count = shared;
    }
}

static void slow(void) {
    __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
    if (wait_us > 0) {
        struct timespec left = {wait_us / 1000000, wait_us % 1000000 * 1000};
        while (nanosleep(&left, &left) != 0) {}
    }
}

int fsync(int file) { slow(); return real_fsync(file); }
int fdatasync(int file) { slow(); return real_fdatasync(file); }
