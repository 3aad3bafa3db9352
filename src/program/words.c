/* The words for statuses and policies. */
#include "words.h"

#include <onecopy.h>

const char *const status_words[N_STATUS_WORDS] = {
    [ONECOPY_PENDING] = "pending", [ONECOPY_RUNNING] = "running", [ONECOPY_SUCCESS] = "success",
    [ONECOPY_FAILURE] = "failure", [ONECOPY_REVOKED] = "revoked",
};

const char *const policy_words[N_POLICY_WORDS] = {
    [ONECOPY_POLICY_LRU] = "lru",
    [ONECOPY_POLICY_FIFO] = "fifo",
    [ONECOPY_POLICY_TTL] = "ttl",
    [ONECOPY_POLICY_NONE] = "none",
};
