/* Preloaded into a program: counts its calls to the file system, by kind, on files below FAULT_FOLDERS (absolute paths,
   with colons between them), and lets the call FAULT_AT (from 1 on) of the kind FAULT_KIND fail with the error
   FAULT_ERRNO; with FAULT_AND_ALL_AFTER, all later ones of that kind too.

   The file FAULT_COUNTS, which must exist and be long enough, is mapped into memory: a `struct report`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { OPEN, READ, WRITE, SYNC, TRUNCATE, LINK, UNLINK, KINDS };

static const char *const kinds[KINDS] = {"open", "read", "write", "sync", "truncate", "link", "unlink"};

struct report {
    uint64_t calls[KINDS];
    uint64_t failed;
    /* The first call that failed: its function and its path. */
    char what[PATH_MAX + 64];
};

static struct report *report;
static const char *folders;
static int failing_kind = -1, failing_error;
static uint64_t failing_call, failing_all_after;

#define NEXT(function)                                                \
    ({                                                                \
        static __typeof__(&function) next;                            \
        if (!next)                                                    \
            next = (__typeof__(&function))dlsym(RTLD_NEXT, #function); \
        next;                                                         \
    })

__attribute__((constructor)) static void begin(void)
{
    const char *counts = getenv("FAULT_COUNTS"), *kind = getenv("FAULT_KIND"), *at = getenv("FAULT_AT");
    const char *error = getenv("FAULT_ERRNO");
    void *memory;
    int file;

    if (!counts || (file = NEXT(open)(counts, O_RDWR | O_CLOEXEC)) < 0)
        return;
    memory = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    NEXT(close)(file);
    if (memory == MAP_FAILED)
        return;
    for (int number = 0; kind && number < KINDS; number++)
        if (!strcmp(kind, kinds[number]))
            failing_kind = number;
    failing_call = at ? strtoull(at, NULL, 10) : 0;
    failing_all_after = getenv("FAULT_AND_ALL_AFTER") != NULL;
    failing_error = error ? atoi(error) : EIO;
    folders = getenv("FAULT_FOLDERS");
    report = memory;
}

static int is_below(const char *path)
{
    for (const char *folder = folders; folder && *folder;) {
        size_t length = strcspn(folder, ":");
        if (!strncmp(path, folder, length) && (path[length] == '/' || !path[length]))
            return 1;
        folder += length + (folder[length] == ':');
    }
    return 0;
}

/* Counts a call on a path. True: it is to fail, and errno is set. */
static int path_fails(enum kind kind, const char *function, const char *path)
{
    uint64_t call;

    if (!report || !path || !is_below(path))
        return 0;
    call = __atomic_add_fetch(&report->calls[kind], 1, __ATOMIC_SEQ_CST);
    if ((int)kind != failing_kind || call < failing_call || (call > failing_call && !failing_all_after))
        return 0;
    if (__atomic_fetch_add(&report->failed, 1, __ATOMIC_SEQ_CST) == 0)
        snprintf(report->what, sizeof report->what, "%s %s", function, path);
    errno = failing_error;
    return 1;
}

static int fails(enum kind kind, const char *function, int descriptor)
{
    char link[64], path[PATH_MAX];
    ssize_t length;
    int before = errno;

    if (!report)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof path - 1);
    errno = before;
    if (length < 0)
        return 0;
    path[length] = 0;
    return path_fails(kind, function, path);
}

/* Calls on an open file. */

#define ON_FILE(kind, type, function, parameters, arguments) \
    type function parameters                                 \
    {                                                        \
        if (fails(kind, #function, descriptor))              \
            return -1;                                       \
        return NEXT(function) arguments;                     \
    }

ON_FILE(READ, ssize_t, read, (int descriptor, void *to, size_t bytes), (descriptor, to, bytes))
ON_FILE(READ, ssize_t, pread, (int descriptor, void *to, size_t bytes, off_t at), (descriptor, to, bytes, at))
ON_FILE(READ, ssize_t, pread64, (int descriptor, void *to, size_t bytes, off64_t at), (descriptor, to, bytes, at))
ON_FILE(READ, ssize_t, readv, (int descriptor, const struct iovec *to, int count), (descriptor, to, count))
ON_FILE(READ, ssize_t, copy_file_range,
        (int descriptor, off64_t *from, int to, off64_t *at, size_t bytes, unsigned flags),
        (descriptor, from, to, at, bytes, flags))
ON_FILE(WRITE, ssize_t, write, (int descriptor, const void *from, size_t bytes), (descriptor, from, bytes))
ON_FILE(WRITE, ssize_t, pwrite, (int descriptor, const void *from, size_t bytes, off_t at),
        (descriptor, from, bytes, at))
ON_FILE(WRITE, ssize_t, pwrite64, (int descriptor, const void *from, size_t bytes, off64_t at),
        (descriptor, from, bytes, at))
ON_FILE(WRITE, ssize_t, writev, (int descriptor, const struct iovec *from, int count), (descriptor, from, count))
ON_FILE(SYNC, int, fsync, (int descriptor), (descriptor))
ON_FILE(SYNC, int, fdatasync, (int descriptor), (descriptor))
ON_FILE(TRUNCATE, int, ftruncate, (int descriptor, off_t length), (descriptor, length))
ON_FILE(TRUNCATE, int, ftruncate64, (int descriptor, off64_t length), (descriptor, length))
ON_FILE(TRUNCATE, int, fallocate, (int descriptor, int mode, off_t from, off_t length),
        (descriptor, mode, from, length))
ON_FILE(TRUNCATE, int, fallocate64, (int descriptor, int mode, off64_t from, off64_t length),
        (descriptor, mode, from, length))

/* Calls on a name. */

#define ON_PATH(kind, path, function, parameters, arguments) \
    int function parameters                                  \
    {                                                        \
        if (path_fails(kind, #function, path))               \
            return -1;                                       \
        return NEXT(function) arguments;                     \
    }

ON_PATH(LINK, to, rename, (const char *from, const char *to), (from, to))
ON_PATH(LINK, to, renameat, (int folder, const char *from, int other, const char *to), (folder, from, other, to))
ON_PATH(LINK, to, renameat2, (int folder, const char *from, int other, const char *to, unsigned flags),
        (folder, from, other, to, flags))
ON_PATH(LINK, to, link, (const char *from, const char *to), (from, to))
ON_PATH(LINK, to, linkat, (int folder, const char *from, int other, const char *to, int flags),
        (folder, from, other, to, flags))
ON_PATH(UNLINK, path, unlink, (const char *path), (path))
ON_PATH(UNLINK, path, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
ON_PATH(OPEN, path, mkdir, (const char *path, mode_t mode), (path, mode))

#define OPENS(function, before, arguments)            \
    int function(before const char *path, int flags, ...) \
    {                                                 \
        mode_t mode;                                  \
        va_list rest;                                 \
        va_start(rest, flags);                        \
        mode = va_arg(rest, mode_t);                  \
        va_end(rest);                                 \
        if (path_fails(OPEN, #function, path))        \
            return -1;                                \
        return NEXT(function) arguments;              \
    }
#define NOTHING
#define FOLDER int folder,

OPENS(open, NOTHING, (path, flags, mode))
OPENS(open64, NOTHING, (path, flags, mode))
OPENS(openat, FOLDER, (folder, path, flags, mode))
OPENS(openat64, FOLDER, (folder, path, flags, mode))
