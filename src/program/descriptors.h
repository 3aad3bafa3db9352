/* The three descriptors that every program expects to have. */
#ifndef ONECOPY_PROGRAM_DESCRIPTORS_H
#define ONECOPY_PROGRAM_DESCRIPTORS_H

/* Takes up those of the descriptors 0, 1 and 2 that the caller has closed. Before any file is opened. */
void descriptors_take_up(void);

#endif
