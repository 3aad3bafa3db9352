/*
 * Bringing an environment to the disk.
 */
#include "janitor/janitor.h"

int janitor_checkpoint(struct janitor *janitor, struct onecopy_checkpoint *checkpoint)
{
    *checkpoint = (struct onecopy_checkpoint){.began_ns = store_now(janitor->store)};
    return ONECOPY_OK;
}
