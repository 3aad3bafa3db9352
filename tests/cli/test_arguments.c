/*
 * The program is run with arguments that chance has chosen: commands and their options, values that are good,
 * malformed, too long or hostile, in any order. Whatever it is asked, it ends by itself with one of its exit statuses,
 * says what is wrong when something is, sends nothing to a terminal that would steer it, and leaves an environment that
 * is sound.
 *
 * ONECOPY_SEED repeats what a failure names, ONECOPY_ARGUMENT_RUNS says how many command lines there are.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/program.h"
#include "support/content.h"
#include "support/expect.h"
#include "support/suite.h"

enum {
    MOST_WORDS = 24,
    MOST_OPTIONS = 32, /* of a command */
    LONG_BYTES = 6000,
};

/* Not here: demo, which takes long, and top, which goes on, where it has a terminal. */
static const char *const names[] = {
    "init",       "destroy",    "config",   "status",  "doctor", "verify",    "put",    "get",     "rm",
    "touch",      "keep",       "set",      "wait",    "clear",  "gc",        "cache",  "ls",      "show",
    "stat",       "events",     "pins",     "clients", "dump",   "help",      "caches", "version", "restore",
    "completion", "invalidate", "complete", "verfiy",  "",       "\033[2Jls", "ls ",    "--",      "-",
};
enum { N_NAMES = sizeof names / sizeof *names };

static const char *const values[] = {
    "0",
    "1",
    "5",
    "64M",
    "1K",
    "10ms",
    "1h",
    "lru",
    "none",
    "success",
    "key,size",
    "size",
    "json",
    "never",
    "0700",
    "results",
    "jobs",
    "args",
    "drop",
    "set",
    "bash",
    "task-1",
    "task-*",
    "there",
    "dump.tar",
    "text",
    /* malformed */
    "",
    "-1",
    "1.5x",
    "12Q",
    "1e400",
    "0x10",
    " 1",
    "nan",
    "999999999999999999999999",
    "18446744073709551616",
    "-",
    "oc1:",
    "oc1:0123456789abcdef0123456789abcdeg",
    "oc1:0123456789abcdef0123456789abcdef",
    "[a",
    "a b/c",
    "%s%n%99999d",
    "/no/such/place",
    "\\x1",
    "\\xff\\\\",
    /* hostile */
    "\033]0;title\007",
    "\033[2J",
    "two\nlines",
    "\tblank\r",
    "\177",
    "\233m",
    "\302\233m",
    "\377\376",
    "\303\251",
};
enum { N_VALUES = sizeof values / sizeof *values };

static struct {
    char texts[MOST_OPTIONS][32];
    size_t n;
} options[N_NAMES];

static char long_text[LONG_BYTES + 1];
static char ref[REF_BYTES];

