/* A disk that is slow, full, read-only or broken, for a process that is started with LD_PRELOAD=libdisk.so.
 *
 * Only calls on files below DISK_PATH are touched. README.md beside this file explains the variables. Nothing is written
 * by a call that fails; a failed sync is not carried out. Calls that bypass libc (rustix, io_uring, mmap) are not seen.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum call { OPEN, WRITE, SYNC, TRUNCATE, RENAME, UNLINK, CALLS };
static const char *const NAMES[CALLS] = {"open", "write", "sync", "truncate", "rename", "unlink"};
enum { KILL_BEFORE = -1, KILL_AFTER = -2 };
#define RULES 16
#define FDS 4096

struct rule {
    enum call call;
    uint64_t from, to; /* passes, from 1 */
    int effect;        /* an errno, or KILL_* */
};

/* What a test reads from DISK_STATS: eight little-endian 64-bit numbers. */
struct stats {
    _Atomic uint64_t passes[CALLS], bytes, failed;
};

static const char *path, *control;
static size_t path_length;
static long delay_us;
static struct rule rules[RULES];
static int rule_count;
static _Atomic uint64_t passes[CALLS];
static struct stats own_stats, *stats = &own_stats;
static _Atomic unsigned char kinds[FDS]; /* 0 not known, 1 below the path, 2 elsewhere */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct timespec control_seen;

static int (*real_open)(const char *, int, ...), (*real_openat)(int, const char *, int, ...);
static ssize_t (*real_write)(int, const void *, size_t), (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int), (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_ftruncate)(int, off_t), (*real_close)(int);
static int (*real_rename)(const char *, const char *), (*real_unlink)(const char *);

static void usage(const char *what) {
    fprintf(stderr, "libdisk: not understood: %s\n", what);
    _exit(2);
}

/* call:from[-[to]]:effect, several separated by commas; `*` for every pass. */
static void read_rules(const char *text) {
    char copy[1024];
    rule_count = 0;
    snprintf(copy, sizeof copy, "%s", text);
    for (char *save, *one = strtok_r(copy, ", \n", &save); one; one = strtok_r(NULL, ", \n", &save)) {
        char call[16], which[48], effect[16];
        struct rule rule = {CALLS, 1, UINT64_MAX, 0};
        if (rule_count == RULES || sscanf(one, "%15[^:]:%47[^:]:%15s", call, which, effect) != 3) usage(one);
        for (int i = 0; i < CALLS; i++)
            if (!strcmp(call, NAMES[i])) rule.call = (enum call)i;
        if (strcmp(which, "*")) {
            char *end;
            rule.from = strtoull(which, &end, 10);
            rule.to = *end == '-' && end[1] ? strtoull(end + 1, NULL, 10) : *end == '-' ? UINT64_MAX : rule.from;
        }
        static const struct { const char *name; int value; } effects[] = {
            {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EDQUOT", EDQUOT}, {"EACCES", EACCES},
            {"KILL", KILL_BEFORE}, {"KILL_AFTER", KILL_AFTER},
        };
        for (size_t i = 0; i < sizeof effects / sizeof *effects; i++)
            if (!strcmp(effect, effects[i].name)) rule.effect = effects[i].value;
        if (rule.call == CALLS || rule.from == 0 || rule.effect == 0) usage(one);
        rules[rule_count++] = rule;
    }
}

static void start(void) {
    real_open = dlsym(RTLD_NEXT, "open64");
    real_openat = dlsym(RTLD_NEXT, "openat64");
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_close = dlsym(RTLD_NEXT, "close");
    real_rename = dlsym(RTLD_NEXT, "rename");
    real_unlink = dlsym(RTLD_NEXT, "unlink");
    path = getenv("DISK_PATH");
    path_length = path ? strlen(path) : 0;
    control = getenv("DISK_CONTROL");
    const char *text = getenv("DISK_SYNC_DELAY_US");
    delay_us = text ? strtol(text, NULL, 10) : 0;
    if ((text = getenv("DISK_RULES"))) read_rules(text);
    if ((text = getenv("DISK_STATS"))) {
        int fd = real_open(text, O_RDWR | O_CREAT, 0600);
        if (fd < 0 || real_ftruncate(fd, sizeof(struct stats))) usage(text);
        void *mapped = mmap(NULL, sizeof(struct stats), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (mapped == MAP_FAILED) usage(text);
        stats = mapped;
        real_close(fd);
    }
}

static int is_below(const char *name) { return path_length && !strncmp(name, path, path_length); }

static int is_ours(int fd) {
    if (fd < 0 || !path_length) return 0;
    if (fd < FDS && kinds[fd]) return kinds[fd] == 1;
    char link[32], target[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0) return 0;
    target[length] = 0;
    int ours = is_below(target);
    if (fd < FDS) kinds[fd] = ours ? 1 : 2;
    return ours;
}

/* A control file that changed replaces the rules and counts anew. */
static void look_at_control(void) {
    struct stat now;
    if (!control || stat(control, &now)) return;
    if (now.st_mtim.tv_sec == control_seen.tv_sec && now.st_mtim.tv_nsec == control_seen.tv_nsec) return;
    pthread_mutex_lock(&lock);
    if (now.st_mtim.tv_sec != control_seen.tv_sec || now.st_mtim.tv_nsec != control_seen.tv_nsec) {
        char text[1024] = "";
        int fd = real_open(control, O_RDONLY);
        ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        if (fd >= 0) real_close(fd);
        text[length < 0 ? 0 : length] = 0;
        read_rules(text);
        for (int i = 0; i < CALLS; i++) passes[i] = 0;
        control_seen = now.st_mtim;
    }
    pthread_mutex_unlock(&lock);
}

/* Counts a call; 0 to carry it out, an errno to fail, KILL_AFTER to die once it is done. */
static int judge(enum call call) {
    look_at_control();
    uint64_t pass = ++passes[call];
    stats->passes[call]++;
    int effect = 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < rule_count; i++)
        if (rules[i].call == call && rules[i].from <= pass && pass <= rules[i].to) effect = rules[i].effect;
    pthread_mutex_unlock(&lock);
    if (effect == KILL_BEFORE) kill(getpid(), SIGKILL);
    if (effect > 0) stats->failed++;
    return effect;
}

static void after(int effect) {
    if (effect == KILL_AFTER) kill(getpid(), SIGKILL);
}

/* What each wrapper does: ours? judged. Failed? errno. Else the real call. */
#define WRAP(type, ours, call, real)                                                                                   \
    do {                                                                                                               \
        pthread_once(&once, start);                                                                                    \
        if (!(ours)) return real;                                                                                      \
        int effect = judge(call);                                                                                      \
        if (effect > 0) {                                                                                              \
            errno = effect;                                                                                            \
            return -1;                                                                                                 \
        }                                                                                                              \
        type result = real;                                                                                            \
        after(effect);                                                                                                 \
        return result;                                                                                                 \
    } while (0)

#define WRITES(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC))

static int opens(int at, const char *name, int flags, mode_t mode) {
    WRAP(int, is_below(name) && WRITES(flags), OPEN, at == AT_FDCWD ? real_open(name, flags, mode) : real_openat(at, name, flags, mode));
}

#define MODE(flags, mode)                                                                                              \
    mode_t mode = 0;                                                                                                   \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list list;                                                                                                  \
        va_start(list, flags);                                                                                         \
        mode = va_arg(list, mode_t);                                                                                   \
        va_end(list);                                                                                                  \
    }

