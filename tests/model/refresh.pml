/*
 * A put that finds its bytes stored marks them as accessed, while an evictor that has chosen the same blob takes it out
 * (src/shared/slots.c, slot_extend and slot_retire_idle). Claim: when the put has confirmed the blob, that evictor
 * lets it live; so a ref that was just returned is good.
 *
 * With BROKEN the evictor does not look at the last access again.
 */
byte generation = 1;
byte accessed = 0;
bool confirmed = false;
bool evicted = false;

proctype put()
{
    accessed = 1;
    if
    :: generation == 1 -> confirmed = true
    :: else /* stored anew */
    fi
}

proctype evictor()
{
    generation = 2;
#ifndef BROKEN
    if
    :: accessed != 0 -> generation = 1
    :: else -> evicted = true
    fi
#else
    evicted = true
#endif
}

init
{
    atomic {
        run put();
        run evictor()
    }
    (_nr_pr == 1);
    assert(!(confirmed && evicted))
}
