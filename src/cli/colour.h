/* Colours for people who look at a terminal. */
#ifndef ONECOPY_CLI_COLOUR_H
#define ONECOPY_CLI_COLOUR_H

#include "command.h"

enum colour {
    COLOUR_STRONG, /* what a screen is about */
    COLOUR_FAINT,
    COLOUR_GOOD,
    COLOUR_WARNING,
    COLOUR_BAD,
};

/* Takes the value of --color: "auto", "always" or "never"; NULL, the option alone, is "always". */
enum status colour_choose(const char *when);

/* What to print before a text in a colour, and after it: nothing where there are to be no colours. */
const char *colour_begin(enum colour colour);
const char *colour_end(void);

#endif