int open(const char *name, int flags, ...) { MODE(flags, mode) return opens(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags, mode) return opens(AT_FDCWD, name, flags, mode); }
int openat(int at, const char *name, int flags, ...) { MODE(flags, mode) return opens(at, name, flags, mode); }
int openat64(int at, const char *name, int flags, ...) { MODE(flags, mode) return opens(at, name, flags, mode); }

int close(int fd) {
    pthread_once(&once, start);
    if (fd >= 0 && fd < FDS) kinds[fd] = 0;
    return real_close(fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    pthread_once(&once, start);
    if (is_ours(fd)) stats->bytes += size;
    WRAP(ssize_t, is_ours(fd), WRITE, real_write(fd, data, size));
}

static ssize_t pwrites(int fd, const void *data, size_t size, off_t at) {
    pthread_once(&once, start);
    if (is_ours(fd)) stats->bytes += size;
    WRAP(ssize_t, is_ours(fd), WRITE, real_pwrite(fd, data, size, at));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrites(fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return pwrites(fd, data, size, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { WRAP(ssize_t, is_ours(fd), WRITE, real_writev(fd, parts, count)); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { WRAP(ssize_t, is_ours(fd), WRITE, real_pwritev(fd, parts, count, at)); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { WRAP(ssize_t, is_ours(fd), WRITE, real_pwritev(fd, parts, count, at)); }

static void pause_for_disk(void) {
    struct timespec left = {delay_us / 1000000, delay_us % 1000000 * 1000};
    while (delay_us > 0 && nanosleep(&left, &left) && errno == EINTR) {}
}

int fsync(int fd) {
    pthread_once(&once, start);
    if (is_ours(fd)) pause_for_disk();
    WRAP(int, is_ours(fd), SYNC, real_fsync(fd));
}

int fdatasync(int fd) {
    pthread_once(&once, start);
    if (is_ours(fd)) pause_for_disk();
    WRAP(int, is_ours(fd), SYNC, real_fdatasync(fd));
}

int ftruncate(int fd, off_t size) { WRAP(int, is_ours(fd), TRUNCATE, real_ftruncate(fd, size)); }
int ftruncate64(int fd, off_t size) { WRAP(int, is_ours(fd), TRUNCATE, real_ftruncate(fd, size)); }
int rename(const char *from, const char *to) { WRAP(int, is_below(from), RENAME, real_rename(from, to)); }
int unlink(const char *name) { WRAP(int, is_below(name), UNLINK, real_unlink(name)); }
