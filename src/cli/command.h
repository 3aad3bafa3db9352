/* What a command of the command line is, and what all of them share: arguments, the environment, exit statuses. */
#ifndef ONECOPY_CLI_COMMAND_H
#define ONECOPY_CLI_COMMAND_H

#include <getopt.h>
#include <stdbool.h>

#include <onecopy.h>

enum status {
    STATUS_OK = 0,
    STATUS_NOT_FOUND = 1, /* the environment, the cache, the blob or the entry is not there, or not in time */
    STATUS_USAGE = 2,     /* the command line or a variable is malformed */
    STATUS_FAILURE = 3,   /* anything else */
    STATUS_PROBLEMS = 4,  /* what was examined is not as it should be: `verify` and `doctor` */
};

struct arguments;

struct command {
    const char *name;
    const char *synopsis; /* operands and options, as help shows them after the name */
    const char *summary;  /* one line for the list of commands; NULL: the command is not listed */
    const char *help;     /* the rest of its help: lines, each ended by a newline */
    const struct option *options;
    const char *letters; /* which of them have one, as getopt() takes them; NULL: none */
    int min_operands, max_operands;
    enum status (*run)(struct arguments *arguments);
};

/* In the table of a command that takes a key: see argument_key(). */
#define OPTION_ESCAPED                                                                                                 \
    {                                                                                                                  \
        "escaped", no_argument, NULL, 'x'                                                                              \
    }
#define HELP_ESCAPED "  --escaped            read \\xNN in KEY as a byte and \\\\ as a backslash, as keys are shown\n"

/* The end of every command's table of options. */
#define OPTIONS_COMMON                                                                                                 \
    {"environment", required_argument, NULL, 'e'}, {"color", optional_argument, NULL, 'C'},                            \
        {"help", no_argument, NULL, 'h'},                                                                              \
    {                                                                                                                  \
        NULL, 0, NULL, 0                                                                                               \
    }

/* All commands, listed ones first, ended by NULL. */
extern const struct command *const commands[];

/* One command's part of the command line. */
struct arguments {
    const struct command *command;
    const char *environment; /* from -e; NULL: the library looks for $ONECOPY_PATH and then its default */
    bool is_escaped;         /* by --escaped */
    int argc;
    char **argv;
    const char *value; /* of the option that was just read */
    char **operands;   /* what is no option, after the last option was read */
    int n_operands;
    enum status status; /* why reading them ended early */
};

/*
 * The next of the command's own options, or 0 after the last, when the operands are there and as many as the command
 * takes. -1 when the command is to end with arguments->status: the line was wrong, which has been reported, or --help
 * has been printed.
 */
int arguments_next(struct arguments *arguments);

/* For commands without options of their own: true when the operands are there, false as for -1 above. */
bool arguments_read(struct arguments *arguments);

/* The same for commands that have one option, to print JSON. */
bool arguments_read_json(struct arguments *arguments, bool *is_json);

/*
 * Reports what is wrong with the option that getopt_long() has just refused by ':' or '?', being given these options.
 * command: NULL for options that stand before it. Returns STATUS_USAGE.
 */
enum status option_refused(const struct command *command, const struct option *options, int answer, char **argv);

/*
 * Values of options and operands. STATUS_OK and the value, or STATUS_USAGE with the malformed text and what it stands
 * for (`name`, an option as it was typed or a word) reported.
 */
enum status argument_bytes(const char *name, const char *text, uint64_t *n_bytes);
enum status argument_duration(const char *name, const char *text, uint64_t *duration_ns);
enum status argument_number(const char *name, const char *text, uint64_t limit, uint64_t *number);
enum status argument_ref(const char *text, onecopy_ref *ref);

/* Seconds since 1970, with a fraction or without. */
enum status argument_time(const char *name, const char *text, uint64_t *time_ns);

/* One of a list of words: *index is its place. */
enum status argument_word(const char *name, const char *text, const char *const *words, uint32_t n_words,
                          uint32_t *index);

/* The operand CACHE, for commands on entries: "args", which holds blobs, is none for them. */
enum status argument_cache(const char *text);

/* The operands CACHE and KEY. *key points to them; with --escaped, KEY is turned into its bytes in place. */
enum status argument_key(const struct arguments *arguments, onecopy_key *key);

/* Reads exactly n whole numbers, one space between each and the next. False for any other text. */
bool numbers_read(const char *text, size_t n, uint64_t *numbers);

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

/* Reports that there is no such command, with the name that is nearest, and returns STATUS_USAGE. */
enum status command_unknown(const char *name);

/* Prints a command's help, or with NULL the help of the whole, to standard output. */
void help_print(const struct command *command);

/*
 * Opens the environment for a command that only makes sense where there is one. Where the caller may only read it, a
 * read-only handle is good enough if `is_reading`. A failure has been reported.
 */
enum status environment_open_existing(const struct arguments *arguments, bool is_reading, onecopy **cache);

/*
 * Opens it for a command that shows what is there, and leaves everything as it is if that can be: what dead processes
 * hold among it. A failure has been reported.
 */
enum status environment_open_to_look(const struct arguments *arguments, onecopy **cache);

/* Open it to look, or to change what is there, and return the library's code: a failure is the caller's to report. */
int environment_try_to_look(const char *path, onecopy **cache);
int environment_try_to_change(const char *path, onecopy **cache);

/* The value of a variable, or NULL: one that is set to nothing is as good as not set. */
const char *variable_value(const char *name);

/* Whether there is a named cache of that name: to many calls, one that is not there is one without entries. */
enum status cache_check(onecopy *cache, const char *name);

#endif
