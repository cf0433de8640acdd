/* Makes a session's own objects lie together.
 *
 * Python's allocator hands out the free blocks of pools that are partly in use before it starts a
 * new pool. After the boot there are free blocks all over the heap, so a session's first objects
 * would dirty a page each. Here every such block is taken for good, and one arena is left whose
 * pools are all free and side by side.
 */
#include "pcm_glue.h"

#include <stdint.h>

enum {
    PAGE = 4096,       /* a pool, see pycore_obmalloc.h for 32-bit addresses */
    POOL_HEADER = 32,
    STEP = 8,          /* between size classes */
    LARGEST = 512,
    ENOUGH = 1 << 20,  /* blocks; far more than a heap of 30 MB has free */
};

/* Takes blocks of `size` until they come from a pool that was empty, and gives that pool back. */
static void fill_partial_pools(size_t size)
{
    static void *blocks[PAGE / STEP];
    size_t in_pool = (PAGE - POOL_HEADER) / size, taken = 0;
    for (int i = 0; i < ENOUGH && taken < in_pool; i++) {
        char *block = PyObject_Malloc(size);
        if (((uintptr_t)block & (PAGE - 1)) == POOL_HEADER)
            taken = 0; /* the first block of a pool: it may be an empty one */
        else if (taken == 0 || block != (char *)blocks[taken - 1] + size)
            { taken = 0; continue; }
        blocks[taken++] = block;
    }
    while (taken > 0)
        PyObject_Free(blocks[--taken]);
}

/* Takes whole pools until they come from an arena that is new, and leaves that one almost empty. */
static void fill_old_arenas(void)
{
    enum { IN_POOL = (PAGE - POOL_HEADER) / LARGEST, IN_A_ROW = 48 };
    static void *blocks[IN_A_ROW * IN_POOL];
    int taken = 0;
    for (int i = 0; i < ENOUGH && taken < IN_A_ROW * IN_POOL; i++) {
        char *block = PyObject_Malloc(LARGEST);
        if (taken > 0 && taken % IN_POOL == 0 &&
            block != (char *)blocks[taken - IN_POOL] + PAGE)
            taken = 0; /* the next pool is elsewhere: still an old arena */
        blocks[taken++] = block;
    }
    while (taken > 1) /* one block stays, or the arena would be given back */
        PyObject_Free(blocks[--taken]);
}

void pcm_gather_free_memory(void)
{
    for (size_t size = STEP; size <= LARGEST; size += STEP)
        fill_partial_pools(size);
    fill_old_arenas();
    for (size_t size = STEP; size <= LARGEST; size += STEP)
        fill_partial_pools(size);
}
