/*
 * A fork copies the parent's pin to a cell of the child, while a remover looks through the cells, the child's before
 * the parent's (src/shared/pins.c, pins_copy and pins_collect). The generation has moved on already. Claim: the child
 * finds the bytes unchanged, even though the parent releases its view as soon as it can.
 *
 * With BROKEN the remover does not look at the count of copies.
 */
bool parent_pin = true;
bool child_pin = false;
byte copies = 0;
byte content = 1;

proctype forking()
{
    if
    :: parent_pin -> child_pin = true
    fi;
    copies++;
    /* the fork: from here on both run */
    parent_pin = false;
    assert(content == 1); /* the child reads its inherited view */
    assert(content == 1);
    child_pin = false
}

proctype remover()
{
    byte seen;
    bool held;

again:
    seen = copies;
    held = child_pin;
    held = held || parent_pin;
#ifndef BROKEN
    if
    :: copies != seen -> goto again
    :: else
    fi;
#endif
    if
    :: held -> goto again /* limbo: looked at again later */
    :: else -> content = 0
    fi
}

init
{
    atomic {
        run forking();
        run remover()
    }
}