/* A command line, whose words are its own. */
struct line {
    char *words[MOST_WORDS + 1];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void word_add(struct line *line, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    ck_assert_uint_lt(line->n, MOST_WORDS);
    ck_assert_int_ge(vasprintf(&line->words[line->n++], format, arguments), 0);
    va_end(arguments);
}

static void line_free(struct line *line)
{
    while (line->n > 0)
        free(line->words[--line->n]);
}

/* The line as a shell could be given it: for messages. */
static const char *line_text(const struct line *line)
{
    size_t n_bytes;
    char *text;
    FILE *stream = open_memstream(&text, &n_bytes);

    ck_assert_ptr_nonnull(stream);
    for (size_t i = 0; i < line->n; i++) {
        fputs(" $'", stream);
        for (const unsigned char *byte = (const unsigned char *)line->words[i]; *byte; byte++)
            if (*byte < 0x20 || *byte >= 0x7f || *byte == '\'' || *byte == '\\')
                fprintf(stream, "\\x%02x", *byte);
            else
                fputc(*byte, stream);
        fputc('\'', stream);
    }
    ck_assert_int_eq(fclose(stream), 0);
    return place_keep(text);
}

/* The options that a command's help tells of, but for the one that makes it go on for ever. */
static void options_read(size_t which)
{
    const char *rest = RUN("help", names[which]).out;

    while ((rest = strstr(rest, "--")) && options[which].n < MOST_OPTIONS) {
        size_t length = strspn(rest, "-abcdefghijklmnopqrstuvwxyz");

        if (length > 3 && length < sizeof options->texts[0] && strncmp(rest, "--follow", length) != 0)
            snprintf(options[which].texts[options[which].n++], sizeof options->texts[0], "%.*s", (int)length, rest);
        rest += length;
    }
}

static const char *value_choose(struct chance *chance)
{
    uint64_t number = chance_below(chance, N_VALUES + 8);

    if (number < N_VALUES)
        return values[number];
    return number == N_VALUES ? long_text : ref;
}

static void word_choose(struct line *line, struct chance *chance, size_t which)
{
    static const char *const letters[] = {"-h", "-e", "-o", "-x", "-zj", "--", "--json", "--yes", "--color=always"};
    const char *option = options[which].n ? options[which].texts[chance_below(chance, options[which].n)] : "--json";

    switch (chance_below(chance, 8)) {
    case 0:
        word_add(line, "%s", letters[chance_below(chance, sizeof letters / sizeof *letters)]);
        break;
    case 1:
        word_add(line, "%s=%s", option, value_choose(chance));
        break;
    case 2:
        word_add(line, "%s", option);
        break;
    case 3:
        word_add(line, "%s", option);
        word_add(line, "%s", value_choose(chance));
        break;
    default:
        word_add(line, "%s", value_choose(chance));
        break;
    }
}

/*
 * Chooses the words. What could go on for long is bounded by options at the end, after one that does not matter: the
 * last word by chance may be an option that takes what follows. After "--" there are too many operands for either.
 * Returns the command's number.
 */
static size_t line_choose(struct line *line, struct chance *chance)
{
    size_t which = chance_below(chance, N_NAMES), n = chance_below(chance, 6);

    if (chance_below(chance, 8) == 0)
        word_choose(line, chance, which);
    word_add(line, "%s", names[which]);
    for (size_t i = 0; i < n; i++)
        word_choose(line, chance, which);
    if (strcmp(names[which], "wait") == 0) {
        word_add(line, "--color=never");
        word_add(line, "--timeout=1ms");
    }
    if (strcmp(names[which], "stat") == 0) {
        word_add(line, "--color=never");
        word_add(line, "--watch=1ms");
        word_add(line, "--count=1");
    }
    return which;
}

/* Whether nothing in a text would steer a terminal, but for ends of lines and, where they are wanted, colours. */
static bool is_harmless(const char *text, size_t n_bytes, bool may_be_coloured)
{
    for (size_t i = 0; i < n_bytes; i++) {
        unsigned char byte = (unsigned char)text[i], before = i > 0 ? (unsigned char)text[i - 1] : 0;

        if (byte == '\033' && may_be_coloured && text[i + 1] == '[') {
            i += 1 + strspn(text + i + 2, "0123456789;") + 1;
            if (text[i] != 'm')
                return false;
        } else if ((byte < ' ' && byte != '\n' && byte != '\r') || byte == 0x7f ||
                   (byte >= 0x80 && byte < 0xa0 && before < 0xc3)) {
            return false;
        }
    }
    return true;
}

/* Whether it prints bytes as they are: values, or the shells' own. */
static bool prints_bytes(const char *name)
{
    return strcmp(name, "get") == 0 || strcmp(name, "wait") == 0 || strcmp(name, "dump") == 0 ||
           strcmp(name, "completion") == 0 || strcmp(name, "complete") == 0;
}

static void environment_fill(void)
{
    expect_success(shell_run("onecopy init $ONECOPY_PATH --max-bytes 64M >out; seq 2000 | onecopy put >out\n"
                             "printf '\\033[2Jmessage\\n' | onecopy set jobs --escaped 'odd\\x1b[2J\\x07key'\n"
                             "echo done | onecopy set results task-1 --content-type \"$(printf '\\033]0;x\\007')\"\n"
                             "onecopy dump dump.tar >out; echo text >text"));
}

static void line_try(const struct line *line, const char *name, bool is_on_terminal)
{
    const char *const *words = (const char *const *)line->words;
    struct outcome outcome = is_on_terminal ? program_run_on_terminal(words) : program_run(words);
    const char *said = line_text(line);

    EXPECT_MSG(outcome.status >= 0 && outcome.status <= 4, "exit status %d of%s", outcome.status, said);
    EXPECT_MSG(outcome.err[0] || (outcome.status != 2 && outcome.status != 3), "no word on what is wrong:%s", said);
    EXPECT_MSG(is_harmless(outcome.err, strlen(outcome.err), false), "steers a terminal:%s", said);
    if (is_on_terminal && !prints_bytes(name))
        EXPECT_MSG(is_harmless(outcome.out, outcome.out_bytes, true), "steers a terminal:%s", said);
}

static void setup(void)
{
    char *program = realpath(getenv("ONECOPY_BIN") ? getenv("ONECOPY_BIN") : "build/onecopy", NULL);

    ck_assert_ptr_nonnull(program);
    setenv("ONECOPY_BIN", program, 1);
    free(program);
    place_setup();
    ck_assert_int_eq(chdir(place_file("")), 0); /* where files are made that are named by chance */
    environment_fill();
    setenv("ONECOPY_PATH", cache, 1);
    memset(long_text, 'x', LONG_BYTES);
    put_text("a value", ref);
    for (size_t i = 0; i < N_NAMES; i++)
        options_read(i);
}

static void teardown(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    place_teardown();
}

START_TEST(whatever_the_arguments_it_ends_well_and_says_so)
{
    uint64_t seed = test_seed(), n = setting("ONECOPY_ARGUMENT_RUNS", is_sanitized() ? 100 : 500);
    struct chance chance = chance_from(seed, 0);

    for (uint64_t i = 0; i < n; i++) {
        struct line line = {.n = 0};
        size_t which = line_choose(&line, &chance);

        line_try(&line, names[which], chance_below(&chance, 3) == 0);
        line_free(&line);
        if (access(cache, F_OK) < 0)
            environment_fill();
    }
    expect_success(RUN_IN_CACHE("verify"));
}
END_TEST

SUITE(cli_arguments)
{
    TCase *chosen = tcase_create("chosen by chance");

    tcase_add_checked_fixture(chosen, setup, teardown);
    tcase_set_timeout(chosen, 120);
    tcase_add_test(chosen, whatever_the_arguments_it_ends_well_and_says_so);
    suite_add_tcase(suite, chosen);
}
