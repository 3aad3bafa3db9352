/* What a member of an archive says of itself (see dump.h), read and found sound. */
#ifndef ONECOPY_CLI_DUMP_ABOUT_H
#define ONECOPY_CLI_DUMP_ABOUT_H

#include "print_json.h"

/* The longest time to live that the library takes. */
#define ABOUT_LONGEST_NS (UINT64_C(1) << 62)

enum member_kind { MEMBER_MANIFEST, MEMBER_BLOB, MEMBER_ENTRY, MEMBER_END };

enum value_kind {
    VALUE_NONE,   /* it has none */
    VALUE_HERE,   /* the member's bytes */
    VALUE_LINKED, /* those of the member with that ref that came before */
};

struct about {
    enum member_kind kind;
    onecopy_ref ref; /* in the environment that was dumped */
    bool has_ref;
    uint64_t expires_ns;   /* ONECOPY_NEVER */
    onecopy_key key;       /* of an entry; its bytes are `bytes` */
    char *bytes;           /* to be freed */
    char *content_type;    /* to be freed */
    enum value_kind value; /* of an entry */
    uint32_t status;       /* of an entry, an enum onecopy_status */
    uint64_t started_ns, completed_ns;
    uint64_t n_blobs, n_entries, n_bytes; /* at the end */
};

/* Reads the object of a member. NULL, or in a few words what is wrong with it. *about is to be freed in any case. */
const char *about_read(const json_t *json, struct about *about);

void about_free(struct about *about);
#define CLEANUP_ABOUT __attribute__((cleanup(about_free)))

/* What a manifest says of an environment that is to be made, which the library may refuse. */
void about_options(const json_t *manifest, struct onecopy_options *options);

/* What it says of one of its caches: the name, or NULL when no cache is like that. What is not said stays unset. */
const char *about_cache(const json_t *cache, struct onecopy_cache_options *options);

#endif
