/* Where and with what was measured. */
#ifndef BENCH_PEERS_MACHINE_H
#define BENCH_PEERS_MACHINE_H

#include <stdio.h>

/* Writes a paragraph: the date, the machine, and the versions of what was compared. */
void machine_describe(FILE *file);

#endif
