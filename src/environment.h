/* One environment as this process has it open; shared by all handles on the same directory. */
#ifndef ONECOPY_ENVIRONMENT_H
#define ONECOPY_ENVIRONMENT_H

#include "store/store.h"

#include <limits.h>

/* What a process knows of itself: in a page that the kernel clears in every child, whichever way that was made. */
enum presence {
    PRESENCE_UNKNOWN = 0, /* a child that no handler has prepared */
    PRESENCE_FORKED = 1,  /* a child whose handlers ran; its index is not open yet */
    PRESENCE_HERE = 2,
};

struct fork_page {
    _Atomic uint32_t presence; /* an enum presence */
    _Atomic uint32_t lock;     /* who sees to it that it is, after a fork: a spin lock that is free in every child */
};

/*
 * What a child inherited of LMDB, which it can neither use nor close without touching what is the parent's. It is kept
 * where leak checkers find it; when the environment ends, LMDB's own part of it is lost.
 */
struct abandoned {
    struct abandoned *next;
    struct MDB_env *environment;
    index_txn *readers[LANES];
};

struct environment {
    struct environment *next; /* in the table of this process */
    dev_t device;
    ino_t inode;
    uint64_t n_handles;
    bool is_ending;                  /* no handle is left, but views or reservations are */
    _Atomic uint32_t n_reservations; /* not yet committed or abandoned */
    uint64_t incarnation;            /* of the process: a child that fork() or clone() made has another */

    struct store store;
    int directory_fd;
    int state_fd; /* its life is this client's life */
    int arena_fd;
    bool has_client;
    _Atomic bool has_janitor; /* one of this process */
    char path[PATH_MAX];

    _Atomic uint32_t is_stale;
    _Atomic uint64_t checked_ns; /* when the directory was last looked at */

    struct fork_page *fork_page;
    struct abandoned *abandoned;
    /* Between the two halves of a fork: what was prepared for the child. */
    int child_fd;
    uint32_t child_client;
    bool has_child;
    bool is_forking; /* the handler before the fork has run, the one after it has not */
};

struct onecopy {
    struct environment *environment;
    bool is_read_only; /* this handle; the environment may be open for writing by another */
};

/* Opens, or finds open, the environment in a directory, and counts one more handle on it. */
int environment_open(const char *path, const struct onecopy_options *options, struct environment **environment);

/*
 * Looks which files are in the directory now. False: one of them is missing.
 */
bool environment_files(const struct environment *environment, struct file_numbers *files);
/* Whether they are those that the processes in the environment work with: nobody may join with others. */
bool environment_has_its_files(const struct environment *environment);

/* Counts one handle less; ends the environment with the last, or with the last view after that. */
void environment_close(struct environment *environment);

/*
 * After a view or a reservation has ended, with which the environment may have ended as well: ends it when that was
 * what it waited for. The pointer is compared, not followed, before that is known.
 */
void environment_released(struct environment *environment);

/* To be called first by every function that uses the environment: a load, unless a fork has taken place. */
int environment_enter(struct environment *environment);

/*
 * As environment_enter(), and makes sure that the directory is still there, once in a clock tick. ONECOPY_ESTALE.
 */
int environment_enter_checked(struct environment *environment);

/* ---- its parts, for each other ---- */

/* Two sentences that are said in several places. ONECOPY_ENOTFOUND; ONECOPY_ESTALE. */
int environment_missing(const char *path);
int environment_stale(const struct environment *environment);

/* attach.c: opens files, maps, registers; on failure what was opened is for environment_detach() to close. */
int environment_attach(struct environment *environment, const struct onecopy_options *options);
/* Opens LMDB, whose files are known to be good. */
int environment_open_index(struct environment *environment, bool is_protected, uint64_t map_bytes, mode_t mode);
/* Registers this process as a client, on its own descriptor; clears dead ones when the table is full. */
int environment_register(struct environment *environment);
void environment_detach(struct environment *environment);

/* fork.c */
int fork_page_make(struct environment *environment);
/* What environment_enter() does when the page says that a fork has taken place. */
int fork_resume(struct environment *environment);
/* Whether the views recorded here are this process's: false in a child for which the handlers did not run. */
bool fork_owns_views(const struct environment *environment);
/* Frees the records of what was inherited. */
void fork_abandoned_free(struct environment *environment);
/* The handlers for all environments of the process: see environment.c. */
void fork_prepare(struct environment *environment);
void fork_parent(struct environment *environment);
void fork_child(struct environment *environment);

#endif
