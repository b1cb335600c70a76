/* A disk and a clock with faults, below a program: preloaded (LD_PRELOAD) in front of the C library.
 *
 * Every write to a regular file below FAULTY_DISK is written to the log FAULTY_DISK_LOG before it is
 * made, with the bytes that were there and those that come, and every flush behind it; so whoever
 * has killed the program can give the files any content that they may have after a power cut
 * (power.py). The file FAULTY_DISK_CONTROL, of which this maps the first bytes, says which faults
 * there are at the moment. Creating, renaming and removing files are taken to be durable at once.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { OPENED = 1, WRITTEN = 2, TRUNCATED = 3, FLUSHED = 4, NOT_FLUSHED = 5 };

/* As `control.py` packs it. */
struct control {
    volatile int32_t drops_flushes;      /* a flush is acknowledged and not made */
    volatile int32_t fails_flushes;      /* a flush fails (EIO) */
    volatile int32_t fails_writes;       /* a write fails (EIO) */
    volatile int32_t is_full;            /* a write that needs room fails (ENOSPC) */
    volatile int32_t flush_milliseconds; /* a flush takes so much longer */
    volatile int32_t clock_seconds;      /* the clock of the day is so much ahead */
};

struct record {
    uint32_t kind;
    uint32_t length; /* of the bytes that come; of the path of OPENED */
    uint32_t before; /* of the bytes that were there */
    uint32_t unused;
    uint64_t inode;
    int64_t offset;
    int64_t size; /* of the file, before */
};

#define FILES 65536
static unsigned char watched[FILES];
static struct control none, *control = &none;
static int log_file = -1;
static char folder[PATH_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_close)(int);
static int (*real_openat)(int, const char *, int, ...);
static int (*real_fallocate)(int, off_t, off_t);
static int (*real_clock_gettime)(clockid_t, struct timespec *);

static void find_real(void) {
    if (real_write) return;
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_close = dlsym(RTLD_NEXT, "close");
    real_openat = dlsym(RTLD_NEXT, "openat64");
    real_fallocate = dlsym(RTLD_NEXT, "posix_fallocate64");
    real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
    real_write = dlsym(RTLD_NEXT, "write");
}

__attribute__((constructor)) static void prepare(void) {
    find_real();
    const char *under = getenv("FAULTY_DISK"), *log = getenv("FAULTY_DISK_LOG"),
               *told = getenv("FAULTY_DISK_CONTROL");
    if (told) {
        int fd = real_openat(AT_FDCWD, told, O_RDONLY | O_CLOEXEC);
        void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) control = map;
        if (fd >= 0) real_close(fd);
    }
    if (under && realpath(under, folder) && log)
        log_file = real_openat(AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

static int is_watched(int fd) { return fd >= 0 && fd < FILES && watched[fd] && log_file >= 0; }

static void note(struct record *record, const void *before, const void *after) {
    struct iovec parts[3] = {{record, sizeof *record},
                             {(void *)before, record->before},
                             {(void *)after, record->length}};
    if (writev(log_file, parts, 3) < 0) abort(); /* better no campaign than one that proves nothing */
}

/* The bytes of a file, whether or not this descriptor may read it. */
static char *bytes_of(int fd, size_t length, off_t offset, uint32_t *read_bytes) {
    char *bytes = malloc(length ? length : 1);
    ssize_t there = length ? pread(fd, bytes, length, offset) : 0;
    if (there < 0 && errno == EBADF) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        int again = real_openat(AT_FDCWD, link, O_RDONLY | O_CLOEXEC);
        there = pread(again, bytes, length, offset);
        real_close(again);
    }
    if (there < 0) abort();
    *read_bytes = (uint32_t)there;
    return bytes;
}

