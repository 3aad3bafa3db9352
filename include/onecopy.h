/*
 * onecopy: a cache in shared memory for the processes of one host.
 *
 * A blob is an immutable string of bytes, stored once however often it is put, and addressed by its ref: a hash of its
 * content. Any process that has the environment open turns the ref into a view, a pointer to the one physical copy.
 * The view stays good until it is released, whatever is evicted, removed or killed in the meantime.
 *
 *     onecopy *handle;
 *     onecopy_ref ref;
 *     onecopy_view view;
 *
 *     if (onecopy_open(NULL, NULL, &handle) < 0)
 *         errx(1, "%s", onecopy_last_error());
 *     onecopy_put(handle, bytes, n_bytes, ONECOPY_UNSET, &ref);      in the runner: pass the ref on
 *     onecopy_get(handle, &ref, &view);                              in a worker: read view.data
 *     onecopy_release(&view);
 *     onecopy_close(handle);
 *
 * Conventions, for all functions unless theirs says otherwise:
 *
 * - The result is 0 (ONECOPY_OK) or one of the negative codes of enum onecopy_error. Outputs are written on success
 *   only. After a failure onecopy_last_error() has the sentence for a person: what was wrong and what can be done.
 * - Any function that is given a handle may fail with ONECOPY_ESTALE, ENOMEMORY, ESYSTEM or ECORRUPT, and the first one
 *   that a child calls after fork() as onecopy_open() may; their comments name only what else there is.
 * - Every function may be called from any number of threads of any number of processes at once. Only an object that the
 *   caller owns (a view, a reservation, an iterator) is used by one thread at a time, and a handle is closed when no
 *   other thread is using it.
 * - Cost: at most once in a tick of the clock (1 to 10 ms) a process looks whether the directory and its files are
 *   still there, by five stat() calls. onecopy_get() does so only when it finds nothing; onecopy_commit(),
 *   onecopy_release() and onecopy_iterator_next() never.
 * - A handle survives fork(): parent and child go on using it independently. Not from a signal handler.
 * - Lengths are in bytes and end in _bytes; durations and times are in nanoseconds and end in _ns. Times are on the
 *   environment's clock: nanoseconds since 1970 as the wall clock read when the environment was created or the machine
 *   was booted, going on steadily from there; steps of the wall clock do not move it. onecopy_now() reads it.
 * - The library never prints, exits, aborts, or installs a signal handler.
 */
#ifndef ONECOPY_H
#define ONECOPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ONECOPY_VERSION_MAJOR 0
#define ONECOPY_VERSION_MINOR 1
#define ONECOPY_VERSION_PATCH 0

/* "Not set": the default applies. For each ttl_ns and for options of 64 bits; the others say what is theirs. */
#define ONECOPY_UNSET UINT64_MAX

/* An expiry that never comes, in what is reported. (As a ttl_ns, 0 says the same.) */
#define ONECOPY_NEVER UINT64_MAX

enum onecopy_error {
    ONECOPY_OK = 0,
    ONECOPY_EINVALID = -1,    /* an argument or a variable is malformed: mend the call */
    ONECOPY_ENOTFOUND = -2,   /* not stored (never was, expired, evicted or removed): compute or put it again */
    ONECOPY_ETOOBIG = -3,     /* the value alone is larger than the environment's limit: raise the limit */
    ONECOPY_EFULL = -4,       /* all that is stored is pinned: the message says by whom. Release views, or raise
                                 the limit */
    ONECOPY_ENOSPACE = -5,    /* the file system under the environment is full: free space there */
    ONECOPY_ENOMEMORY = -6,   /* this process is out of memory or address space */
    ONECOPY_ESYSTEM = -7,     /* a system call failed for another reason, which the message gives */
    ONECOPY_EPERMISSION = -8, /* the caller may not do this with the environment's directory or files */
    ONECOPY_EUNTRUSTED = -9,  /* wrong owner, link or mode, or a network file system: refused for safety */
    ONECOPY_EFORMAT = -10,    /* not an environment, or one of another format version */
    ONECOPY_ECORRUPT = -11,   /* an environment whose files are damaged */
    ONECOPY_ESTALE = -12,     /* the directory was removed or replaced under the handle: close it and open again */
    ONECOPY_ECLIENTS = -13,   /* the table of clients, or LMDB's of readers, is full */
    ONECOPY_EPINS = -14,      /* this process holds as many views as it may: release some */
    ONECOPY_EREADONLY = -15,  /* a change was asked of a read-only handle or file system */
    ONECOPY_EBUSY = -16,      /* another process has held a lock for too long: it may be stopped. Try again */
    ONECOPY_EEXISTS = -17,    /* "only if absent", and there is one */
    ONECOPY_EDEADLOCK = -18,  /* this very thread has claimed what it is about to wait for */
    ONECOPY_ETIMEOUT = -19,   /* the time to wait is over */
    ONECOPY_ECANCELLED = -20, /* the wait was cancelled */
};

/* One open environment. Several handles of a process on one directory share everything behind them. */
typedef struct onecopy onecopy;

/* A blob's address: equal refs name equal bytes within one environment. Compare with memcmp. */
typedef struct onecopy_ref {
    uint8_t bytes[16];
} onecopy_ref;

/* The length of a ref as text, "oc1:" and 32 hex digits, with the terminating NUL. */
#define ONECOPY_REF_TEXT_BYTES 37

/*
 * A read-only window on a blob. data is page aligned for blobs in the arena, 64-byte aligned for smaller ones, and
 * never NULL while the view is live, even when length_bytes is 0; a write through it is a SIGSEGV. May be copied, but
 * released once. Inherited by a child that fork() makes: parent and child each have it, and each releases its own.
 */
typedef struct onecopy_view {
    const void *data;
    size_t length_bytes;
    onecopy_ref ref;
    struct { /* the library's own */
        void *environment;
        uint64_t pin;
    } private_;
} onecopy_view;

/* Space to be filled in place, between onecopy_reserve() and onecopy_commit() or onecopy_abandon(). */
typedef struct onecopy_reservation {
    void *data; /* writable, page aligned or 64-byte aligned as for a view */
    size_t length_bytes;
    struct { /* the library's own */
        void *environment;
        uint64_t ticket;
    } private_;
} onecopy_reservation;

/*
 * How to open or create an environment. Always begin with onecopy_options_init(). What is left unset comes from the
 * environment variable named beside it, then from the default. Variables take sizes as 64K, 512M, 4G and durations as
 * 30s, 10m, 12h, 7d; flags take 0 or 1.
 *
 * Limits and layout (first group) count only for the process that creates the environment: an existing one keeps its
 * own, which onecopy_stat() tells.
 */
struct onecopy_options {
    size_t struct_bytes; /* set by onecopy_options_init(): how much of the structure the caller knows */

    uint64_t max_bytes;   /* ONECOPY_MAX_BYTES: what `du` may say of the directory; default a quarter of its
                             file system */
    uint64_t max_entries; /* ONECOPY_MAX_ENTRIES: blobs, large and small, and entries of caches at most; default
                                max_bytes / 256, at most 268,435,456 */
    uint64_t ttl_ns;      /* ONECOPY_TTL: for puts that give none; 0 or default: no expiry */
    uint64_t max_clients; /* ONECOPY_MAX_CLIENTS: processes at once; default 1,024, at most 16,384 */
    uint64_t max_pins;    /* ONECOPY_MAX_PINS: live views of one process; default 16,384, at most 1,048,576 */
    int protect;          /* ONECOPY_PROTECT: 1 keeps the index from stray writes of its clients; small puts cost
                             three times as much. -1 unset; default 0 */
    uint32_t mode;        /* ONECOPY_MODE (octal): of the directory, files get the same without x; UINT32_MAX unset;
                             default 0700, or 02770 when a group is given */
    gid_t group;          /* ONECOPY_GROUP (name or number): who shares the environment; (gid_t)-1 unset;
                             default none */

    int read_only; /* ONECOPY_READ_ONLY: 1: this handle neither puts nor removes; it still records accesses and pins.
                      -1 unset; default 0 */
    int no_create; /* ONECOPY_NO_CREATE: 1: ONECOPY_ENOTFOUND where there is no environment. -1 unset; default 0 */

    uint64_t max_kept_bytes; /* ONECOPY_MAX_KEPT_BYTES: see onecopy_keep(); default half of max_bytes. Of the first
                                group */
};

