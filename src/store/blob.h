/* Blobs: put, got, looked at, removed. */
#ifndef ONECOPY_STORE_BLOB_H
#define ONECOPY_STORE_BLOB_H

#include "store/space.h"

/* The bytes of a value, in parts; their lengths add up to length_bytes. */
struct value {
    const struct iovec *parts;
    size_t n_parts;
    uint64_t length_bytes;
};

/* A blob and no other: no two ever have the same slot and generation. */
struct blob_place {
    uint32_t slot;
    uint64_t generation;
};

/* A blob that was looked up and is protected: by a pin, or as a copy. */
struct held {
    uint64_t absent_at; /* when the index has no such blob: the number of the last write transaction as of then; or 0 */
    uint32_t cell;      /* of the view that protects it, for view_release() */
    uint32_t slot;
    uint64_t generation;
    const void *data;
    uint64_t length_bytes;
    bool is_argument;   /* it was put by itself, as far as the index knows */
    bool is_unverified; /* the bytes have to be checked against the hash before anybody relies on them */
};

/* Whether to hold what has expired too: a put of the same bytes can make it live again. */
enum hold_mode { HOLD_LIVE, HOLD_EXPIRED };

/*
 * Looks a blob up and protects it. Within a lane of the caller. Ends with view_release() of the cell. ONECOPY_ENOTFOUND
 * (no message), ONECOPY_EPINS, ONECOPY_ENOMEMORY, ONECOPY_ENOSPACE, ONECOPY_ECORRUPT.
 */
int blob_hold(struct store *store, struct lane *lane, const onecopy_ref *ref, enum hold_mode mode, uint64_t now_ns,
              struct held *held);

/* Whether this very blob is stored, and was put by itself. */
bool blob_is_argument(struct store *store, const onecopy_ref *ref, const struct blob_place *place);

/* Whether what a record says may be followed into the arena and the table of slots: ONECOPY_ECORRUPT if not. */
int blob_record_check(const struct store *store, const struct blob_record *record);

/* Whether bytes that were held are what the ref says. */
bool blob_matches(const struct store *store, const onecopy_ref *ref, const struct held *held);

/* Checks bytes that were held; when they are not what the ref says, the blob is removed: ONECOPY_ECORRUPT. */
int blob_verify(struct store *store, const onecopy_ref *ref, const struct held *held);

/* Says that a blob is not stored. ONECOPY_ENOTFOUND. */
int blob_not_found(const onecopy_ref *ref);

/*
 * Puts a value that is to belong to an entry: as blob_put(), but it is no argument, and nothing is counted. *place:
 * where it is, unless it is gone again by then. *is_new: it was not stored already.
 */
int blob_put_part(struct store *store, const struct value *value, uint64_t ttl_ns, onecopy_ref *ref,
                  struct blob_place *place, bool *is_new);

/* The public functions of the same names describe these. */
int blob_get(struct store *store, const onecopy_ref *ref, struct held *held);
int blob_peek(struct store *store, const onecopy_ref *ref, struct held *held);
int blob_contains(struct store *store, const onecopy_ref *ref);
int blob_touch(struct store *store, const onecopy_ref *ref, uint64_t ttl_ns);
int blob_remove(struct store *store, const onecopy_ref *ref);
int blob_put(struct store *store, const struct value *value, uint64_t ttl_ns, onecopy_ref *ref);
int blob_put_many(struct store *store, const struct iovec *values, size_t n, uint64_t ttl_ns, onecopy_ref *refs);

/*
 * Makes a blob of bytes that lie in a reservation already, or returns the space when they are stored elsewhere; ends
 * the reservation, whatever the result. `value` is where they can be read.
 */
int blob_put_reserved(struct store *store, struct reservation *reservation, const struct value *value, uint64_t ttl_ns,
                      onecopy_ref *ref);

#endif
