/* What the files of the glue share. */
#ifndef PCM_GLUE_H
#define PCM_GLUE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

void pcm_make_immortal(void);
void pcm_gather_free_memory(void);

#endif