/* What one blob is like at the moment of asking. */
struct onecopy_info {
    onecopy_ref ref;
    uint64_t length_bytes;
    uint64_t stored_ns;
    uint64_t expires_ns; /* ONECOPY_NEVER: does not expire */
    uint64_t accessed_ns;
    uint64_t hits;          /* approximate: a worker killed may take its last few milliseconds of hits along */
    uint64_t pins;          /* views on it in all processes; always 0 for blobs in the index, which views copy */
    bool in_arena;          /* false: in the index */
    bool is_argument;       /* was put by itself; false: lives as long as an entry has it */
    bool is_expired;        /* is not found any more, and not yet swept: see onecopy_iterate_all() */
    uint64_t kept_until_ns; /* not evicted before; 0: nobody has asked for that */
    uint64_t entries;       /* of named caches, whose value it is */
};

/*
 * The state of an environment. Bytes of memory are what `du` counts. Counters: since counted_since_ns, when the state
 * file was made, which is at the latest when the machine was booted.
 */
struct onecopy_stat {
    uint64_t max_bytes, max_entries, ttl_ns, max_clients, max_pins; /* the limits in force; ttl_ns 0: none */
    uint64_t max_kept_bytes;
    bool is_protected, is_read_only;
    bool is_on_disk; /* not on a tmpfs: survives a reboot */

    uint64_t used_bytes;     /* arena, index and state together; never above max_bytes */
    uint64_t index_bytes;    /* of those: data.mdb and lock.mdb */
    uint64_t state_bytes;    /* of those: state */
    uint64_t arena_bytes;    /* of those: the arena's resident bytes, which are the next four together */
    uint64_t live_bytes;     /* of blobs that can be found */
    uint64_t free_bytes;     /* free and still resident, kept for the next puts */
    uint64_t limbo_bytes;    /* of blobs that were removed, or went otherwise, and are still in view */
    uint64_t pending_bytes;  /* reserved and being filled, or on their way back to the file system */
    uint64_t punching_bytes; /* on their way back as well: their share is a pending extent's already */

    uint64_t pinned_bytes;        /* live or limbo bytes under at least one pin */
    uint64_t content_bytes;       /* the blobs' own lengths */
    uint64_t arena_address_bytes; /* the arena's address space, holes included */

    uint64_t kept_bytes; /* whose eviction is put off; may count what has ceased to be kept, until there is need
                                     to know */

    uint64_t entries;       /* blobs */
    uint64_t results;       /* entries of named caches */
    uint64_t clients, pins; /* processes and live views in the arena */

    /* Of blobs that were put by themselves, and of all caches together. */
    uint64_t hits, misses;      /* of onecopy_get() and onecopy_entry_get() */
    uint64_t puts;              /* of values that were stored, or were there already; and sets */
    uint64_t dedup_hits;        /* of those: values that were there already */
    uint64_t dedup_saved_bytes; /* and their lengths, which were not stored again */
    uint64_t evictions;         /* what made room for others before its time */
    uint64_t expirations;       /* what was taken out after its time */
    uint64_t removals;          /* by onecopy_remove() */
    uint64_t invalidations;     /* of entries */
    uint64_t bypasses, claims, waits;
    uint64_t dead_clients; /* processes that ended without closing, and were cleared away */
    uint64_t counted_since_ns;
};

/* ---- environments ---- */

/*
 * Sets every option to "unset". Cost: none.
 */
void onecopy_options_init(struct onecopy_options *options);

/*
 * Opens the environment in the directory `path`, creating both when they are not there. Processes that race to create
 * one all get the same. The process opens an environment once however many handles it has.
 *
 * path: NULL means $ONECOPY_PATH, then /dev/shm/onecopy-<effective uid>. options: NULL means all unset. *handle: the
 * caller's; ends with onecopy_close().
 *
 * ONECOPY_EINVALID: an option or a variable (named in the message) is malformed. ENOTFOUND: no_create, and nothing
 * there. EPERMISSION, EUNTRUSTED, EREADONLY, EFORMAT, ECORRUPT, ENOSPACE, ENOMEMORY, ECLIENTS, ESYSTEM: as in the enum;
 * nothing is changed. EBUSY: another process has been opening it for more than 10 seconds. ESTALE: this process has the
 * directory open under a path from which it was moved.
 *
 * Cost: some twenty system calls; the first process to open an environment also checks its index, at memory speed.
 */
int onecopy_open(const char *path, const struct onecopy_options *options, onecopy **handle);

/*
 * Ends a handle; NULL does nothing. Views taken through it stay valid until they are released: what they need is kept
 * until then, and so it is with reservations. No other thread may be using the handle. Returns NULL.
 */
onecopy *onecopy_close(onecopy *handle);

/*
 * The directory of the environment: an absolute path, with links resolved. Valid until the handle is closed.
 */
const char *onecopy_path(const onecopy *handle);

/*
 * The time on the environment's clock, to the clock's tick (1 to 10 ms). No system call.
 */
uint64_t onecopy_now(const onecopy *handle);

/* ---- putting ---- */

/*
 * Stores bytes and gives their ref. Bytes that are already there are not stored again: their expiry is extended to the
 * later of the two, and they count as accessed. The ref is good when the function returns, and the blob then lives
 * until it expires, is removed, or is the least recently used when space is needed. (In an environment on disk that
 * outlives a boot, a blob expires as it was first put: extensions are kept in memory.)
 *
 * data: length_bytes bytes, which must not change during the call; NULL only with length 0. A live view's own data and
 * length are recognised and cost no hashing. ttl_ns: time to live from now; 0 never expires; ONECOPY_UNSET the
 * environment's default.
 *
 * ETOOBIG, EFULL, ENOSPACE: as in the enum; nothing is stored. EREADONLY. EINVALID: ttl_ns is more than 2^62.
 *
 * Cost: up to about 2 KB one short transaction in the index; above, hashing and one copy at memory speed, with no lock
 * held while copying more than a few pages. Bytes already there: hashing and one comparison, no lock.
 */
int onecopy_put(onecopy *handle, const void *data, size_t length_bytes, uint64_t ttl_ns, onecopy_ref *ref);

/*
 * As onecopy_put(), of the n_parts parts one after the other. EINVALID: a part is NULL with a length. ETOOBIG: also
 * when the lengths add up to more than 2^63.
 */
int onecopy_put_iov(onecopy *handle, const struct iovec *parts, size_t n_parts, uint64_t ttl_ns, onecopy_ref *ref);

/*
 * As onecopy_put(), of what can be read from a descriptor (file, pipe, socket) at its present offset: length_bytes
 * bytes, or to its end with ONECOPY_UNSET. The offset moves by what was read. Reads must block: a descriptor with
 * O_NONBLOCK fails when it has nothing to give. EINVALID: the end came early. ESYSTEM, EPERMISSION, ENOSPACE: a read
 * failed; the code is the one for its errno.
 *
 * Cost: with a length, or from a plain file, the bytes are read to where they will be shared, with no copy in this
 * process, as by onecopy_reserve(). Of unknown length (a pipe), they are first gathered in memory of this process,
 * which doubles as they come, and then put.
 */
int onecopy_put_fd(onecopy *handle, int fd, uint64_t length_bytes, uint64_t ttl_ns, onecopy_ref *ref);

/*
 * As onecopy_put() of n_values values, new small ones in transactions of up to 256: each costs a fraction of a put of
 * its own. refs: n_values refs. On failure some of the values may be stored; no ref is written.
 */
int onecopy_put_many(onecopy *handle, const struct iovec *values, size_t n_values, uint64_t ttl_ns, onecopy_ref *refs);

/*
 * Reserves space for length_bytes bytes (0 is a length too), to be filled by the caller and then committed: a value is
 * built or read directly where it will be shared, with no copy. What lies there is undefined, and may be the bytes of
 * blobs that were there before: fill all of it. The space counts as used; it is returned when the process dies.
 * Ends with onecopy_commit() or onecopy_abandon(), in the process that reserved it (a child has no access).
 * Errors: as onecopy_put().
 *
 * Cost: up to about 2 KB a page of memory; above, a transaction, a mapping, and a page fault for each page when it is
 * filled. What has to be evicted, punched or allocated is done here, with no lock held but for the transactions.
 */
int onecopy_reserve(onecopy *handle, size_t length_bytes, onecopy_reservation *reservation);

/*
 * Makes the reservation's bytes a blob, as onecopy_put() would, and ends the reservation, whatever the result.
 * The memory is no longer accessible afterwards. Nobody may be writing to it meanwhile. Errors: as onecopy_put();
 * EINVALID: also when the reservation was ended already, or is the parent process's.
 *
 * Cost: hashing at memory speed, and one transaction. Bytes already there: a comparison, and a transaction in which the
 * space goes back.
 */
int onecopy_commit(onecopy_reservation *reservation, uint64_t ttl_ns, onecopy_ref *ref);

