/*
 * Waiting for an entry (src/shared/waiting.c): two setters, either of which may be killed at any step, a waiter, and
 * the write lock, which a dead process lets go of. The setters' entries share a bucket; the waiter wants the first
 * one's.
 *
 * Claim: a waiter never sleeps for good while the entry that it wants is committed, and as long as it does not
 * sleep, it is on its way to find it. Written as: when everybody has come to rest, the waiter has the entry or
 * the entry is not there.
 *
 * With BROKEN, setters wake after the commit: one that is killed in between leaves the waiter asleep.
 */

bool committed;      /* the entry that is waited for */
byte journal;        /* number of the transaction under way; 0: none */
byte last = 0;       /* the number of the last transaction that was committed */
byte bucket_txn;
byte word;
byte marks;
byte woken;
bool asleep;
bool found;
bool lock;
bool pending_lost;   /* the holder of `journal` is dead */
byte n_running = 2;

/* The next writer settles what a dead one has left: committed or lost, it is not under way any more. */
inline settle()
{
    if
    :: journal != 0 -> journal = 0; pending_lost = false
    :: else
    fi
}

/* Whoever is killed lets go of the lock, if he has it, and leaves everything else as it is. */
inline maybe_killed()
{
    if
    :: true
    :: d_step {
        lock = lock && !has_lock;
        pending_lost = pending_lost || (number != 0 && journal == number);
        n_running--
    };
        goto dead
    fi
}

/* S3 */
inline wake()
{
    seen = marks;
    word++;
    maybe_killed();
    if
    :: marks != woken ->
        maybe_killed();
        asleep = false; /* who goes to sleep later sees that the word has changed */
        maybe_killed();
        woken = seen
    :: else
    fi
}

proctype Setter(bool is_wanted)
{
    byte seen;
    bool has_lock;
    byte number;

    atomic { !lock -> lock = true; has_lock = true };
    settle();
    number = last + 1;
    maybe_killed();
    journal = number;                                                       /* S1 */
    maybe_killed();
#ifndef BROKEN
    bucket_txn = number;                                                    /* S2 */
    maybe_killed();
    wake();                                                                 /* S3 */
    maybe_killed();
#endif
    atomic { last = number; committed = committed || is_wanted; lock = false; has_lock = false }; /* S4 */
    maybe_killed();
#ifdef BROKEN
    bucket_txn = number;
    maybe_killed();
    wake();
#endif
    atomic { if :: journal == number -> journal = 0 :: else fi };           /* S5 */
    n_running--;
dead:
    skip
}

proctype Waiter()
{
    byte remembered;
    bool under_way;

again:
    remembered = word;                                                      /* W1 */
    marks++;
    under_way = (bucket_txn != 0 && journal != 0 && bucket_txn == journal); /* W2, in two steps in the worst case */
    if                                                                      /* W3 */
    :: committed -> found = true; goto done
    :: else
    fi;
    if
    :: under_way ->                                                         /* W4, until something has changed */
        if
        :: atomic { pending_lost && !lock -> settle() } /* the writer is dead: an empty transaction of the waiter's */
        :: journal != bucket_txn
        fi;
        goto again
    :: else
    fi;
    atomic {                                                                /* W5: the kernel compares and sleeps */
        if
        :: word == remembered -> asleep = true
        :: else
        fi
    };
end_asleep:
    !asleep;
    goto again;
done:
    skip
}

init
{
    atomic {
        run Setter(true);
        run Setter(false);
        run Waiter()
    };
    /* Everybody at rest: setters ended, waiter asleep for good or done. */
end_init:
    (n_running == 0 && (asleep || found));
    assert(found || !committed)
}
