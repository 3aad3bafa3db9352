/*
 * Findings come up while a read transaction is open, and whoever is told may take any time: a pager that waits for a
 * key must not keep the index from reusing its pages. So they are copied, and told between transactions. Where
 * everything is wrong, the first thousand of a kind will do; all are counted.
 */
#include "inspect/findings.h"

#include "base/error.h"
#include "base/system.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_MAX 1000U

struct noted_finding {
    struct noted_finding *next;
    struct onecopy_finding finding;
    char sentence[256];
    char cache[ONECOPY_CACHE_NAME_MAX + 1];
    uint8_t key[];
};

static const char *const names[ONECOPY_FINDINGS] = {
    [ONECOPY_FINDING_INDEX] = "damaged index",       [ONECOPY_FINDING_RECORD] = "senseless record",
    [ONECOPY_FINDING_BLOB] = "damaged blob",         [ONECOPY_FINDING_VALUE] = "damaged value",
    [ONECOPY_FINDING_ORPHAN] = "entry without blob", [ONECOPY_FINDING_SLOT] = "wrong slot",
    [ONECOPY_FINDING_LINKS] = "wrong link count",    [ONECOPY_FINDING_LEAK] = "leaked pages",
    [ONECOPY_FINDING_OVERLAP] = "overlapping pages", [ONECOPY_FINDING_FREE] = "free space disagrees",
    [ONECOPY_FINDING_TOTALS] = "wrong total",        [ONECOPY_FINDING_BLOCKS] = "wrong resident size",
};

const char *onecopy_finding_name(uint32_t kind)
{
    return kind < ONECOPY_FINDINGS ? names[kind] : "unknown finding";
}

void findings_begin(struct findings *findings, struct onecopy_verify_report *report)
{
    *findings = (struct findings){.report = report};
    findings->end = &findings->first;
}

void findings_note(void *context, const struct onecopy_finding *finding)
{
    struct findings *findings = context;
    struct noted_finding *noted;

    if (finding->kind != ONECOPY_FINDING_ORPHAN)
        findings->report->n_findings++;
    if (findings->report->findings[finding->kind]++ >= KEPT_MAX)
        return;
    noted = system_calls.calloc(1, sizeof *noted + finding->key.length_bytes);
    if (!noted) {
        findings->has_failed = true;
        return;
    }
    noted->finding = *finding;
    memcpy(noted->sentence, finding->sentence, strnlen(finding->sentence, sizeof noted->sentence - 1));
    noted->finding.sentence = noted->sentence;
    if (finding->key.length_bytes > 0) {
        memcpy(noted->key, finding->key.bytes, finding->key.length_bytes);
        memcpy(noted->cache, finding->key.cache, strnlen(finding->key.cache, ONECOPY_CACHE_NAME_MAX));
        noted->finding.key.bytes = noted->key;
        noted->finding.key.cache = noted->cache;
    }
    *findings->end = noted;
    findings->end = &noted->next;
}

void findings_forget(struct findings *findings)
{
    findings_tell(findings, NULL, NULL);
    memset(findings->report->findings, 0, sizeof findings->report->findings);
    findings->report->n_findings = 0;
}

int findings_tell(struct findings *findings, void (*tell)(void *context, const struct onecopy_finding *finding),
                  void *context)
{
    while (findings->first) {
        struct noted_finding *noted = findings->first;

        findings->first = noted->next;
        if (tell)
            tell(context, &noted->finding);
        free(noted);
    }
    findings->end = &findings->first;
    return findings->has_failed ? error_set(ONECOPY_ENOMEMORY, "out of memory for what was found") : ONECOPY_OK;
}
