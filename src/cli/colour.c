/*
 * Colours, as ECMA-48 has them and every terminal of today. Nobody has to ask whether there are to be any: where there
 * are none, what begins and what ends one is the empty string. By default they are for a terminal alone, which is one
 * that can do more than print, and for a user who has not set $NO_COLOR (see no-color.org).
 *
 * A colour never says what the words beside it do not.
 */
#include "colour.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum when { WHEN_AUTO, WHEN_ALWAYS, WHEN_NEVER };

static uint32_t chosen = WHEN_AUTO;

enum status colour_choose(const char *when)
{
    static const char *const words[] = {[WHEN_AUTO] = "auto", [WHEN_ALWAYS] = "always", [WHEN_NEVER] = "never"};

    return argument_word("--color", when ? when : "always", words, sizeof words / sizeof *words, &chosen);
}

static bool colours_are_wanted(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");

    if (chosen != WHEN_AUTO)
        return chosen == WHEN_ALWAYS;
    return !(no_color && *no_color) && terminal && strcmp(terminal, "dumb") != 0 && isatty(STDOUT_FILENO);
}

const char *colour_begin(enum colour colour)
{
    static const char *const sequences[] = {
        [COLOUR_STRONG] = "\033[1m",   [COLOUR_FAINT] = "\033[2m", [COLOUR_GOOD] = "\033[32m",
        [COLOUR_WARNING] = "\033[33m", [COLOUR_BAD] = "\033[31m",
    };

    return colours_are_wanted() ? sequences[colour] : "";
}

const char *colour_end(void)
{
    return colours_are_wanted() ? "\033[0m" : "";
}
