/* How the commands that give out a value do it. */
#ifndef ONECOPY_CLI_OUTPUT_H
#define ONECOPY_CLI_OUTPUT_H

#include "command.h"

struct output {
    const char *path; /* the file to write to; NULL: standard output */
    bool is_status;   /* the status of an entry instead of its value */
};

/* The options that say so, and what to do with them: true when `option` was one of the two. */
#define OPTIONS_OUTPUT                                                                                                 \
    {"output", required_argument, NULL, 'o'},                                                                          \
    {                                                                                                                  \
        "status", no_argument, NULL, 's'                                                                               \
    }
#define HELP_OUTPUT                                                                                                    \
    "  -o, --output FILE    write to FILE instead of standard output\n"                                                \
    "  --status             print the status instead: pending, running, success, failure or revoked\n"
bool output_option(struct output *output, const struct arguments *arguments, int option);

/* Writes a blob's bytes. A failure is reported. */
enum status output_view(const struct output *output, const onecopy_view *view);

/*
 * Writes an entry's value, or its status. A value that is none, or not that of a success, is written without more, and
 * a line on standard error says so.
 */
enum status output_entry(const struct output *output, const onecopy_key *key, const struct onecopy_entry *entry);

#endif