/*
 * Gives a reservation's space back. One that was ended, or is all zeros, is left alone.
 *
 * Cost: a transaction, for more than about 2 KB.
 */
void onecopy_abandon(onecopy_reservation *reservation);

/* ---- getting ---- */

/*
 * Finds a blob and gives a view on it. *view: the caller's; ends with onecopy_release(), at the latest when the process
 * dies. While it lives the bytes under it neither change nor move; the blob may be removed or evicted all the same,
 * and then its space is reused after the last release.
 *
 * ENOTFOUND: not stored, or expired. ESTALE: noticed only where nothing is found; what was there is still good to read.
 * EPINS: this process's views are as many as it may have. ECORRUPT: the bytes were damaged while no process had the
 * environment open; the blob is removed. ENOMEMORY, ENOSPACE: for the view itself. ECLIENTS: LMDB's table of readers is
 * full.
 *
 * Cost: one look-up in the index; no system call, no lock, no copy (up to about 2 KB: one copy). Tables of views grow
 * now and then, by a system call. The first get of a blob after a time in which no process had the environment open
 * also checks its hash.
 */
int onecopy_get(onecopy *handle, const onecopy_ref *ref, onecopy_view *view);

/*
 * The same for who looks on: counts neither as a hit nor as a miss, and is no access.
 */
int onecopy_peek(onecopy *handle, const onecopy_ref *ref, onecopy_view *view);

/*
 * Ends a view and clears it. One that was released, or is all zeros, is left alone. Cost: one store.
 */
void onecopy_release(onecopy_view *view);

/*
 * ONECOPY_OK when the blob is stored and not expired, else ONECOPY_ENOTFOUND. Counts as no access. ECLIENTS as above.
 *
 * Cost: one look-up in the index, no lock.
 */
int onecopy_contains(onecopy *handle, const onecopy_ref *ref);

/*
 * Marks a blob as accessed now and extends its expiry to ttl_ns from now (never shortens it), as long as the machine is
 * not booted. ttl_ns as in onecopy_put(). A read-only handle may do this: it changes nothing that is stored. ENOTFOUND.
 * ECLIENTS as above. EINVALID: ttl_ns is more than 2^62.
 *
 * Cost: one look-up in the index, no lock.
 */
int onecopy_touch(onecopy *handle, const onecopy_ref *ref, uint64_t ttl_ns);

/*
 * Removes a blob: from now on it is not found. Live views on it stay valid, and its space is reused after the last of
 * them is released. ENOTFOUND: it was not there. EREADONLY. EFULL, ENOSPACE: the index has no room for the change.
 *
 * Cost: one transaction, in which all pins of all processes are looked through.
 */
int onecopy_remove(onecopy *handle, const onecopy_ref *ref);

/* ---- named caches ---- */

/*
 * A named cache is a set of entries, each found by a key and holding a value, a status and times. Two are there from
 * the start: "results", with a TTL of an hour and 10,000 entries at most; and "args", which is the store of blobs
 * itself, as counted and listed like the others: its keys are refs, so it is used through onecopy_put() and
 * onecopy_get(), and can be neither changed nor dropped. Others are made by onecopy_cache_create(), or when something
 * is first set in them or claimed.
 *
 * The name of a cache is 1 to 64 characters of A-Z a-z 0-9 . _ and -. A key is 1 to 4,096 bytes of anything.
 */
#define ONECOPY_CACHE_NAME_MAX   64
#define ONECOPY_KEY_MAX          4096
#define ONECOPY_CONTENT_TYPE_MAX 255

/*
 * Who goes first when a cache is at its limit. What has expired goes before, as soon as it is noticed: the order is
 * looked for once for some hundred evictions.
 */
enum onecopy_policy {
    ONECOPY_POLICY_LRU = 0,  /* the least recently used: the default */
    ONECOPY_POLICY_FIFO = 1, /* the one that was set first */
    ONECOPY_POLICY_TTL = 2,  /* the one that expires first */
    ONECOPY_POLICY_NONE = 3, /* nobody, for no limit: a set beyond the cache's own is refused */
};
#define ONECOPY_POLICY_UNSET UINT32_MAX

/*
 * What a cache is like. Begin with onecopy_cache_options_init(), which leaves everything unset: what stays so is not
 * changed, or, in a cache that is being made, takes the default.
 */
struct onecopy_cache_options {
    size_t struct_bytes;  /* set by onecopy_cache_options_init() */
    uint64_t ttl_ns;      /* for sets that give none; 0: no expiry; default: the environment's */
    uint64_t max_entries; /* 0, the default: no limit but the environment's */
    uint64_t max_bytes;   /* of keys and values together; 0, the default: no limit but the environment's */
    uint64_t grace_ns;    /* how long after its expiry an entry may still be served while somebody computes it anew:
                             see onecopy_claim(). 0, the default: not at all */
    uint32_t policy;      /* an enum onecopy_policy; default ONECOPY_POLICY_LRU */
};

/*
 * Sets every option to "unset". Cost: none.
 */
void onecopy_cache_options_init(struct onecopy_cache_options *options);

/*
 * Makes a cache, or changes the one of that name, which may be in use. A limit that is lowered below the present size
 * takes effect at once: entries go by the policy (with ONECOPY_POLICY_NONE none goes, and sets are refused until there
 * is room). A TTL counts for what is set from now on.
 *
 * name: see above. options: NULL means all unset: makes the cache if need be, and changes nothing.
 *
 * EINVALID: the name or an option is malformed, or the cache is "args". EFULL: there are 256 caches. EREADONLY, ESTALE,
 * ENOSPACE, ENOMEMORY, ESYSTEM, ECORRUPT, EBUSY: as in the enum.
 *
 * Cost: a transaction; lowering a limit, some for each hundred entries that go.
 */
int onecopy_cache_create(onecopy *handle, const char *name, const struct onecopy_cache_options *options);

/*
 * Drops a cache: its entries are gone at once and its name is free. Who waits for one of its keys is told so
 * (ENOTFOUND), views stay valid, and the space is given back before the function returns (or by the next who makes or
 * drops a cache, if this process dies meanwhile). "results", when it is next used, begins anew with its own defaults.
 * *n: how many entries went; NULL: do not tell.
 *
 * ENOTFOUND: there is none of that name. EINVALID: it is "args". Else as onecopy_cache_create().
 * Cost: a transaction, and one for some dozens of entries.
 */
int onecopy_cache_drop(onecopy *handle, const char *name, uint64_t *n);

/* What a cache is like, holds and has counted. Percentages have two decimals. */
struct onecopy_cache_stat {
    char name[ONECOPY_CACHE_NAME_MAX + 1]; /* "" for the sum of all */
    uint64_t ttl_ns, grace_ns;             /* 0: none */
    uint32_t policy;
    uint32_t padding;
    uint64_t size;                   /* entries; those that have expired count until they are swept */
    uint64_t max_size;               /* the limit of entries: its own, or the environment's where it has none */
    uint64_t bytes;                  /* of keys and values */
    uint64_t max_bytes;              /* likewise */
    double utilization_percent;      /* of max_size or of max_bytes, whichever is fuller */
    uint64_t hits, misses;           /* gets that found something, or not */
    double hit_rate_percent;         /* 0 when nothing has been asked for */
    uint64_t sets;                   /* and, in "args", puts */
    uint64_t evictions;              /* entries that went for a limit */
    uint64_t expirations;            /* entries that went after their time */
    uint64_t invalidations;          /* entries that somebody took out */
    uint64_t total_requests;         /* hits and misses */
    uint64_t bypasses;               /* gets with ONECOPY_BYPASS */
    uint64_t dedup_hits;             /* values that were stored already */
    uint64_t dedup_saved_bytes;      /* and their lengths */
    uint64_t by_status[5];           /* of the entries: by enum onecopy_status */
    uint64_t claims;                 /* that were given */
    uint64_t waits;                  /* that had to wait */
    uint64_t evictions_by_reason[4]; /* of the evictions: by enum onecopy_eviction_reason */
    uint64_t counted_since_ns;       /* the counters were 0 then: when made or last reset; of the sum, the earliest */
};

/*
 * What a cache holds and has counted. name: NULL for the sum of all caches. The figures are read without stopping
 * anybody and may be of slightly different moments. ENOTFOUND: there is none of that name.
 * Cost: a look at each client's counters; no system call, no lock.
 */
int onecopy_cache_stat(onecopy *handle, const char *name, struct onecopy_cache_stat *stat);

/*
 * Lists the caches in no particular order: writes up to `capacity` of them to `stats`, and to *n how many there are
 * (256 at most). stats may be NULL with capacity 0.
 * Cost: for each cache, that of onecopy_cache_stat().
 */
