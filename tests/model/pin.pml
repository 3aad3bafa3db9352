/*
 * Readers, and writers that remove a blob and store the next one in its extent and slot (src/shared/pins.c,
 * src/shared/slots.c). A writer may be killed between advancing the generation and its commit; the next one then
 * restores the generation, as the journal does. `content` is the version of the bytes in the extent; overwriting takes
 * two steps, with 0 between. Claim: under a confirmed pin, the bytes are those that the index promised.
 *
 * With BROKEN a reader trusts its pin without checking the generation.
 */
#define READERS 2
#define ROUNDS 5

byte generation = 1;
byte content = 1;
bool found = true; /* the committed record in the index, and what it says */
byte found_generation = 1;
byte found_content = 1;
bool pin[READERS];
bool limbo = false;
byte next = 2;

proctype reader(byte me)
{
    byte g;
    byte v;
    bool is_there;

    do
    :: d_step { is_there = found; g = found_generation; v = found_content } /* one snapshot of the index */
       if
       :: !is_there -> skip
       :: else ->
            pin[me] = true;
#ifndef BROKEN
            if
            :: generation != g -> pin[me] = false
            :: else ->
#endif
                 assert(content == v);
                 assert(content == v);
                 pin[me] = false
#ifndef BROKEN
            fi
#endif
       fi
    od
}

inline collect(held)
{
    held = false;
    i = 0;
    do
    :: i < READERS -> held = held || pin[i]; i++
    :: else -> break
    od
}

/* A later transaction stores other bytes in the free extent. */
inline store_next()
{
    content = 0;
    content = next;
    d_step { found = true; found_generation = generation; found_content = next; next++ }
}

proctype writers()
{
    byte i;
    byte before;
    byte rounds = 0;
    bool held;

    do
    :: rounds < ROUNDS ->
         rounds++;
         if
         :: found ->
              before = generation;
              generation++;
              collect(held);
              if
              :: found = false; /* commit */
                 if
                 :: held -> limbo = true
                 :: else -> store_next()
                 fi
              :: generation = before /* killed; the next writer undoes it */
              fi
         :: limbo ->
              collect(held);
              if
              :: !held -> limbo = false; store_next()
              :: else
              fi
         :: else
         fi
    :: else -> break
    od
}

init
{
    atomic {
        run reader(0);
        run reader(1);
        run writers()
    }
}
