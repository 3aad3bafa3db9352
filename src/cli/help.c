/*
 * The command `help`, the help that `--help` prints, and the answer to a command that does not exist.
 *
 * The texts are in the commands' own files; here they are put together, so that all look alike. What was mistyped is
 * compared with every listed command by the number of letters to insert, drop, replace or swap, and the nearest is
 * named when it is near enough to be what was meant. Of several, the shortest: more is typed by mistake than left out.
 */
#include <stdint.h>
#include <string.h>

#include "commands.h"
#include "print.h"

static const char overview[] =
    "\n"
    "One copy of large values in shared memory, for all processes of this host.\n"
    "\n"
    "Options, before or after the command:\n"
    "  -e, --environment PATH  the directory of the cache; default: $ONECOPY_PATH or /dev/shm/onecopy-UID\n"
    "      --color[=WHEN]      colours: always, never, or auto, the default: on a terminal, unless $NO_COLOR is set\n"
    "  -h, --help              what a command does, and its options\n"
    "      --version           the same as the command version\n"
    "\n"
    "Sizes take K, M, G or T (powers of 1024), times s, m, h or d. A ref is \"oc1:\" and 32 hex digits.\n"
    "\n"
    "Exit status: 0 done, 1 not found (no such blob, entry, cache or environment, or not in time), 2 usage,\n"
    "3 anything else, 4 problems found (verify, doctor).\n";

const struct command *command_find(const char *name)
{
    for (const struct command *const *command = commands; *command; command++)
        if (strcmp((*command)->name, name) == 0)
            return *command;
    return NULL;
}

static size_t smallest(size_t one, size_t two, size_t three)
{
    size_t least = one < two ? one : two;

    return least < three ? least : three;
}

enum { LINE_COLUMNS = 100 };
enum { NAME_BYTES = 24 }; /* words of this length and more are compared in their first letters only */

/* Damerau's distance in its simple form: two neighbours that are swapped count once. */
static size_t name_distance(const char *typed, const char *name)
{
    size_t n_typed = strnlen(typed, NAME_BYTES), n_name = strnlen(name, NAME_BYTES);
    size_t distance[NAME_BYTES + 1][NAME_BYTES + 1];

    for (size_t i = 0; i <= n_typed; i++) {
        for (size_t j = 0; j <= n_name; j++) {
            if (i == 0 || j == 0) {
                distance[i][j] = i + j;
                continue;
            }
            distance[i][j] = smallest(distance[i - 1][j] + 1, distance[i][j - 1] + 1,
                                      distance[i - 1][j - 1] + (typed[i - 1] != name[j - 1]));
            if (i > 1 && j > 1 && typed[i - 1] == name[j - 2] && typed[i - 2] == name[j - 1])
                distance[i][j] = smallest(distance[i][j], distance[i - 2][j - 2] + 1, SIZE_MAX);
        }
    }
    return distance[n_typed][n_name];
}

enum status command_unknown(const char *name)
{
    const struct command *nearest = NULL;
    size_t least = 1 + strlen(name) / 3;

    for (const struct command *const *command = commands; *command; command++) {
        size_t distance = name_distance(name, (*command)->name);

        if (!(*command)->summary || distance > least)
            continue;
        if (nearest && distance == least && strlen((*command)->name) >= strlen(nearest->name))
            continue;
        nearest = *command;
        least = distance;
    }
    if (!nearest)
        return report_usage(NULL, "there is no command '%s'", name);
    return report_usage(NULL, "there is no command '%s'; did you mean '%s'?", name, nearest->name);
}

static void help_print_all(void)
{
    puts("usage: onecopy [-e PATH] COMMAND [ARGUMENT]...\n\nCommands:");
    for (const struct command *const *command = commands; *command; command++)
        if ((*command)->summary)
            printf("  %-10s %s\n", (*command)->name, (*command)->summary);
    fputs(overview, stdout);
}

/* Operands and options after the name, broken before an option where the line would be too long. */
static void synopsis_print(const struct command *command)
{
    int indent = printf("usage: onecopy [-e PATH] %s", command->name);
    int column = indent;

    for (const char *part = command->synopsis, *end; *part; part = end) {
        const char *next = strstr(part, " [");
        int length = (int)(next ? next - part : (long)strlen(part));

        if (column + 1 + length > LINE_COLUMNS)
            column = printf("\n%*s", indent, "") - 1;
        column += printf(" %.*s", length, part);
        end = part + length + (next ? 1 : 0);
    }
    fputs("\n\n", stdout);
}

void help_print(const struct command *command)
{
    if (!command) {
        help_print_all();
        return;
    }
    synopsis_print(command);
    fputs(command->help, stdout);
}

static enum status help_run(struct arguments *arguments)
{
    const struct command *command = NULL;

    if (!arguments_read(arguments))
        return arguments->status;
    if (arguments->n_operands) {
        command = command_find(arguments->operands[0]);
        if (!command)
            return command_unknown(arguments->operands[0]);
    }
    help_print(command);
    return STATUS_OK;
}

static const struct option help_options[] = {OPTIONS_COMMON};

const struct command command_help = {
    .name = "help",
    .synopsis = "[COMMAND]",
    .summary = "show what a command does, and its options",
    .help = "Shows the list of commands, or what COMMAND does and the options it takes.\n",
    .options = help_options,
    .max_operands = 1,
    .run = help_run,
};
