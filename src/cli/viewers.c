/*
 * Views sorted by the blobs that they are on, so that a listing of a million blobs can ask for each. They are those of
 * one moment: what is let go of meanwhile is still here, and what is taken is not.
 */
#include "viewers.h"

#include <string.h>

#include "cleanup.h"

static int blobs_compare(const void *one, const void *other)
{
    const struct onecopy_pin *first = one, *second = other;
    int order;

    if (first->is_removed != second->is_removed)
        return first->is_removed ? 1 : -1;
    order = memcmp(&first->ref, &second->ref, sizeof first->ref);
    return order ? order : (first->client > second->client) - (first->client < second->client);
}

/* The clients after the views, so that whoever took a view is listed. */
enum status viewers_read_by_age(onecopy *cache, struct viewers *viewers)
{
    enum status status = pins_list(cache, &viewers->pins, &viewers->n_pins);

    return status == STATUS_OK ? clients_list(cache, &viewers->clients, &viewers->n_clients) : status;
}

enum status viewers_read(onecopy *cache, struct viewers *viewers)
{
    enum status status = viewers_read_by_age(cache, viewers);

    if (status == STATUS_OK)
        qsort(viewers->pins, viewers->n_pins, sizeof *viewers->pins, blobs_compare);
    return status;
}

void viewers_free(struct viewers *viewers)
{
    free(viewers->clients);
    free(viewers->pins);
}

static bool is_before(const struct onecopy_pin *pin, const onecopy_ref *ref)
{
    return !pin->is_removed && memcmp(&pin->ref, ref, sizeof *ref) < 0;
}

static bool is_on(const struct onecopy_pin *pin, const onecopy_ref *ref)
{
    return !pin->is_removed && memcmp(&pin->ref, ref, sizeof *ref) == 0;
}

const struct onecopy_pin *viewers_of(const struct viewers *viewers, const onecopy_ref *ref, size_t *n)
{
    size_t first = 0, n_left = viewers->n_pins;

    while (n_left > 0) {
        size_t half = n_left / 2;

        if (is_before(&viewers->pins[first + half], ref)) {
            first += half + 1;
            n_left -= half + 1;
        } else {
            n_left = half;
        }
    }
    for (*n = 0; first + *n < viewers->n_pins && is_on(&viewers->pins[first + *n], ref);)
        ++*n;
    return viewers->pins + first;
}

const struct onecopy_client *viewer_client(const struct viewers *viewers, const struct onecopy_pin *pin)
{
    return client_find(viewers->clients, viewers->n_clients, pin->client);
}