int onecopy_cache_list(onecopy *handle, struct onecopy_cache_stat *stats, size_t capacity, size_t *n);

/*
 * Sets the counters of a cache back to 0 (NULL: of every cache): those from `hits` to the end, save by_status, which
 * are sizes. What onecopy_stat() counts goes on. ENOTFOUND, EREADONLY.
 * Cost: the write lock, and a look at each client's counters.
 */
int onecopy_cache_reset(onecopy *handle, const char *name);

/* ---- entries ---- */

/* Names an entry. Nothing of it is kept after the call. */
typedef struct onecopy_key {
    const char *cache; /* the cache's name */
    const void *bytes;
    size_t length_bytes;
} onecopy_key;

/* How far what an entry stands for has come. The last three are final: waiting ends with them. */
enum onecopy_status {
    ONECOPY_PENDING = 0,
    ONECOPY_RUNNING = 1,
    ONECOPY_SUCCESS = 2,
    ONECOPY_FAILURE = 3,
    ONECOPY_REVOKED = 4,
};

enum onecopy_set_flags {
    ONECOPY_ONLY_IF_ABSENT = 1, /* ONECOPY_EEXISTS when there is an entry that has not expired, whatever its status */
    ONECOPY_WITHOUT_VALUE = 2,  /* status and times alone; data is not looked at */
};

/* What to set. Begin with onecopy_value_init(). */
struct onecopy_value {
    size_t struct_bytes;      /* set by onecopy_value_init() */
    const void *data;         /* length_bytes bytes; NULL only with length 0. A value of no bytes is a value */
    size_t length_bytes;      /* */
    uint64_t ttl_ns;          /* time to live from now; 0: no expiry; ONECOPY_UNSET: the cache's */
    uint32_t status;          /* an enum onecopy_status */
    uint32_t flags;           /* of enum onecopy_set_flags */
    const char *content_type; /* 255 bytes at most, for the readers' information; NULL: none */
    uint64_t started_ns;      /* on the clock of the caller's choice, kept as they are; 0: not known */
    uint64_t completed_ns;
};

/*
 * Fills a value with defaults: no bytes, status ONECOPY_SUCCESS, the cache's TTL. Cost: none.
 */
void onecopy_value_init(struct onecopy_value *value);

/*
 * Sets an entry. The newest wins, whatever was there, and its time to live begins anew. With a final status, wakes
 * whoever waits for the key, and ends this process's claim on it.
 *
 * key, value: the caller's, not kept; the bytes must not change during the call. Values that fit, with key and content
 * type, in about 2,000 bytes live in the index; larger ones are blobs, shared with equal blobs and values of the whole
 * environment. A live view's own data and length are recognised and cost no hashing.
 *
 * EINVALID: name, key or a field is malformed; a cache "args". EEXISTS. ETOOBIG: the value is larger than the cache's
 * limit or the environment's. EFULL: the cache is full and its policy is "none", or all that is stored is in use; the
 * message says which. ENOSPACE, EREADONLY, ESTALE, ENOMEMORY, ESYSTEM, ECORRUPT, EBUSY. Nothing is changed then.
 *
 * Cost: a small value one short transaction; a large one is first put as onecopy_put() does. No system call unless
 * somebody waits.
 */
int onecopy_set(onecopy *handle, const onecopy_key *key, const struct onecopy_value *value);

/*
 * As onecopy_set(), with a blob that is stored already as the value: nothing is copied. value: NULL for the defaults;
 * its data and length are not looked at. The blob is not evicted as long as an entry has it, and does not expire before
 * it. Errors: as onecopy_set(). ENOTFOUND: the blob is not stored. EINVALID: also with ONECOPY_WITHOUT_VALUE.
 *
 * Cost: a look-up, and one short transaction.
 */
int onecopy_set_ref(onecopy *handle, const onecopy_key *key, const onecopy_ref *ref, const struct onecopy_value *value);

/* What an entry was like when it was read. */
struct onecopy_entry {
    onecopy_view view; /* ends with onecopy_release(&entry.view); of one without a value, all zeros */
    onecopy_ref ref; /* the hash of the value, as onecopy_put() would give. One that lives in the index is no blob: use
                          the view, not the ref, to pass it on */
    bool has_value;
    bool is_stale;   /* has expired, and is served because somebody computes it anew */
    uint32_t status; /* an enum onecopy_status */
    uint64_t stored_ns;
    uint64_t expires_ns; /* ONECOPY_NEVER: does not expire */
    uint64_t age_ns;
    uint64_t remaining_ttl_ns; /* ONECOPY_NEVER; 0 when stale */
    uint64_t started_ns, completed_ns;
    char content_type[ONECOPY_CONTENT_TYPE_MAX + 1];
};

enum onecopy_get_flags {
    ONECOPY_PEEK = 1,   /* does not count, and is no access */
    ONECOPY_BYPASS = 2, /* always a miss, counted apart: for callers that want to compute anew */
};

/*
 * Finds an entry. *entry: the caller's; its view ends with onecopy_release(), as that of onecopy_get(), and is valid
 * whatever happens to the entry. flags: of enum onecopy_get_flags.
 *
 * ENOTFOUND: there is none, or it has expired (is older than its time to live), or the cache does not exist; or
 * ONECOPY_BYPASS. EINVALID. EPINS, ENOMEMORY, ENOSPACE, ECLIENTS: as for onecopy_get(). ECORRUPT: the bytes were
 * damaged while no process had the environment open. EBUSY: a process was stopped in the middle of replacing the value.
 *
 * Cost: one look-up in the index, two for a large value; no system call, no lock; a small value is copied.
 */
int onecopy_entry_get(onecopy *handle, const onecopy_key *key, uint32_t flags, struct onecopy_entry *entry);

/*
 * Takes an entry out. Live views stay valid. ENOTFOUND: there was none. Cost: a transaction.
 */
int onecopy_invalidate(onecopy *handle, const onecopy_key *key);

/*
 * Takes out the entries of a cache whose keys match a pattern: `*` any bytes, `?` one, [a-z] one of these, [!a-z] one
 * other; a backslash takes the meaning from the byte after it. The key as a whole must match. *n: how many went; NULL:
 * do not tell. Entries that are set meanwhile may stay. A cache that does not exist has none.
 *
 * EINVALID: the pattern is malformed. Cost: a walk over the cache's keys, in short reads; a transaction for some
 * dozens that match.
 */
int onecopy_invalidate_matching(onecopy *handle, const char *cache, const void *pattern, size_t pattern_bytes,
                                uint64_t *n);

/*
 * The same for all entries of a cache, and for all entries of all caches. Blobs that were put by themselves stay.
 */
int onecopy_invalidate_cache(onecopy *handle, const char *cache, uint64_t *n);
int onecopy_invalidate_all(onecopy *handle, uint64_t *n);

/* ---- keeping ---- */

/*
 * Puts the eviction of a blob off: it is not evicted for duration_ns from now, however long ago its last access;
 * neither do earlier calls' promises get shorter. It can still expire and be removed. One that was set as the value of
 * an entry is there for as long though the entry goes, or gets another value. 0 takes all such promises back.
 *
 * EFULL: more bytes would be kept than max_kept_bytes: let tasks finish, or raise the limit. ENOTFOUND. EREADONLY.
 * Cost: the write lock, for a moment; at the limit, a look at all that is kept.
 */
int onecopy_keep(onecopy *handle, const onecopy_ref *ref, uint64_t duration_ns);

/*
 * The same for an entry, with its value, also with one that is set in its place: that counts as many bytes as it has.
 */
int onecopy_keep_entry(onecopy *handle, const onecopy_key *key, uint64_t duration_ns);

/* ---- waiting ---- */

/* No limit to waiting, as a timeout. */
#define ONECOPY_FOREVER UINT64_MAX

/*
 * Lets one thread end the waits of others. Belongs to the process that made it.
 */
typedef struct onecopy_canceller onecopy_canceller;

/*
 * Makes a canceller, cancels with it, and ends it. A cancelled one stays so: each wait that is given it ends at once,
 * with ECANCELLED. onecopy_canceller_cancel() may be called by any thread, and by a signal handler. It must not be
 * freed while a wait has it. onecopy_canceller_free(): NULL does nothing; returns NULL. ENOMEMORY.
 * Cost: to cancel, a system call.
 */
int onecopy_canceller_new(onecopy_canceller **canceller);
void onecopy_canceller_cancel(onecopy_canceller *canceller);
onecopy_canceller *onecopy_canceller_free(onecopy_canceller *canceller);

