/* onecopy, with an environment of its own at its limit of bytes. */
#include "contenders/contender.h"

#include "common/contestants.h"
#include "common/scratch.h"

static void *store_begin(const struct terms *terms)
{
    static const char name[] = "onecopy";

    onecopy_close(environment_make(name, terms->limit_bytes));
    return (void *)(uintptr_t)name;
}

static void store_end(void *store)
{
    scratch_remove(store);
}

static void *store_connect(void *store, unsigned number)
{
    onecopy *handle;

    (void)number;
    check(onecopy_open(scratch_path(store), NULL, &handle), "opening the environment");
    return handle;
}

static void value_put(void *connection, struct value_name *name, const void *data)
{
    check(onecopy_put(connection, data, name->n_bytes, 0, &name->ref), "put");
}

static void value_get(void *connection, const struct value_name *name, struct got *got)
{
    check(onecopy_get(connection, &name->ref, &got->view), "get");
    got->data = got->view.data;
    got->n_bytes = got->view.length_bytes;
}

static void value_release(void *connection, struct got *got)
{
    (void)connection;
    onecopy_release(&got->view);
}

const struct contender contender_onecopy = {
    .name = "onecopy",
    .label = "onecopy",
    .begin = store_begin,
    .end = store_end,
    .connect = store_connect,
    .put = value_put,
    .get = value_get,
    .release = value_release,
};
