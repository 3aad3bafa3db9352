/* What a command's synopsis says of its operands and of the values of its options, for completing them. */
#ifndef ONECOPY_CLI_SYNOPSIS_H
#define ONECOPY_CLI_SYNOPSIS_H

#include "command.h"

/* A word of a synopsis, in place: "REF", "set|drop", "FILE|-". */
struct metaword {
    const char *text; /* NULL: there is none */
    size_t n_bytes;
};

/* The n-th operand, from 0, of the m-th form, from 0: forms are set apart by " | ". What can be repeated, is. */
struct metaword synopsis_operand(const struct command *command, unsigned form, unsigned n);

/* What stands for the value of an option, by its long name or its letter. */
struct metaword synopsis_value(const struct command *command, const char *name, char letter);

#endif