/*
 * Waits until an entry is there with a final status, and reads it as onecopy_entry_get() does; at once if it is. The
 * cache need not exist yet.
 *
 * timeout_ns: 0 looks once; ONECOPY_FOREVER has no end. canceller: NULL, or what ends the wait.
 *
 * ETIMEOUT, ECANCELLED. ENOTFOUND: the cache was dropped meanwhile. EDEADLOCK: this thread has claimed the key itself.
 * Else as onecopy_entry_get().
 *
 * Cost: sleeps in the kernel; wakes within microseconds of the set, whatever becomes of the process that set it.
 */
int onecopy_wait(onecopy *handle, const onecopy_key *key, uint64_t timeout_ns, onecopy_canceller *canceller,
                 struct onecopy_entry *entry);

/*
 * The same for the first of n keys to be there (the first in order, if several are); *which: its place in `keys`. With
 * more than 127 keys, each set of a final status in the environment wakes the waiter for a look.
 */
int onecopy_wait_any(onecopy *handle, const onecopy_key *keys, size_t n, uint64_t timeout_ns,
                     onecopy_canceller *canceller, size_t *which, struct onecopy_entry *entry);

/*
 * Tells an event loop of entries: a descriptor that is readable while there is something to be told. A thread of the
 * library waits for the keys that were added. Not inherited: in a child made by fork(), it can only be freed.
 */
typedef struct onecopy_notifier onecopy_notifier;

/*
 * Makes a notifier. *notifier: the caller's, until onecopy_notifier_free(); the handle must stay open until then.
 * ENOMEMORY, ESYSTEM (no descriptor, no thread).
 */
int onecopy_notifier_new(onecopy *handle, onecopy_notifier **notifier);

/*
 * Has it tell when the entry of this key is there with a final status, once. tag: given back by
 * onecopy_notifier_next(). Any thread. The key's bytes are copied. EINVALID (also in a child), ENOMEMORY.
 *
 * Cost: a system call; and for the thread a look-up of each key that it waits for, whenever one is added or told of.
 */
int onecopy_notifier_add(onecopy_notifier *notifier, const onecopy_key *key, uint64_t tag);

/* The descriptor: to be watched for reading, not to be read or closed. */
int onecopy_notifier_fd(const onecopy_notifier *notifier);

/*
 * The next thing to be told: *tag is that of a key whose entry is there (and may be gone again when it is asked for).
 * *result: ONECOPY_OK, or why it cannot be waited for any more: ENOTFOUND when its cache was dropped, or another error
 * of onecopy_wait(). The function's own result is ENOTFOUND when there is nothing to be told. Does not wait. Any
 * thread. Cost: a system call.
 */
int onecopy_notifier_next(onecopy_notifier *notifier, uint64_t *tag, int *result);

/* Ends it with its thread and its descriptor; NULL does nothing. Returns NULL. */
onecopy_notifier *onecopy_notifier_free(onecopy_notifier *notifier);

/* ---- claims ---- */

enum onecopy_outcome {
    ONECOPY_HIT = 0,   /* the entry is there, and was read */
    ONECOPY_YOURS = 1, /* it is not, and this process has the claim: compute it, and set it or give up */
    ONECOPY_BUSY = 2,  /* it is not, and somebody else has the claim */
};

/*
 * Finds an entry with a final status, or else claims its key, so that one process computes it and the others wait. The
 * claim lasts until this process sets the entry to a final status, gives up, or ends: if it is killed, one of those who
 * wait gets the claim. An entry that has expired no longer than its cache's grace ago is a hit (is_stale) while
 * somebody else has the claim. A status that is not final counts as no entry.
 *
 * timeout_ns: how long to wait for another's claim before the answer is ONECOPY_BUSY; 0: not at all. *entry: written
 * with ONECOPY_HIT only.
 *
 * EDEADLOCK: this thread has the claim already. EBUSY: too many claims (about a thousand keys at once). ENOTFOUND: the
 * cache was dropped while we waited. EINVALID, EREADONLY, ESTALE, EPINS, ENOMEMORY, ENOSPACE, ESYSTEM, ECORRUPT.
 *
 * Cost: a hit, that of onecopy_entry_get(); else the write lock, for a moment.
 */
int onecopy_claim(onecopy *handle, const onecopy_key *key, uint64_t timeout_ns, enum onecopy_outcome *outcome,
                  struct onecopy_entry *entry);

/*
 * Ends this process's claim on a key without a result: one of those who wait gets it. ENOTFOUND: it has none.
 * Cost: no lock; a system call if somebody waits.
 */
int onecopy_give_up(onecopy *handle, const onecopy_key *key);

/*
 * onecopy_claim() until it is a hit or ours. *outcome: ONECOPY_HIT or ONECOPY_YOURS. timeout_ns and canceller as for
 * onecopy_wait(): ETIMEOUT, ECANCELLED.
 */
int onecopy_get_or_claim_wait(onecopy *handle, const onecopy_key *key, uint64_t timeout_ns,
                              onecopy_canceller *canceller, enum onecopy_outcome *outcome, struct onecopy_entry *entry);

/* ---- events ---- */

enum onecopy_event_kind {
    ONECOPY_EVENT_SET = 1,        /* an entry was set; in "args", a blob was put that was not there */
    ONECOPY_EVENT_EVICT = 2,      /* went for a limit */
    ONECOPY_EVENT_EXPIRE = 3,     /* went after its time */
    ONECOPY_EVENT_INVALIDATE = 4, /* an entry was taken out, alone, by a pattern or with its cache */
    ONECOPY_EVENT_REMOVE = 5,     /* a blob was removed */
};

/* What happened to an entry, or in "args" to a blob. */
struct onecopy_event {
    uint64_t number; /* 0, 1, 2, ...: one for each event of the environment */
    uint64_t time_ns;
    uint32_t kind;                          /* an enum onecopy_event_kind */
    uint32_t status;                        /* an enum onecopy_status */
    char cache[ONECOPY_CACHE_NAME_MAX + 1]; /* "" when it is no more */
    uint64_t length_bytes;                  /* of the value */
    onecopy_ref ref;
    uint64_t key_bytes; /* the length of the key; of a blob's, 16, and the key is its ref */
    uint8_t key[32];    /* its first bytes */
};

/* Follows what happens, from a ring of the last thousand events or so; nobody waits for a follower that is slow. */
typedef struct onecopy_follower onecopy_follower;

enum onecopy_events_from { ONECOPY_FROM_NOW = 0, ONECOPY_FROM_OLDEST = 1 /* that is still there */ };

/*
 * Begins to follow. *follower: the caller's, until onecopy_follower_free(); used by one thread at a time. The handle
 * must stay open. EINVALID, ENOMEMORY. Cost: some memory.
 */
int onecopy_events_open(onecopy *handle, enum onecopy_events_from from, onecopy_follower **follower);

/*
 * The next event, waiting for it up to timeout_ns (0: not at all; ONECOPY_FOREVER). *n_missed: how many events before
 * it were overwritten before they could be read. ETIMEOUT: none came. ECANCELLED, by the canceller (NULL: none).
 * Cost: when there is one, a copy of it; else sleeps in the kernel.
 */
int onecopy_events_next(onecopy_follower *follower, uint64_t timeout_ns, onecopy_canceller *canceller,
                        struct onecopy_event *event, uint64_t *n_missed);

/* Ends it; NULL does nothing. Returns NULL. */
onecopy_follower *onecopy_follower_free(onecopy_follower *follower);

/* ---- house-keeping ---- */

/*
 * A janitor does ahead of time what callers would otherwise do when they come to it: it sweeps what has expired, evicts
 * before a limit is reached, clears what dead processes left, and gives memory back. Everything works without one.
 * There is one janitor per environment at a time, in any process; it may end or be killed at any moment, and loses
 * nothing.
 *
 *     onecopy_janitor_begin(handle, NULL, &janitor);
 *     do
 *         onecopy_janitor_pass(janitor, &pass);
 *     while (onecopy_janitor_wait(janitor, ONECOPY_FOREVER, &cause) == ONECOPY_OK);
 *     onecopy_janitor_end(janitor);
 *
 * A janitor is used by one thread at a time, but for onecopy_janitor_wake() and onecopy_janitor_stop(), and only by the
 * process that began it: in a child made by fork() it can only be ended. Its handle must stay open until then.
 */
typedef struct onecopy_janitor onecopy_janitor;

/*
 * How a janitor works. Always begin with onecopy_janitor_options_init(), which sets the defaults that are named here.
 *
 * The marks are in percent of what the environment may hold, in bytes of large values (max_bytes, less what index and
 * state take) as well as in blobs and entries (max_entries). When one is passed, the oldest go until the low one is
 * reached, so that puts find warm space. Values that live in the index alone are only evicted for max_entries.
 */
