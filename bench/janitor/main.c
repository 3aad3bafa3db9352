/*
 * What does house-keeping cost, and what does it save? Each measure is a part, to be named by an argument; see the file
 * of each for what is measured exactly. Through the public interface, and the daemon as it is built.
 */
#include "janitor/janitor.h"

#include "common/program.h"
#include "common/report.h"

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*measure)(const struct scale *scale);
    } parts[] = {
        {"idle", measure_idle},
    };
    struct scale scale = {.idle_s = 60, .n_entries = 10000};

    if (program_begin() == SIZE_SMALL)
        scale = (struct scale){.idle_s = 5, .n_entries = 1000};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (program_wants(parts[i].name, argc, argv))
            parts[i].measure(&scale);
    return report_end();
}
