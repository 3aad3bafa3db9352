/* What verifying has found, kept until it can be told. */
#ifndef ONECOPY_INSPECT_FINDINGS_H
#define ONECOPY_INSPECT_FINDINGS_H

#include "onecopy.h"

struct noted_finding;

struct findings {
    struct onecopy_verify_report *report; /* whose counts go on */
    struct noted_finding *first;
    struct noted_finding **end;
    bool has_failed; /* there was no memory to keep one */
};

void findings_begin(struct findings *findings, struct onecopy_verify_report *report);

/* Counts a finding, and keeps a copy: an audit_tell, whose context are the findings. */
void findings_note(void *context, const struct onecopy_finding *finding);

/* Lets go of all, as if nothing had been found yet. */
void findings_forget(struct findings *findings);

/* Tells what was kept, and lets it go. tell: NULL to let it go only. ONECOPY_ENOMEMORY: not all could be kept. */
int findings_tell(struct findings *findings, void (*tell)(void *context, const struct onecopy_finding *finding),
                  void *context);

#endif