struct onecopy_janitor_options {
    size_t struct_bytes; /* set by onecopy_janitor_options_init() */

    uint64_t sweep_interval_ns; /* the longest time between two passes: 60 s */
    uint64_t step_ns;           /* how long a transaction, for which writers wait, may go on: 2 ms */
    uint64_t warm_bytes;   /* free memory to keep for the next puts; ONECOPY_UNSET: what the low mark leaves free */
    uint32_t step_entries; /* blobs and entries that one transaction takes out at most, 1 to 128: 128 */
    uint32_t high_percent; /* 98; at most 100 */
    uint32_t low_percent;  /* 95; at least 1, at most high_percent */
    uint32_t dry_run;      /* 1: passes change nothing, and report what they would do. Needs no lock: 0 */

    /*
     * Under memory pressure the limit in bytes is lowered step by step down to a floor, in percent of max_bytes, and
     * raised again afterwards. 0: not at all.
     */
    uint32_t pressure_floor_percent;
    uint32_t pressure_percent; /* pressure is a "some avg10" of this: 10. New events "high", "max" or "oom" are, too */
    const char *pressure_path; /* NULL: memory.pressure of this process's cgroup, else /proc/pressure/memory */
    const char *pressure_events_path; /* NULL: memory.events of this process's cgroup */
};

/* What made room for others: which limit something was evicted for, by a janitor or by a caller that needed space. */
enum onecopy_eviction_reason {
    ONECOPY_EVICTED_FOR_BYTES = 0,   /* max_bytes; or the index's share of it */
    ONECOPY_EVICTED_FOR_ENTRIES = 1, /* max_entries */
    ONECOPY_EVICTED_FOR_CACHE = 2,   /* a limit of its cache */
    ONECOPY_EVICTED_FOR_PRESSURE = 3,
};
#define ONECOPY_EVICTION_REASONS 4

/* What one pass did; or, in a dry run, what it would have done. */
struct onecopy_pass {
    uint64_t began_ns; /* on the environment's clock */
    uint64_t duration_ns;

    uint64_t expired_entries, expired_blobs;            /* went after their time */
    uint64_t evicted_entries[ONECOPY_EVICTION_REASONS]; /* of named caches, by enum onecopy_eviction_reason */
    uint64_t evicted_blobs[ONECOPY_EVICTION_REASONS];   /* that were put by themselves */
    uint64_t removed_values;                            /* blobs that went with the last entry that had them */
    uint64_t dropped_entries;                           /* of caches whose dropping was broken off */
    uint64_t dead_clients, dead_pins, dead_claims;      /* cleared, and what they held */
    uint64_t stale_readers;                             /* of the index, cleared */
    uint64_t returned_bytes;                            /* that dead clients were filling, free now */
    uint64_t limbo_bytes;                               /* released since they were removed, free now */
    uint64_t freed_bytes;                               /* of what expired or was evicted; in limbo, if in view */
    uint64_t punched_bytes;                             /* given back to the file system */

    uint64_t steps;           /* transactions */
    uint64_t longest_step_ns; /* for which the write lock was held */
    uint64_t in_use_bytes;    /* of the arena, afterwards: not free */
    uint64_t warm_bytes;      /* free and resident, afterwards */
    uint64_t limit_bytes;     /* of the arena: what both marks are of */
    uint64_t next_due_ns;     /* when the next pass is due: the sweep interval is over, or many have expired */
    uint64_t is_above_mark;   /* 1: the high mark is passed still, as all that could go is in use */
};

/* Why onecopy_janitor_wait() has returned. */
enum onecopy_janitor_cause {
    ONECOPY_CAUSE_TIMEOUT = 0,  /* its own timeout is over */
    ONECOPY_CAUSE_DUE = 1,      /* the sweep interval is over, or many entries have expired */
    ONECOPY_CAUSE_SHORT = 2,    /* a client has passed the high mark */
    ONECOPY_CAUSE_ASKED = 3,    /* onecopy_janitor_ask() */
    ONECOPY_CAUSE_WOKEN = 4,    /* onecopy_janitor_wake() */
    ONECOPY_CAUSE_PRESSURE = 5, /* memory pressure begins, goes on, or is over */
};

/*
 * Sets the defaults. Cost: none.
 */
void onecopy_janitor_options_init(struct onecopy_janitor_options *options);

/*
 * Becomes the environment's janitor. options: NULL means the defaults; nothing of them is kept. *janitor: the caller's;
 * ends with onecopy_janitor_end(), at the latest when the process dies.
 *
 * EBUSY: there is a janitor already; the message names its pid. (Not with dry_run.) EINVALID: an option makes no sense;
 * the message names it. ENOTFOUND: memory pressure is to be watched, and cannot be. EREADONLY: the handle is read-only,
 * and this is no dry run. Cost: some system calls.
 */
int onecopy_janitor_begin(onecopy *handle, const struct onecopy_janitor_options *options, onecopy_janitor **janitor);

/*
 * Changes the options of a janitor. After a failure the old ones are in force. EINVALID, ENOTFOUND, as above; EINVALID
 * also when dry_run differs.
 */
int onecopy_janitor_configure(onecopy_janitor *janitor, const struct onecopy_janitor_options *options);

/*
 * Makes one pass: clears dead clients, stale readers of the index and limbo; takes out what has expired; enforces the
 * limits of caches; evicts from the high mark to the low one; punches free memory beyond what is to be kept warm. It
 * does what was to be done when it began, so it ends however much others put meanwhile; after ten seconds it leaves the
 * rest to the next one, which is then due at once.
 *
 * *pass: what it did, also after a failure, up to that; NULL: do not tell.
 *
 * ECANCELLED: onecopy_janitor_stop(). Others: a part of the pass could not be done, the message says why; the other
 * parts have been. EFULL is none of them: see is_above_mark.
 *
 * Cost: one look at the table of slots (64 bytes for each blob and entry), with no lock held; a transaction for some
 * dozens of those that go, with pauses between them in which writers have the lock; a system call for each client.
 */
int onecopy_janitor_pass(onecopy_janitor *janitor, struct onecopy_pass *pass);

/*
 * Waits until there is something to do: see enum onecopy_janitor_cause. At once, if there is. timeout_ns: 0 looks once;
 * ONECOPY_FOREVER has no end of its own. *cause: an enum onecopy_janitor_cause; NULL: do not tell.
 *
 * ECANCELLED: onecopy_janitor_stop(). ESTALE: the directory was removed or replaced. Cost: sleeps in the kernel; looks
 * once in ten seconds whether the directory is still there.
 */
int onecopy_janitor_wait(onecopy_janitor *janitor, uint64_t timeout_ns, uint32_t *cause);

/*
 * Ends the present or the next wait, with ONECOPY_CAUSE_WOKEN. Any thread, and a signal handler.
 */
void onecopy_janitor_wake(onecopy_janitor *janitor);

/*
 * Ends the present wait at once and the present pass or checkpoint after its transaction, and every later one at its
 * beginning, with ECANCELLED. Any thread, and a signal handler.
 */
void onecopy_janitor_stop(onecopy_janitor *janitor);

/* What one checkpoint did. */
struct onecopy_checkpoint {
    uint64_t began_ns;
    uint64_t duration_ns;
    uint64_t records; /* of hot metadata that had changed */
    uint64_t steps;   /* transactions */
};

/*
 * Brings what an environment on disk holds to the disk: the bytes of blobs, then times of access and expiry, then the
 * index. After a reboot everything up to here is there, unless the index was changed and the machine then crashed.
 * In memory (tmpfs) there is nothing to do. *checkpoint: NULL: do not tell.
 *
 * ECANCELLED. ENOSPACE, EFULL: there was no room for the metadata; all else is on disk. ESYSTEM: the disk has failed.
 *
 * Cost: fdatasync() of arena and index, with no lock held; a look at all slots; a transaction for some thousands of
 * changed ones.
 */
int onecopy_janitor_checkpoint(onecopy_janitor *janitor, struct onecopy_checkpoint *checkpoint);

/*
 * Ends a janitor: another may begin. NULL does nothing. Returns NULL.
 */
onecopy_janitor *onecopy_janitor_end(onecopy_janitor *janitor);

/* Whether an environment has a janitor, and what it does. */
struct onecopy_janitor_status {
    bool is_alive;
    pid_t pid; /* of the one that is alive, or was the last one; 0: there was none since the state file was made */
    uint64_t started_ns;
    uint64_t passes;               /* that this one has finished */
    struct onecopy_pass last_pass; /* all zeros before its first one */
    uint64_t checkpointed_ns;      /* when the last checkpoint ended; 0: there was none since the state file was made */
    uint64_t pressure_limit_bytes; /* what memory pressure has lowered max_bytes to; ONECOPY_UNSET: it has not */
};

