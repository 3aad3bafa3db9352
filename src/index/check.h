/*
 * The check of data.mdb, before LMDB may open it.
 */
#ifndef ONECOPY_INDEX_CHECK_H
#define ONECOPY_INDEX_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* What stands in the way, and where. */
struct index_check_report {
    uint64_t page;      /* counted from the start of the file; a page has 4,096 bytes */
    const char *reason; /* static; a clause to be put into a sentence: "a page is used twice" */
};

/* Asked now and then whether to go on; false: no. */
struct index_check_guard {
    bool (*may_go_on)(void *context);
    void *context;
};

/*
 * Tells whether LMDB 0.9 can open this file, read all of it and write to it. Changes nothing, records no error message.
 *
 * data_fd: data.mdb, open for reading; its offset is neither used nor moved. The file must hold still: no process has
 * the environment open, and none opens it before this returns; or the caller has LMDB's write lock, or a reader, with
 * which the pages of what is the newest state now stay as they are. (A meta page that is just being written may then
 * look like damage, but not twice.) *report: the caller's, written when the result is not 0.
 *
 * 0: sound, or of length 0, which LMDB will make an environment. ONECOPY_EFORMAT: no file of LMDB 0.9 on a 64-bit
 * little-endian machine with pages of 4,096 bytes. ONECOPY_ECORRUPT: such a file, but damaged, or with a table that
 * onecopy does not make: one with flags, such as MDB_DUPSORT. ONECOPY_ENOMEMORY. ONECOPY_ESYSTEM: a call failed; the
 * reason names it and errno is kept.
 *
 * Cost: reads each page in use once, but of long values only the first bytes; 3 to 4 GB/s where it is in memory, a
 * million small entries in 40 ms. Takes 244 KiB of memory, and a bit for each page of the file. Any number of threads.
 */
int index_check(int data_fd, struct index_check_report *report);

/* The same, as long as the guard lets it go on: else ONECOPY_ECANCELLED. */
int index_check_guarded(int data_fd, const struct index_check_guard *guard, struct index_check_report *report);

#endif
