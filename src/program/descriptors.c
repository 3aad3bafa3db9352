/*
 * A program may be started with one of the descriptors 0, 1 and 2 closed. The next file that it opens then gets that
 * number, and what is printed goes there: into an environment's files, for one. So each that is closed is taken up by
 * /dev/null first, opened the wrong way round, so that reads and writes on it fail as they would have without it.
 */
#include "descriptors.h"

#include <fcntl.h>

void descriptors_take_up(void)
{
    int taken = 0;

    for (int fd = 0; fd <= 2 && taken >= 0; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            taken = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}
