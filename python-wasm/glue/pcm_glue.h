/* What the files of the glue share. */
#ifndef PCM_GLUE_H
#define PCM_GLUE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define IMPORT(name) __attribute__((import_module("pcm"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

void pcm_make_immortal(void);
void pcm_gather_free_memory(void);
void pcm_take_over_hashes(void);
int pcm_check_iterators(void);
PyObject *pcm_interrupted(void);
PyObject *pcm_compile_parts(PyObject *self, PyObject *args);

#endif