static void opened(int fd) {
    char link[64], path[PATH_MAX];
    struct stat about;
    if (fd < 0 || fd >= FILES) return;
    watched[fd] = 0;
    if (log_file < 0 || fstat(fd, &about) || !S_ISREG(about.st_mode)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    size_t prefix = strlen(folder);
    if (length <= (ssize_t)prefix || strncmp(path, folder, prefix) || path[prefix] != '/') return;
    watched[fd] = 1;
    struct record record = {OPENED, (uint32_t)length, 0, 0, about.st_ino, 0, about.st_size};
    pthread_mutex_lock(&lock);
    note(&record, NULL, path);
    pthread_mutex_unlock(&lock);
}

/* Log a write; called with the lock held. */
static int about_to_write(int fd, const void *bytes, size_t length, off_t offset) {
    struct stat about;
    if (fstat(fd, &about)) return -1;
    if (control->fails_writes) { errno = EIO; return -1; }
    if (control->is_full && offset + (off_t)length > about.st_size) { errno = ENOSPC; return -1; }
    struct record record = {WRITTEN, (uint32_t)length, 0, 0, about.st_ino, offset, about.st_size};
    char *before = bytes_of(fd, offset < about.st_size ? length : 0, offset, &record.before);
    note(&record, before, bytes);
    free(before);
    return 0;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t offset) {
    find_real();
    if (!is_watched(fd)) return real_pwrite(fd, bytes, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t done = about_to_write(fd, bytes, length, offset);
    if (!done) done = real_pwrite(fd, bytes, length, offset);
    pthread_mutex_unlock(&lock);
    return done;
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    find_real();
    if (!is_watched(fd)) return real_write(fd, bytes, length);
    pthread_mutex_lock(&lock);
    int appends = fcntl(fd, F_GETFL) & O_APPEND;
    struct stat about;
    off_t offset = appends && !fstat(fd, &about) ? about.st_size : lseek(fd, 0, SEEK_CUR);
    ssize_t done = about_to_write(fd, bytes, length, offset);
    if (!done) done = real_write(fd, bytes, length);
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate64(int fd, off_t size) {
    find_real();
    if (!is_watched(fd)) return real_ftruncate(fd, size);
    pthread_mutex_lock(&lock);
    struct stat about;
    int done = fstat(fd, &about);
    if (!done) {
        size_t cut = size < about.st_size ? (size_t)(about.st_size - size) : 0;
        struct record record = {TRUNCATED, 0, 0, 0, about.st_ino, size, about.st_size};
        char *before = bytes_of(fd, cut, size, &record.before);
        note(&record, before, NULL);
        free(before);
        done = real_ftruncate(fd, size);
    }
    pthread_mutex_unlock(&lock);
    return done;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int posix_fallocate64(int fd, off_t offset, off_t length) {
    find_real();
    if (is_watched(fd) && control->is_full) return ENOSPC;
    return real_fallocate(fd, offset, length);
}
int posix_fallocate(int fd, off_t offset, off_t length) {
    return posix_fallocate64(fd, offset, length);
}

static int flush(int fd, int (*real)(int)) {
    if (!is_watched(fd)) return real(fd);
    if (control->flush_milliseconds > 0) usleep(1000 * (useconds_t)control->flush_milliseconds);
    if (control->drops_flushes) return 0;
    struct stat about;
    if (fstat(fd, &about)) return -1;
    /* What is written while it is flushed may be on the disk or not: only what came before is. */
    pthread_mutex_lock(&lock);
    int fails = control->fails_flushes, done = fails ? -1 : real(fd);
    struct record record = {fails || done ? NOT_FLUSHED : FLUSHED, 0, 0, 0, about.st_ino, 0,
                            about.st_size};
    note(&record, NULL, NULL);
    pthread_mutex_unlock(&lock);
    if (fails) errno = EIO;
    return done;
}
int fsync(int fd) { find_real(); return flush(fd, real_fsync); }
int fdatasync(int fd) { find_real(); return flush(fd, real_fdatasync); }

int close(int fd) {
    find_real();
    if (fd >= 0 && fd < FILES) watched[fd] = 0;
    return real_close(fd);
}

#define OPENS(name, parameters, at, path)                                                          \
    int name parameters {                                                                          \
        find_real();                                                                               \
        mode_t mode = 0;                                                                           \
        if (flags & (O_CREAT | O_TMPFILE)) {                                                       \
            va_list more;                                                                          \
            va_start(more, flags);                                                                 \
            mode = va_arg(more, mode_t);                                                           \
            va_end(more);                                                                          \
        }                                                                                          \
        int fd = real_openat(at, path, flags, mode);                                               \
        if ((flags & O_ACCMODE) != O_RDONLY) opened(fd);                                           \
        else if (fd >= 0 && fd < FILES) watched[fd] = 0;                                           \
        return fd;                                                                                 \
    }
OPENS(open, (const char *path, int flags, ...), AT_FDCWD, path)
OPENS(open64, (const char *path, int flags, ...), AT_FDCWD, path)
OPENS(openat, (int at, const char *path, int flags, ...), at, path)
OPENS(openat64, (int at, const char *path, int flags, ...), at, path)

int clock_gettime(clockid_t clock, struct timespec *now) {
    find_real();
    int done = real_clock_gettime(clock, now);
    if (!done && clock == CLOCK_REALTIME) now->tv_sec += control->clock_seconds;
    return done;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    int done = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return done;
}
time_t time(time_t *told) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (told) *told = exact.tv_sec;
    return exact.tv_sec;
}