/*
 * Tells of the environment's janitor, whichever process that is. Cost: a system call.
 */
int onecopy_janitor_status(onecopy *handle, struct onecopy_janitor_status *status);

/*
 * Asks the environment's janitor, whichever process that is, for a pass: it ends its wait with ONECOPY_CAUSE_ASKED. It
 * is there when `passes` of its status has risen. ENOTFOUND: there is no janitor. Cost: two system calls.
 */
int onecopy_janitor_ask(onecopy *handle);

/* ---- looking inside ---- */

typedef struct onecopy_iterator onecopy_iterator;

/*
 * Begins a walk over the blobs in the order of their refs. *iterator: the caller's, until onecopy_iterator_free().
 * Holds no lock and disturbs nothing; blobs put or removed meanwhile may or may not be met. The handle must stay open.
 *
 * Cost: some 10 KB of memory.
 */
int onecopy_iterate(onecopy *handle, onecopy_iterator **iterator);

/*
 * As onecopy_iterate(), and meets blobs that have expired and are not yet swept as well (is_expired).
 */
int onecopy_iterate_all(onecopy *handle, onecopy_iterator **iterator);

/*
 * The next blob, or ONECOPY_ENOTFOUND after the last. Expired blobs that are not yet swept are not met, unless the walk
 * was begun by onecopy_iterate_all(). ECLIENTS as for onecopy_get().
 *
 * Cost: for each 128 blobs a short read transaction, and a look through all pins of all processes.
 */
int onecopy_iterator_next(onecopy_iterator *iterator, struct onecopy_info *info);

/*
 * Ends a walk; NULL does nothing. Returns NULL.
 */
onecopy_iterator *onecopy_iterator_free(onecopy_iterator *iterator);

/*
 * Limits, sizes and counters. The figures are read without stopping anybody and may be of slightly different moments.
 *
 * Cost: a look through the records and pins of all processes.
 */
int onecopy_stat(onecopy *handle, struct onecopy_stat *stat);

/*
 * What is known of one blob; counts as no access. ENOTFOUND. ECLIENTS as for onecopy_get().
 *
 * Cost: one look-up in the index, and a look through all pins of all processes.
 */
int onecopy_info(onecopy *handle, const onecopy_ref *ref, struct onecopy_info *info);

/* Where the value of an entry lives. */
enum onecopy_residence {
    ONECOPY_NO_VALUE = 0,   /* it has none: status and times alone */
    ONECOPY_IN_ENTRY = 1,   /* in the index, with the entry itself */
    ONECOPY_IN_INDEX = 2,   /* a blob in the index */
    ONECOPY_IN_ARENA = 3,   /* a blob in the arena */
    ONECOPY_VALUE_LOST = 4, /* its blob was removed: the entry is as good as absent */
};

/* What one entry is like at the moment of asking. */
struct onecopy_entry_info {
    onecopy_key key; /* the caller's own; from a walk: good until the next call with the walker, or its end */
    onecopy_ref ref; /* the hash of the value: the blob's address, where it is one */
    uint64_t length_bytes;
    uint32_t status;    /* an enum onecopy_status */
    uint32_t residence; /* an enum onecopy_residence */
    uint64_t stored_ns;
    uint64_t expires_ns; /* ONECOPY_NEVER: does not expire */
    uint64_t age_ns;
    uint64_t remaining_ttl_ns; /* ONECOPY_NEVER; 0 when it has expired */
    uint64_t started_ns, completed_ns;
    uint64_t accessed_ns; /* stored_ns as long as nobody has got it, and always in a cache whose policy is FIFO */
    uint64_t hits;        /* approximate, as a blob's; always 0 in a cache whose policy is FIFO */
    uint64_t kept_until_ns;
    uint64_t pins;   /* views on its value in all processes; always 0 unless that is in the arena */
    bool is_expired; /* not yet swept; onecopy_entry_get() does not find it */
    char content_type[ONECOPY_CONTENT_TYPE_MAX + 1];
};

/* Walks over entries. */
typedef struct onecopy_walker onecopy_walker;

/*
 * Begins a walk over the entries of a cache, or with NULL of all caches but "args", one after another; within a cache
 * in no order that means anything. *walker: the caller's, until onecopy_walker_free(). Holds no lock, counts as no
 * access and disturbs nothing; entries that are set or go meanwhile may or may not be met. The handle must stay open.
 *
 * ENOTFOUND: there is no cache of that name. EINVALID: it is "args", whose entries are blobs: see onecopy_iterate().
 *
 * Cost: some 120 KB of memory, however many entries there are.
 */
int onecopy_walk_entries(onecopy *handle, const char *cache, onecopy_walker **walker);

/*
 * The next entry, or ONECOPY_ENOTFOUND after the last. Entries that have expired and are not yet swept are met as well
 * (is_expired). What it points at is good until the next call. ECLIENTS as for onecopy_get().
 *
 * Cost: for each 128 entries a short read transaction, and a look through all pins of all processes.
 */
int onecopy_walker_next(onecopy_walker *walker, struct onecopy_entry_info *info);

/* Ends a walk; NULL does nothing. Returns NULL. */
onecopy_walker *onecopy_walker_free(onecopy_walker *walker);

/*
 * What is known of one entry, expired or not; counts as no access. ENOTFOUND. EINVALID, ECLIENTS as for
 * onecopy_entry_get().
 *
 * Cost: two look-ups in the index, and a look through all pins of all processes.
 */
int onecopy_entry_info(onecopy *handle, const onecopy_key *key, struct onecopy_entry_info *info);

/* ---- looking inside: who ---- */

/* A process that has the environment open, or has died and not been cleared away yet. */
struct onecopy_client {
    uint32_t number; /* in the table of clients: another process may have it later */
    uint32_t user;
    int32_t pid; /* as its own PID namespace has it */
    bool is_alive;
    bool is_self;           /* the process that asks */
    bool is_read_only;      /* it neither puts nor removes */
    uint32_t handles;       /* that it has open; 0 when only views are left of them, and keep the environment open */
    uint64_t pid_namespace; /* the inode of its /proc/self/ns/pid; 0: not known */
    uint64_t since_ns;
    char command[16];
    uint64_t pins;          /* live views in the arena; those of smaller values are copies of the process's own */
    uint64_t pinned_bytes;  /* of the extents under them, each counted once */
    uint64_t oldest_pin_ns; /* to the second; 0: it has none */
    uint64_t pending_bytes; /* reserved by it and being filled, or on their way back to the file system */
    uint64_t claims;        /* that it holds */
};

/*
 * Lists the clients by their numbers: writes up to `capacity` of them to `clients`, and to *n how many there are.
 * clients may be NULL with capacity 0. A process that was killed stays until somebody clears it away: the next that
 * opens the environment, is short of space, or cleans up.
 *
 * Cost: a system call for each, a short read transaction, and a look through all pins and claims.
 */
int onecopy_clients(onecopy *handle, struct onecopy_client *clients, size_t capacity, size_t *n);

/* A live view on bytes in the arena. */
struct onecopy_pin {
    uint32_t client; /* its number: see struct onecopy_client */
    bool is_removed; /* the blob was removed or evicted, and its space waits for this and other views; or it is just
                        being put. ref and length_bytes are zeros then */
    onecopy_ref ref;
    uint64_t length_bytes; /* of the blob */
    uint64_t pinned_bytes; /* of its extent: whole pages */
    uint64_t since_ns;     /* to the second; of a view inherited by fork(), when the parent took it */
};

/*
 * Lists the live views in the arena of all processes, dead ones included, in the order of their clients: writes up to
 * `capacity` of them to `pins`, and to *n how many there are. pins may be NULL with capacity 0.
 *
 * Cost: a look through all pins, and a look-up in the index for each, in short read transactions.
 */
int onecopy_pins(onecopy *handle, struct onecopy_pin *pins, size_t capacity, size_t *n);

/* A key that somebody computes: see onecopy_claim(). */
struct onecopy_claim_info {
    uint32_t client;                        /* its number: see struct onecopy_client */
    bool is_alive;                          /* false: the claim ends as soon as somebody looks at it */
    char cache[ONECOPY_CACHE_NAME_MAX + 1]; /* "" when it is no more */
    uint64_t since_ns;
    uint64_t thread;    /* as gettid() says, in the owner's PID namespace */
    uint64_t key_bytes; /* the length of the key */
    uint8_t key[32];    /* its first bytes */
};

