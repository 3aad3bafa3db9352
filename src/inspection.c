/*
 * The public functions that look inside: at entries, clients, pins and claims, and at the place where the environment
 * is. What they are given is checked, and what they tell is gathered elsewhere.
 */
#include "call.h"

#include "base/error.h"
#include "inspect/who.h"

/* ---- who ---- */

int onecopy_clients(onecopy *handle, struct onecopy_client *clients, size_t capacity, size_t *n)
{
    int result;

    REQUIRE(handle);
    REQUIRE(clients || capacity == 0);
    REQUIRE(n);
    result = environment_enter_checked(handle->environment);
    return result == ONECOPY_OK ? who_clients(&handle->environment->store, clients, capacity, n) : result;
}

int onecopy_pins(onecopy *handle, struct onecopy_pin *pins, size_t capacity, size_t *n)
{
    int result;

    REQUIRE(handle);
    REQUIRE(pins || capacity == 0);
    REQUIRE(n);
    result = environment_enter_checked(handle->environment);
    return result == ONECOPY_OK ? who_pins(&handle->environment->store, pins, capacity, n) : result;
}

int onecopy_claims(onecopy *handle, struct onecopy_claim_info *claims, size_t capacity, size_t *n)
{
    int result;

    REQUIRE(handle);
    REQUIRE(claims || capacity == 0);
    REQUIRE(n);
    result = environment_enter_checked(handle->environment);
    if (result == ONECOPY_OK)
        who_claims(&handle->environment->store, claims, capacity, n);
    return result;
}
