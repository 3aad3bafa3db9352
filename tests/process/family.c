#include "process/family.h"

#include "shared/layout.h"
#include "support/content.h"
#include "support/scratch.h"

#include <string.h>

onecopy *handle;
onecopy_view views[N_VIEWS];
onecopy_reservation reservation;

struct scene *scene;

void family_setup(void)
{
    scene = shared_memory(sizeof *scene);
    handle = scratch_open(BUDGET);
}

void family_teardown(void)
{
    points_clear();
    handle = onecopy_close(handle);
}

/* Views on values of both kinds: every second one is small enough to be copied. */
static size_t length_of(size_t i)
{
    return i % 2 ? IN_INDEX + i : A_LENGTH + 4096 * i;
}

void views_take(void)
{
    for (size_t i = 0; i < N_VIEWS; i++) {
        onecopy_ref ref = put_content(handle, SEED + i, length_of(i));

        views[i] = get_content(handle, &ref, SEED + i);
    }
}

void views_check(void)
{
    for (size_t i = 0; i < N_VIEWS; i++) {
        EXPECT_EQUAL(views[i].length_bytes, length_of(i));
        EXPECT_MSG(view_matches(&views[i], SEED + i), "view %zu has changed", i);
    }
}

void views_release(void)
{
    for (size_t i = 0; i < N_VIEWS; i++)
        onecopy_release(&views[i]);
}

/* Puts and gets values of both kinds, several times the budget. */
void churn(size_t n_bytes)
{
    for (size_t done = 0; done < n_bytes; done += A_LENGTH) {
        uint64_t number = atomic_fetch_add(&scene->churned, 1);
        onecopy_ref ref = put_content(handle, CHURN + number, number % 2 ? A_LENGTH : 2 * A_LENGTH);
        onecopy_ref small = put_content(handle, 2 * CHURN + number, IN_INDEX);
        onecopy_view view = {0};

        if (onecopy_get(handle, &ref, &view) == ONECOPY_OK)
            EXPECT(view_matches(&view, CHURN + number));
        onecopy_release(&view);
        if (onecopy_get(handle, &small, &view) == ONECOPY_OK)
            EXPECT(view_matches(&view, 2 * CHURN + number));
        onecopy_release(&view);
    }
}

void do_nothing(void *context)
{
    (void)context;
}

void try_the_parents_reservation(void *context)
{
    onecopy_reservation copy = reservation;
    onecopy_ref ref;

    (void)context;
    EXPECT_CODE(onecopy_commit(&copy, ONECOPY_UNSET, &ref), ONECOPY_EINVALID);
    onecopy_abandon(&copy);
}

void abandon_the_parents_reservation(void *context)
{
    onecopy_reservation copy = reservation;

    (void)context;
    onecopy_abandon(&copy);
    EXPECT(!copy.data);
}

void reservation_use(void)
{
    onecopy_view view;
    onecopy_ref ref;

    EXPECT_EQUAL(stat_of(handle).pending_bytes, PAGE_BYTES * ((A_LENGTH + PAGE_BYTES - 1) / PAGE_BYTES));
    churn(BUDGET);
    content_fill(SEED, reservation.data, A_LENGTH);
    EXPECT_OK(onecopy_commit(&reservation, ONECOPY_UNSET, &ref));
    view = get_content(handle, &ref, SEED);
    onecopy_release(&view);
    expect_nothing_left(handle);
}
