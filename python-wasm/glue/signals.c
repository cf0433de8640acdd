/* How the host interrupts Python: it does in linear memory what the C function of a signal would do.
 *
 * Between two instructions of byte code, and in those loops of C that look for signals, Python then
 * calls its handler of SIGINT. Loops over an endless iterator inside one C function, as in
 * sum(range(10**12)), do not look: so the iterators that can be endless by themselves do it here.
 */
#define Py_BUILD_CORE 1 /* for the words below */
#include "pcm_glue.h"

#include "internal/pycore_ceval.h"
#include "internal/pycore_pystate.h"
#include "internal/pycore_runtime.h"

#include <signal.h>
#include <stdint.h>

/* Addresses of three words, and the bit to set in the third; see runtime/wasm/src/signals.rs. */
EXPORT("pcm_signals") const uint32_t *pcm_signals(void)
{
    static uint32_t words[4];
    words[0] = (uint32_t)(uintptr_t)&_PyRuntime.signals.is_tripped;
    words[1] = (uint32_t)(uintptr_t)&_PyRuntime.signals.handlers[SIGINT].tripped;
    words[2] = (uint32_t)(uintptr_t)&_PyThreadState_GET()->eval_breaker;
    words[3] = _PY_SIGNALS_PENDING_BIT;
    return words;
}

/* Raises what the handler of the signal raises, after the host cut a wait short. */
PyObject *pcm_interrupted(void)
{
    if (PyErr_CheckSignals() == 0)
        PyErr_SetNone(PyExc_KeyboardInterrupt); /* the handler was replaced: the wait ends anyway */
    return NULL;
}

/* ------------------------------------------------------------------ endless iterators */

#define ITERATORS(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9)
enum { MOST_ITERATORS = 10 };

static iternextfunc original[MOST_ITERATORS];
static int known;

#define CHECKED(N)                                                                          \
    static PyObject *checked_##N(PyObject *self)                                            \
    {                                                                                       \
        if (__builtin_expect(_PyRuntime.signals.is_tripped, 0) && PyErr_CheckSignals() < 0) \
            return NULL;                                                                    \
        return original[N](self);                                                           \
    }
ITERATORS(CHECKED)

#define NAME(N) checked_##N,
static const iternextfunc checked[MOST_ITERATORS] = {ITERATORS(NAME)};

static int check_iterator(PyTypeObject *type)
{
    if (known == MOST_ITERATORS || !type->tp_iternext)
        return -1;
    original[known] = type->tp_iternext;
    type->tp_iternext = checked[known++];
    return 0;
}

/* Before anything has made a subclass of them, which would have copied the function. */
int pcm_check_iterators(void)
{
    static const char *const of_itertools[] = {
        "count", "cycle", "repeat", "product", "permutations", "combinations",
        "combinations_with_replacement",
    };
    if (check_iterator(&PyRangeIter_Type) || check_iterator(&PyLongRangeIter_Type) ||
        check_iterator(&PyCallIter_Type))
        return -1;
    PyObject *itertools = PyImport_ImportModule("itertools");
    if (!itertools)
        return -1;
    int failed = 0;
    for (size_t i = 0; i < Py_ARRAY_LENGTH(of_itertools) && !failed; i++) {
        PyObject *type = PyObject_GetAttrString(itertools, of_itertools[i]);
        failed = !type || check_iterator((PyTypeObject *)type);
        Py_XDECREF(type);
    }
    Py_DECREF(itertools);
    return failed ? -1 : 0;
}
