/* Sentences in lines of a width. */
#ifndef ONECOPY_PROGRAM_WRAP_H
#define ONECOPY_PROGRAM_WRAP_H

/*
 * Prints words to standard output, broken between words so that no line is longer than `columns`, and a newline. The
 * cursor is in column `begin`; further lines begin with `indent` blanks. 0 columns: all in one line.
 */
void wrap_print(const char *words, int begin, int indent, int columns);

/* The width of the terminal that standard output is; 0: it is none, and whoever reads it breaks lines as they like. */
int wrap_columns(void);

#endif
