/* The words for what the library numbers, as options take them and as they are shown. */
#ifndef ONECOPY_PROGRAM_WORDS_H
#define ONECOPY_PROGRAM_WORDS_H

#include <stdint.h>

enum { N_STATUS_WORDS = 5, N_POLICY_WORDS = 4, N_RESIDENCE_WORDS = 5, N_FINDING_WORDS = 12 };

extern const char *const status_words[N_STATUS_WORDS];       /* by enum onecopy_status */
extern const char *const policy_words[N_POLICY_WORDS];       /* by enum onecopy_policy */
extern const char *const residence_words[N_RESIDENCE_WORDS]; /* by enum onecopy_residence */
extern const char *const finding_words[N_FINDING_WORDS];     /* by enum onecopy_finding_kind */

/* The word for a number, or "unknown": what is read from shared memory may be any number. */
const char *status_word(uint32_t status);
const char *policy_word(uint32_t policy);
const char *residence_word(uint32_t residence);

#endif
