/* Makes every object of the snapshot immortal.
 *
 * A reference count that changes dirties its page, and a dirty page costs each new session a page
 * fault and 4 KiB. Objects of the snapshot live as long as the session anyway, so their counts need
 * not be kept: immortal objects are never written to by taking or dropping a reference.
 */
#include "pcm_glue.h"

static void keep_children(PyObject *object);

/* Tracked objects are found by the collector's own walk; only what hangs below them is followed
 * here, so the recursion is shallow. */
static int keep(PyObject *object, void *unused)
{
    if (!object || _Py_IsImmortal(object))
        return 0;
    object->ob_refcnt = _Py_IMMORTAL_REFCNT;
    if (!PyObject_IS_GC(object) || !PyObject_GC_IsTracked(object))
        keep_children(object);
    return 0;
}

static void keep_code(PyCodeObject *code)
{
    keep(code->co_consts, NULL);
    keep(code->co_names, NULL);
    keep(code->co_localsplusnames, NULL);
    keep(code->co_localspluskinds, NULL);
    keep(code->co_filename, NULL);
    keep(code->co_name, NULL);
    keep(code->co_qualname, NULL);
    keep(code->co_linetable, NULL);
    keep(code->co_exceptiontable, NULL);
}

static void keep_children(PyObject *object)
{
    if (PyCode_Check(object))
        keep_code((PyCodeObject *)object);
    if (PyDict_Check(object)) { /* its traverse leaves out keys that are strings */
        PyObject *key, *value;
        Py_ssize_t position = 0;
        while (PyDict_Next(object, &position, &key, &value))
            keep(key, NULL);
    }
    traverseproc traverse = Py_TYPE(object)->tp_traverse;
    if (traverse && PyObject_IS_GC(object))
        traverse(object, keep, NULL);
}

static int keep_tracked(PyObject *object, void *unused)
{
    if (!_Py_IsImmortal(object))
        object->ob_refcnt = _Py_IMMORTAL_REFCNT;
    keep_children(object);
    return 1; /* go on */
}

void pcm_make_immortal(void)
{
    PyUnstable_GC_VisitObjects(keep_tracked, NULL);
}
