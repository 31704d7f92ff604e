/* Preloaded: logs, or lets fail, every step by which a process changes files below a folder.
 *
 * A record is "op fd-number flags offset length name\n" and length octets. Nothing is
 * recorded before shim_begin. Names are without the folder; "." is the folder itself. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define MOST_FDS 1024
static char root[PATH_MAX];
static size_t root_size;
static int log_fd = -1;
static long fail_at, step;
static int fail_errno, sticky;
static char *names[MOST_FDS];

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

void shim_begin(const char *folder, int log, long at, int error, int for_ever) {
    if (realpath(folder, root) == NULL) abort();
    root_size = strlen(root);
    log_fd = log, fail_at = at, fail_errno = error, sticky = for_ever, step = 0;
}
long shim_end(void) {
    log_fd = -1;
    fail_at = 0;
    return step;
}

static void put(const char *octets, size_t size) {
    while (size > 0) {
        long done = syscall(SYS_write, log_fd, octets, size);
        if (done <= 0) abort();
        octets += done, size -= done;
    }
}
static void record(const char *op, int fd, long flags, long long at, const void *octets,
                   size_t size, const char *name) {
    char head[PATH_MAX + 128];
    if (log_fd < 0) return;
    int length = snprintf(head, sizeof head, "%s %d %ld %lld %zu %s\n", op, fd, flags, at,
                          octets == NULL ? (size_t)0 : size, name);
    put(head, length);
    if (octets != NULL) put(octets, size);
}
/* The name below the folder, NULL for what is elsewhere. */
static const char *inside(const char *path) {
    static char full[PATH_MAX];
    if (log_fd < 0 || path == NULL) return NULL;
    if (path[0] != '/') return NULL;
    snprintf(full, sizeof full, "%s", path);
    if (strncmp(full, root, root_size) != 0) return NULL;
    if (full[root_size] == 0) return ".";
    return full[root_size] == '/' ? full + root_size + 1 : NULL;
}
static const char *of(int fd) {
    return log_fd >= 0 && fd >= 0 && fd < MOST_FDS ? names[fd] : NULL;
}
/* One more step; whether it is to fail. */
static int fails(void) {
    step++;
    if (fail_at == 0 || (step != fail_at && !(sticky && step > fail_at))) return 0;
    errno = fail_errno;
    return 1;
}

static int opened(int fd, const char *name, int flags) {
    if (fd >= 0 && fd < MOST_FDS) {
        free(names[fd]);
        names[fd] = strdup(name);
        record("open", fd, flags, 0, NULL, 0, name);
    }
    return fd;
}
#define OPEN(symbol)                                                                   \
    int symbol(const char *path, int flags, ...) {                                     \
        va_list more;                                                                  \
        va_start(more, flags);                                                         \
        mode_t mode = va_arg(more, mode_t);                                            \
        va_end(more);                                                                  \
        const char *name = inside(path);                                               \
        if (name == NULL) return REAL(symbol)(path, flags, mode);                      \
        if ((flags & (O_CREAT | O_TRUNC)) && fails()) return -1;                       \
        return opened(REAL(symbol)(path, flags, mode), name, flags);                   \
    }
OPEN(open)
OPEN(open64)
int openat(int folder, const char *path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    mode_t mode = va_arg(more, mode_t);
    va_end(more);
    const char *name = inside(path);
    if (name == NULL) return REAL(openat)(folder, path, flags, mode);
    if ((flags & (O_CREAT | O_TRUNC)) && fails()) return -1;
    return opened(REAL(openat)(folder, path, flags, mode), name, flags);
}
int close(int fd) {
    if (fd >= 0 && fd < MOST_FDS && names[fd] != NULL) {
        free(names[fd]);
        names[fd] = NULL;
    }
    return REAL(close)(fd);
}

ssize_t write(int fd, const void *octets, size_t size) {
    const char *name = of(fd);
    if (log_fd >= 0 && fd == STDOUT_FILENO) {
        record("mark", fd, 0, 0, octets, size, "-");
        return size;
    }
    if (name == NULL) return REAL(write)(fd, octets, size);
    long long at = lseek(fd, 0, SEEK_CUR);
    if (fails()) return -1;
    ssize_t done = REAL(write)(fd, octets, size);
    if (done > 0) record("write", fd, 0, at, octets, done, name);
    return done;
}
#define PWRITE(symbol, offset_type)                                                    \
    ssize_t symbol(int fd, const void *octets, size_t size, offset_type at) {          \
        const char *name = of(fd);                                                     \
        if (name == NULL) return REAL(symbol)(fd, octets, size, at);                   \
        if (fails()) return -1;                                                        \
        ssize_t done = REAL(symbol)(fd, octets, size, at);                             \
        if (done > 0) record("write", fd, 0, at, octets, done, name);                  \
        return done;                                                                   \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)
#define TRUNCATE(symbol, offset_type)                                                  \
    int symbol(int fd, offset_type size) {                                             \
        const char *name = of(fd);                                                     \
        if (name == NULL) return REAL(symbol)(fd, size);                               \
        if (fails()) return -1;                                                        \
        int done = REAL(symbol)(fd, size);                                             \
        if (done == 0) record("truncate", fd, 0, size, NULL, 0, name);                 \
        return done;                                                                   \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)
#define SYNC(symbol)                                                                   \
    int symbol(int fd) {                                                               \
        const char *name = of(fd);                                                     \
        if (name == NULL) return REAL(symbol)(fd);                                     \
        if (fails()) return -1;                                                        \
        record("sync", fd, 0, 0, NULL, 0, name);                                       \
        return 0;                                                                      \
    }
SYNC(fsync)
SYNC(fdatasync)
int rename(const char *from, const char *to) {
    const char *name = inside(from);
    if (name == NULL) return REAL(rename)(from, to);
    if (fails()) return -1;
    char *source = strdup(name);
    int done = REAL(rename)(from, to);
    name = inside(to);
    if (done == 0 && name != NULL) record("rename", -1, 0, 0, source, strlen(source), name);
    free(source);
    return done;
}
int unlink(const char *path) {
    const char *name = inside(path);
    if (name == NULL) return REAL(unlink)(path);
    if (access(path, F_OK) != 0) return REAL(unlink)(path);
    if (fails()) return -1;
    int done = REAL(unlink)(path);
    if (done == 0) record("unlink", -1, 0, 0, NULL, 0, name);
    return done;
}
