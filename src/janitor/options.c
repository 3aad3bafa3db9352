/*
 * How a janitor is told to work.
 */
#include "janitor/janitor.h"

#include "store/removal.h"

#define SWEEP_INTERVAL_NS UINT64_C(60000000000)
#define STEP_NS           UINT64_C(2000000)
#define HIGH_PERCENT      98U
#define LOW_PERCENT       95U
#define PRESSURE_PERCENT  10U

void onecopy_janitor_options_init(struct onecopy_janitor_options *options)
{
    if (options)
        *options = (struct onecopy_janitor_options){.struct_bytes = sizeof *options,
                                                    .sweep_interval_ns = SWEEP_INTERVAL_NS,
                                                    .step_ns = STEP_NS,
                                                    .warm_bytes = ONECOPY_UNSET,
                                                    .step_entries = REMOVAL_MAX,
                                                    .high_percent = HIGH_PERCENT,
                                                    .low_percent = LOW_PERCENT,
                                                    .pressure_percent = PRESSURE_PERCENT};
}

static int range_check(const char *name, uint64_t value, uint64_t least, uint64_t most)
{
    if (value >= least && value <= most)
        return ONECOPY_OK;
    return error_set(ONECOPY_EINVALID, "%s of a janitor has to be %llu to %llu, and is %llu", name,
                     (unsigned long long)least, (unsigned long long)most, (unsigned long long)value);
}

int janitor_options_check(const struct onecopy_janitor_options *options)
{
    const struct {
        const char *name;
        uint64_t value, least, most;
    } ranges[] = {
        {"sweep_interval_ns", options->sweep_interval_ns, 1, UINT64_C(1) << 62},
        {"step_ns", options->step_ns, 1, UINT64_C(1) << 62},
        {"step_entries", options->step_entries, 1, REMOVAL_MAX},
        {"high_percent", options->high_percent, 1, 100},
        {"low_percent", options->low_percent, 1, options->high_percent},
        {"dry_run", options->dry_run, 0, 1},
        {"pressure_floor_percent", options->pressure_floor_percent, 0, 100},
        {"pressure_percent", options->pressure_percent, 1, 100},
    };
    int result = ONECOPY_OK;

    if (options->struct_bytes != sizeof *options)
        return error_set(ONECOPY_EINVALID, "the options were not begun with onecopy_janitor_options_init()");
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && result == ONECOPY_OK; i++)
        result = range_check(ranges[i].name, ranges[i].value, ranges[i].least, ranges[i].most);
    return result;
}
