/* The words for statuses and policies, for where a value is, and for what verifying finds. */
#include "words.h"

#include <assert.h>
#include <stddef.h>

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

const char *const residence_words[N_RESIDENCE_WORDS] = {
    [ONECOPY_NO_VALUE] = "none",  [ONECOPY_IN_ENTRY] = "entry",  [ONECOPY_IN_INDEX] = "index",
    [ONECOPY_IN_ARENA] = "arena", [ONECOPY_VALUE_LOST] = "lost",
};

const char *const finding_words[N_FINDING_WORDS] = {
    [ONECOPY_FINDING_INDEX] = "index", [ONECOPY_FINDING_RECORD] = "record", [ONECOPY_FINDING_BLOB] = "blob",
    [ONECOPY_FINDING_VALUE] = "value", [ONECOPY_FINDING_ORPHAN] = "orphan", [ONECOPY_FINDING_SLOT] = "slot",
    [ONECOPY_FINDING_LINKS] = "links", [ONECOPY_FINDING_LEAK] = "leak",     [ONECOPY_FINDING_OVERLAP] = "overlap",
    [ONECOPY_FINDING_FREE] = "free",   [ONECOPY_FINDING_TOTALS] = "totals", [ONECOPY_FINDING_BLOCKS] = "blocks",
};

static_assert(sizeof finding_words / sizeof *finding_words == (size_t)ONECOPY_FINDINGS, "a word for each kind");

static const char *word_at(const char *const *words, uint32_t n_words, uint32_t number)
{
    return number < n_words ? words[number] : "unknown";
}

const char *status_word(uint32_t status)
{
    return word_at(status_words, N_STATUS_WORDS, status);
}

const char *policy_word(uint32_t policy)
{
    return word_at(policy_words, N_POLICY_WORDS, policy);
}

const char *residence_word(uint32_t residence)
{
    return word_at(residence_words, N_RESIDENCE_WORDS, residence);
}
