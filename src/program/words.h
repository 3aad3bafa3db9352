/* The words for what the library numbers, as options take them and as they are shown. */
#ifndef ONECOPY_PROGRAM_WORDS_H
#define ONECOPY_PROGRAM_WORDS_H

enum { N_STATUS_WORDS = 5, N_POLICY_WORDS = 4 };

extern const char *const status_words[N_STATUS_WORDS]; /* by enum onecopy_status */
extern const char *const policy_words[N_POLICY_WORDS]; /* by enum onecopy_policy */

#endif
