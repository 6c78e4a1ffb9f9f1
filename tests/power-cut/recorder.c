/*
 * Records what a program does to the files of one directory, so that a test can tell what a disk would hold had the
 * power failed at any moment. Loaded with LD_PRELOAD in front of the C library; Linux with 64-bit registers.
 *
 *   POWER_CUT_DIRECTORY   an absolute path; files right in it are recorded
 *   POWER_CUT_LOG         a file elsewhere, to which records are appended
 *
 * A record is `struct record`, the file's name, and the data that is written. tests/e2e/loss/recording.rs reads them.
 *
 * One lock holds from a call's record to its end, so the records have the order of the calls. A change is recorded before it
 * is made and a sync after it has succeeded: whoever reads the log can take nothing for safe that is not. What SQLite
 * shares through `-shm` files it makes anew after a crash, so they are left out.
 *
 * A call that this file does not know would be missing in the log. The test finds it out, because the records must add up
 * to the files that are there at the end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum change { CREATE = 1, WRITE = 2, TRUNCATE = 3, SYNC = 4, UNLINK = 5 };

struct record {
    uint32_t change;
    uint32_t name_length;
    uint64_t offset; /* of WRITE; of TRUNCATE the new length */
    uint64_t length; /* of the data that follows */
};

#define FILES 4096
#define NAME 64

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *directory;
static int log_file = -1;
/* By file descriptor. The directory itself has the empty name. */
static struct {
    int recorded;
    char name[NAME];
} files[FILES];

/* A log with a gap proves nothing. */
static void give_up(const char *why) {
    fprintf(stderr, "power-cut recorder: %s\n", why);
    abort();
}

__attribute__((constructor)) static void start(void) {
    directory = getenv("POWER_CUT_DIRECTORY");
    const char *log = getenv("POWER_CUT_LOG");
    if (!directory || !log) give_up("POWER_CUT_DIRECTORY and POWER_CUT_LOG must be set");
    log_file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log_file < 0) give_up("cannot open the log");
}

static void record(enum change change, const char *name, uint64_t offset, const void *data, uint64_t length) {
    struct record record = {change, strlen(name), offset, length};
    struct iovec parts[] = {
        {&record, sizeof record},
        {(void *)name, record.name_length},
        {(void *)data, length},
    };
    ssize_t whole = sizeof record + record.name_length + length;
    if (writev(log_file, parts, 3) != whole) give_up("cannot write the log");
}

/* The name within the directory, empty for the directory itself; NULL for what is not recorded. */
static const char *name_of(const char *path) {
    /* Another constructor may open files before ours has run. */
    size_t length = directory ? strlen(directory) : 0;
    if (!length || strncmp(path, directory, length)) return NULL;
    if (!path[length]) return "";
    const char *name = path + length + 1;
    if (path[length] != '/' || strchr(name, '/')) return NULL;
    size_t name_length = strlen(name);
    if (name_length >= NAME) give_up("a name is too long");
    if (name_length >= 4 && !strcmp(name + name_length - 4, "-shm")) return NULL;
    return name;
}

static int is_recorded(int file) {
    return file >= 0 && file < FILES && files[file].recorded;
}

static int open_recorded(int at, const char *path, int flags, mode_t mode) {
    const char *name = name_of(path);
    if (!name) return syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    int exists = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
    int made = !exists && (flags & O_CREAT);
    int emptied = exists && (flags & O_TRUNC);
    if (made || emptied) record(made ? CREATE : TRUNCATE, name, 0, NULL, 0);
    int file = syscall(SYS_openat, at, path, flags, mode);
    if (file >= FILES) give_up("too many files are open");
    if (file >= 0) {
        files[file].recorded = 1;
        strcpy(files[file].name, name);
    } else if (made || emptied) {
        give_up("a file could not be opened");
    }
    pthread_mutex_unlock(&lock);
    return file;
}

static ssize_t write_recorded(int file, const void *data, size_t length, off_t offset) {
    pthread_mutex_lock(&lock);
    record(WRITE, files[file].name, offset, data, length);
    ssize_t written = syscall(SYS_pwrite64, file, data, length, offset);
    if (written != (ssize_t)length) give_up("a write was not done whole");
    pthread_mutex_unlock(&lock);
    return written;
}

static int sync_recorded(int file, long call) {
    if (!is_recorded(file)) return syscall(call, file);
    pthread_mutex_lock(&lock);
    int outcome = syscall(call, file);
    if (outcome) give_up("a sync failed");
    record(SYNC, files[file].name, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return outcome;
}

/* The mode is there only when a file may be made. */
#define MODE(flags, mode)                        \
    mode_t mode = 0;                             \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {     \
        va_list more;                            \
        va_start(more, flags);                   \
        mode = va_arg(more, unsigned);           \
        va_end(more);                            \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_recorded(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE(flags, mode)
    return open_recorded(at, path, flags, mode);
}

int close(int file) {
    /* Before it is closed: another thread may get the same number at once. */
    if (is_recorded(file)) files[file].recorded = 0;
    return syscall(SYS_close, file);
}

ssize_t pwrite(int file, const void *data, size_t length, off_t offset) {
    if (!is_recorded(file)) return syscall(SYS_pwrite64, file, data, length, offset);
    return write_recorded(file, data, length, offset);
}

ssize_t write(int file, const void *data, size_t length) {
    if (!is_recorded(file)) return syscall(SYS_write, file, data, length);
    if (fcntl(file, F_GETFL) & O_APPEND) give_up("a recorded file is appended to");
    ssize_t written = write_recorded(file, data, length, lseek(file, 0, SEEK_CUR));
    lseek(file, written, SEEK_CUR);
    return written;
}

int ftruncate(int file, off_t length) {
    if (!is_recorded(file)) return syscall(SYS_ftruncate, file, length);
    pthread_mutex_lock(&lock);
    record(TRUNCATE, files[file].name, length, NULL, 0);
    if (syscall(SYS_ftruncate, file, length)) give_up("a file could not be truncated");
    pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int file) {
    return sync_recorded(file, SYS_fsync);
}

int fdatasync(int file) {
    return sync_recorded(file, SYS_fdatasync);
}

int unlink(const char *path) {
    const char *name = name_of(path);
    if (!name) return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    pthread_mutex_lock(&lock);
    /* SQLite removes files without looking whether they are there. */
    int exists = syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0;
    if (exists) record(UNLINK, name, 0, NULL, 0);
    int outcome = syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (exists && outcome) give_up("a file could not be removed");
    pthread_mutex_unlock(&lock);
    return outcome;
}

/* The same calls, by the names that programs with 64-bit file offsets know them by. */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat64(int at, const char *path, int flags, ...) __attribute__((alias("openat")));
ssize_t pwrite64(int file, const void *data, size_t length, off_t offset) __attribute__((alias("pwrite")));
int ftruncate64(int file, off_t length) __attribute__((alias("ftruncate")));
