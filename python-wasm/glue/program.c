/* Source to code objects by the evaluation rule, without a syntax tree of Python objects in between,
 * which takes as long as parsing and compiling together.
 *
 * `_pcm_host.compile_parts` does what `pcm_guest.compiling` does where there is no C: the statements
 * of a source, and by itself its last top-level expression, if it ends in one.
 */
#include "pcm_glue.h"

#define Py_BUILD_CORE 1 /* for the tree */

#include <string.h>

#include "pycore_ast.h"
#include "pycore_compile.h"
#include "pycore_parser.h"
#include "pycore_pyarena.h"

/* The code of a tree; None for no tree. */
static PyObject *code_of(mod_ty tree, PyObject *filename, int flags, PyArena *arena)
{
    if (!tree)
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    PyCompilerFlags compiler_flags = _PyCompilerFlags_INIT; /* one part's `__future__` is not the other's */
    compiler_flags.cf_flags = flags;
    return (PyObject *)_PyAST_Compile(tree, filename, &compiler_flags, -1, arena);
}

static PyObject *parts_of(const char *source, PyObject *filename, int flags, PyArena *arena)
{
    PyCompilerFlags parser_flags = _PyCompilerFlags_INIT;
    parser_flags.cf_flags = flags;
    mod_ty tree = _PyParser_ASTFromString(source, filename, Py_file_input, &parser_flags, arena);
    if (!tree)
        return NULL;
    asdl_stmt_seq *statements = tree->v.Module.body;
    Py_ssize_t count = asdl_seq_LEN(statements);
    mod_ty last = NULL;
    if (count > 0 && asdl_seq_GET(statements, count - 1)->kind == Expr_kind) {
        last = _PyAST_Expression(asdl_seq_GET(statements, count - 1)->v.Expr.value, arena);
        if (!last)
            return NULL;
        statements->size = --count;
    }
    PyObject *body = code_of(count > 0 ? tree : NULL, filename, flags, arena);
    PyObject *value = body ? code_of(last, filename, flags, arena) : NULL;
    PyObject *parts = value ? PyTuple_Pack(2, body, value) : NULL;
    Py_XDECREF(body);
    Py_XDECREF(value);
    return parts;
}

/* compile_parts(source, filename, flags): the code of the statements, and that of the last expression;
 * None for what is not there */
PyObject *pcm_compile_parts(PyObject *self, PyObject *args)
{
    const char *source;
    Py_ssize_t length;
    PyObject *filename;
    int flags;
    if (!PyArg_ParseTuple(args, "s#Ui", &source, &length, &filename, &flags))
        return NULL;
    if (flags & ~PyCF_ALLOW_TOP_LEVEL_AWAIT) {
        PyErr_SetString(PyExc_ValueError, "compile_parts takes no other flag than that of await");
        return NULL;
    }
    if (strlen(source) != (size_t)length) {
        PyErr_SetString(PyExc_SyntaxError, "source code string cannot contain null bytes");
        return NULL;
    }
    PyArena *arena = _PyArena_New();
    if (!arena)
        return NULL;
    flags |= PyCF_SOURCE_IS_UTF8 | PyCF_IGNORE_COOKIE;
    PyObject *parts = parts_of(source, filename, flags, arena);
    _PyArena_Free(arena);
    return parts;
}
