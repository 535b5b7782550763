/* Preloaded into a program: as soon as the file FAULT_TRIGGER exists, one read of the file FAULT_FILE fails, and the
   trigger is deleted. It fails with ESTALE, as on network file systems: SQLite takes EIO for damage, and its
   transaction goes on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int descriptor)
{
    const char *file = getenv("FAULT_FILE"), *trigger = getenv("FAULT_TRIGGER");
    char link[64], path[PATH_MAX];
    ssize_t length;

    if (!file || !trigger)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof path - 1);
    if (length < 0)
        return 0;
    path[length] = 0;
    return !strcmp(path, file) && !unlink(trigger);
}

ssize_t read(int descriptor, void *to, size_t bytes)
{
    static ssize_t (*next)(int, void *, size_t);

    if (!next)
        next = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    if (fails(descriptor)) {
        errno = ESTALE;
        return -1;
    }
    return next(descriptor, to, bytes);
}

ssize_t pread64(int descriptor, void *to, size_t bytes, off64_t offset)
{
    static ssize_t (*next)(int, void *, size_t, off64_t);

    if (!next)
        next = (ssize_t (*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
    if (fails(descriptor)) {
        errno = ESTALE;
        return -1;
    }
    return next(descriptor, to, bytes, offset);
}