/*
 * Lists the claims that are held, in no particular order: writes up to `capacity` of them to `claims`, and to *n how
 * many there are (1,024 at most). claims may be NULL with capacity 0.
 *
 * Cost: a system call for each owner that is another process.
 */
int onecopy_claims(onecopy *handle, struct onecopy_claim_info *claims, size_t capacity, size_t *n);

/* ---- looking inside: where ---- */

/* The environment's files and what they lie on. */
struct onecopy_place {
    uint32_t format_version; /* of the files */
    uint32_t client;         /* this process's number: see struct onecopy_client */
    bool is_on_disk;         /* not on a tmpfs */
    char file_system[16];    /* its type: "tmpfs", "ext4", ...; in hex digits when it is not known by name */
    uint64_t file_system_bytes;
    uint64_t file_system_free_bytes; /* for this user */
    uint64_t arena_resident_bytes;   /* as the file system counts them; onecopy_stat() has what should be there */
    uint64_t made_ns;                /* when the state file was made: with the environment, or after a reboot */
    uint64_t pid_namespaces;         /* different ones of live clients, up to 64; there should be one */
    uint64_t dead_clients;           /* not yet cleared away */
    uint64_t foreign_files;          /* in the directory, which are none of the environment's */
    char foreign_file[64];           /* the first of them, cut to what fits */
};

/*
 * What `status` and `doctor` need to know beside onecopy_stat(). Cost: some system calls, one for each client.
 */
int onecopy_place(onecopy *handle, struct onecopy_place *place);

/* ---- verifying ---- */

enum onecopy_finding_kind {
    ONECOPY_FINDING_INDEX = 0,   /* the index contradicts itself: what it holds is not to be relied on */
    ONECOPY_FINDING_RECORD = 1,  /* a record in the index makes no sense */
    ONECOPY_FINDING_BLOB = 2,    /* the bytes of a blob are not those that were put */
    ONECOPY_FINDING_VALUE = 3,   /* the same of a value that lives in its entry */
    ONECOPY_FINDING_ORPHAN = 4,  /* an entry whose blob is gone. No damage: onecopy_remove() leaves such */
    ONECOPY_FINDING_SLOT = 5,    /* index and state differ about a blob, an entry, or what is free in the state */
    ONECOPY_FINDING_LINKS = 6,   /* the state has a wrong number of entries for a blob */
    ONECOPY_FINDING_LEAK = 7,    /* pages of the arena that are neither in use nor free */
    ONECOPY_FINDING_OVERLAP = 8, /* pages of the arena that are two things at once */
    ONECOPY_FINDING_FREE = 9,    /* the two tables of free space differ */
    ONECOPY_FINDING_TOTALS = 10, /* a sum that the state has is wrong */
    ONECOPY_FINDING_BLOCKS = 11, /* the arena takes more, or less, memory than what is said to be resident */
    ONECOPY_FINDINGS = 12,
};

/* Something that is wrong. Good for the length of the call that tells it. */
struct onecopy_finding {
    uint32_t kind; /* an enum onecopy_finding_kind */
    bool has_ref;
    onecopy_ref ref;      /* of the blob that it is about; of a value, its hash */
    onecopy_key key;      /* of the entry that it is about; all zeros: of none */
    const char *sentence; /* for a person */
};

/* How to verify. Begin with onecopy_verify_options_init(). */
struct onecopy_verify_options {
    size_t struct_bytes; /* set by onecopy_verify_options_init() */
    bool repair;         /* drop what fails, mend what can be made anew; default false */
    void *context;       /* for the two functions */
    /* Told now and then how far it has come; true: stop. NULL: not told. */
    bool (*progress)(void *context, uint64_t done_bytes, uint64_t total_bytes);
    /* Told of each finding, in the thread that verifies. NULL: not told. It must not call the library. */
    void (*finding)(void *context, const struct onecopy_finding *finding);
};

/* What verifying has come to. */
struct onecopy_verify_report {
    uint64_t blobs, entries;                 /* looked at */
    uint64_t bytes;                          /* compared with their hashes */
    uint64_t findings[ONECOPY_FINDINGS];     /* by enum onecopy_finding_kind */
    uint64_t n_findings;                     /* all of them but ONECOPY_FINDING_ORPHAN, which is no damage */
    uint64_t dropped_blobs, dropped_entries; /* by repair */
    bool is_rebuilt;                         /* by repair: state and free space were made anew from the index */
    bool is_partial; /* too much was written meanwhile to compare index, arena and state with each other */
};

/* Sets the options to their defaults. Cost: none. */
void onecopy_verify_options_init(struct onecopy_verify_options *options);

/*
 * Verifies an environment that may be in use: the index against itself, against the arena and against the state; each
 * blob and each value against its hash. What is damaged is told, and is no failure: see *report, which is written as
 * far as it goes when verifying fails or is cancelled. Of each kind the first 1,000 findings are told; all are counted.
 *
 * options: NULL means the defaults. With `repair`, blobs and values that fail are removed, and so are orphans; where
 * index, arena and state differ, the state and the free space are made anew from the index, as after a reboot, but with
 * the access times that can be kept, and without the records that make no sense. An index that contradicts itself
 * cannot be repaired: dump what can be read, and begin anew.
 *
 * EREADONLY: `repair` on a read-only handle. ECANCELLED: `progress` said so. EPINS: no view can be taken, and each blob
 * is viewed while it is hashed. ECLIENTS as for onecopy_get().
 *
 * Cost: reads all that is stored, at memory speed, in short steps. Writers wait once, while index and state are
 * compared: up to 50 ms for 100,000 blobs and entries. With more than those they wait for 1 ms for each 100,000, and go
 * on while the index does not reuse pages; if it then grows by more than a 64th of max_bytes, because so much is
 * written, the comparison is given up (is_partial), or with `repair` done while writers wait. A repair that makes the
 * state anew has them wait as well. Memory: 56 bytes for each blob, entry and extent.
 */
int onecopy_verify(onecopy *handle, const struct onecopy_verify_options *options, struct onecopy_verify_report *report);

/* A kind of finding in a few words; static. Never NULL, whatever the kind. */
const char *onecopy_finding_name(uint32_t kind);

/* ---- ending an environment ---- */

enum onecopy_destroy_flags {
    ONECOPY_DESTROY_IN_USE = 1, /* although processes have it open: their handles are stale from then on, their views
                                   stay good until released */
};

/*
 * Removes an environment: its files, and the directory if nothing else is in it. Files that are none of the
 * environment's stay, and the directory with them.
 *
 * path: as for onecopy_open(). flags: of enum onecopy_destroy_flags.
 *
 * ENOTFOUND: there is nothing. EFORMAT: the directory is not an environment. EBUSY: processes have it open, this one
 * perhaps; the message says which. EPERMISSION, EUNTRUSTED, EREADONLY, ESYSTEM: nothing, or not all, was removed.
 */
int onecopy_destroy(const char *path, uint32_t flags);

/* ---- text ---- */

/*
 * Whether bytes, all of them, match a pattern as onecopy_invalidate_matching() has it: ONECOPY_OK, or ONECOPY_ENOTFOUND
 * when they do not. EINVALID: the pattern is malformed.
 */
int onecopy_pattern_match(const void *pattern, size_t pattern_bytes, const void *bytes, size_t n_bytes);

/*
 * Writes a ref as text, "oc1:" and 32 lower-case hex digits and a NUL. Returns text.
 */
char *onecopy_ref_format(const onecopy_ref *ref, char text[ONECOPY_REF_TEXT_BYTES]);

/*
 * Reads a ref from text; hex digits of either case. EINVALID: anything else, even around it.
 */
int onecopy_ref_parse(const char *text, onecopy_ref *ref);

/*
 * Reads a size: digits with an optional K, M, G or T (powers of 1,024), an optional B or iB. EINVALID: malformed, or
 * more than 2^63 bytes.
 */
int onecopy_bytes_parse(const char *text, uint64_t *n_bytes);

/*
 * Reads a duration: digits with s, m, h or d, or ms, us, ns; without a unit, seconds. EINVALID: malformed, or more than
 * 2^62 ns (146 years).
 */
int onecopy_duration_parse(const char *text, uint64_t *duration_ns);

/*
 * A code's meaning in a few words; static. Never NULL, whatever the code.
 */
const char *onecopy_strerror(int code);

/*
 * What went wrong in this thread's last call that failed, in a sentence a user can act on: the path or ref, the size
 * asked, the limit, who holds the space. Valid until the thread's next call of any function that can fail: one that
 * succeeds may have got over a failure of its own. Never NULL; "" before any failure.
 */
const char *onecopy_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
