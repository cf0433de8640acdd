/* CPython as a reactor module: what the host calls, and what Python calls of the host.
 *
 * Exports: pcm_init (once, before the snapshot), pcm_freeze (before a further one), pcm_buffer,
 * pcm_run, pcm_signals (signals.c). Imports, module "pcm": call, submit, poll, take, emit, hash
 * (hashes.c). All data are bytes in linear memory; what they mean is the business of pcm_guest.
 * Python reaches the imports through the built-in module `_pcm_host`. A wait that the host cuts
 * short to interrupt the run gives -1.
 */
#include "pcm_glue.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

IMPORT("call") int32_t host_call(const char *request, int32_t length);
IMPORT("submit") int32_t host_submit(const char *request, int32_t length);
IMPORT("poll") int64_t host_poll(double timeout);
IMPORT("take") void host_take(char *into);
IMPORT("emit") int32_t host_emit(int32_t channel, const char *data, int32_t length);

/* ------------------------------------------------------------------ the module _pcm_host */

static PyObject *output_limit_error; /* pcm_guest.port.OutputLimitError, set by pcm_init */

static PyObject *take(int32_t length)
{
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, length);
    if (bytes)
        host_take(PyBytes_AS_STRING(bytes));
    return bytes;
}

static PyObject *py_call(PyObject *self, PyObject *request)
{
    char *data;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(request, &data, &length) < 0)
        return NULL;
    int32_t reply = host_call(data, (int32_t)length);
    return reply < 0 ? pcm_interrupted() : take(reply);
}

static PyObject *py_submit(PyObject *self, PyObject *request)
{
    char *data;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(request, &data, &length) < 0)
        return NULL;
    return PyLong_FromLong(host_submit(data, (int32_t)length));
}

/* poll(timeout): (number, reply), or None after `timeout` seconds; None waits for ever */
static PyObject *py_poll(PyObject *self, PyObject *timeout)
{
    double seconds = -1.0;
    if (timeout != Py_None) {
        seconds = PyFloat_AsDouble(timeout);
        if (PyErr_Occurred())
            return NULL;
        if (seconds < 0)
            seconds = 0;
    }
    int64_t arrived = host_poll(seconds);
    if (arrived < 0)
        return pcm_interrupted();
    if (!arrived)
        Py_RETURN_NONE;
    PyObject *reply = take((int32_t)(arrived & 0xffffffff));
    if (!reply)
        return NULL;
    return Py_BuildValue("(iN)", (int)(arrived >> 32), reply);
}

static PyObject *py_emit(PyObject *self, PyObject *args)
{
    int channel;
    Py_buffer data;
    if (!PyArg_ParseTuple(args, "iy*", &channel, &data))
        return NULL;
    int32_t refused = host_emit(channel, data.buf, (int32_t)data.len);
    PyBuffer_Release(&data);
    if (refused) {
        PyErr_SetString(output_limit_error, "the run wrote more output than it may");
        return NULL;
    }
    Py_RETURN_NONE;
}

/* changes_of(dict): another number when the dict was changed */
static PyObject *py_changes_of(PyObject *self, PyObject *dict)
{
    enum { BITS_FOR_WATCHERS = 12 }; /* see pycore_dict.h */
    if (!PyDict_Check(dict)) {
        PyErr_SetString(PyExc_TypeError, "changes_of takes a dict");
        return NULL;
    }
    _Py_COMP_DIAG_PUSH
    _Py_COMP_DIAG_IGNORE_DEPR_DECLS
    uint64_t version = ((PyDictObject *)dict)->ma_version_tag;
    _Py_COMP_DIAG_POP
    return PyLong_FromUnsignedLongLong(version >> BITS_FOR_WATCHERS);
}

static PyMethodDef methods[] = {
    {"call", py_call, METH_O, "Sends a request and waits for the reply."},
    {"submit", py_submit, METH_O, "Sends a request; the reply comes through poll."},
    {"poll", py_poll, METH_O, "Waits for a reply to a submitted request."},
    {"emit", py_emit, METH_VARARGS, "Hands output to the host."},
    {"changes_of", py_changes_of, METH_O, "A number that is another one when the dict was changed."},
    {"compile_parts", pcm_compile_parts, METH_VARARGS, "Compiles a program and its last expression."},
    {0},
};

static struct PyModuleDef host_module = {PyModuleDef_HEAD_INIT, "_pcm_host", NULL, -1, methods};

static PyObject *init_host(void)
{
    return PyModule_Create(&host_module);
}

/* ------------------------------------------------------------------ exports of the session */

static PyObject *run;    /* boot.run(options, source) -> outcome */
static PyObject *result; /* keeps the outcome of the last run alive until the next */
static char *buffer;
static int32_t buffer_size;

/* Room for the next run's options and source, one after the other; 0 when there is no memory. */
EXPORT("pcm_buffer") char *pcm_buffer(int32_t size)
{
    if (size > buffer_size) {
        char *grown = realloc(buffer, size);
        if (!grown)
            return NULL;
        buffer = grown;
        buffer_size = size;
    }
    return buffer;
}

/* Address and length of the outcome, as (address << 32) | length; 0 when there is none. */
EXPORT("pcm_run") int64_t pcm_run(int32_t options_length, int32_t source_length)
{
    Py_CLEAR(result);
    PyObject *options = PyBytes_FromStringAndSize(buffer, options_length);
    PyObject *source = PyBytes_FromStringAndSize(buffer + options_length, source_length);
    if (options && source)
        result = PyObject_CallFunctionObjArgs(run, options, source, NULL);
    Py_XDECREF(options);
    Py_XDECREF(source);
    if (!result || !PyBytes_CheckExact(result)) {
        PyErr_Clear();
        return 0;
    }
    return (int64_t)(uintptr_t)PyBytes_AS_STRING(result) << 32 | (int64_t)PyBytes_GET_SIZE(result);
}

/* ------------------------------------------------------------------ before the snapshot */

extern PyObject *PyInit__sqlite3(void);

/* Nothing may remain of the folder that was open while the snapshot was made. */
void __wasilibc_reset_preopens(void) __attribute__((weak));

static void fail(const char *what)
{
    fprintf(stderr, "pcm_init: %s\n", what);
    if (PyErr_Occurred())
        PyErr_Print();
    fflush(stderr);
    __builtin_trap();
}

static void check(PyStatus status)
{
    if (PyStatus_Exception(status))
        fail(status.err_msg ? status.err_msg : "Python did not start");
}

static void start_python(void)
{
    PyPreConfig preconfig;
    PyPreConfig_InitIsolatedConfig(&preconfig);
    preconfig.utf8_mode = 1;
    check(Py_PreInitialize(&preconfig));
    PyImport_AppendInittab("_pcm_host", init_host);
    PyImport_AppendInittab("_sqlite3", PyInit__sqlite3);
    pcm_take_over_hashes();

    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    config.use_hash_seed = 1; /* the snapshot must come out the same whenever it is made */
    config.hash_seed = 1;
    config.site_import = 0;
    config.write_bytecode = 0;
    config.install_signal_handlers = 0;
    config.pathconfig_warnings = 0;
    config.module_search_paths_set = 1;
    check(PyWideStringList_Append(&config.module_search_paths, L"/boot/lib"));
    check(PyConfig_SetString(&config, &config.program_name, L"python"));
    check(PyConfig_SetString(&config, &config.executable, L""));
    check(PyConfig_SetString(&config, &config.base_executable, L""));
    check(PyConfig_SetString(&config, &config.prefix, L"/"));
    check(PyConfig_SetString(&config, &config.exec_prefix, L"/"));
    check(PyConfig_SetString(&config, &config.base_prefix, L"/"));
    check(PyConfig_SetString(&config, &config.base_exec_prefix, L"/"));
    check(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) < 0)
        fail(path);
    long size = ftell(file);
    rewind(file);
    char *text = malloc(size + 1);
    if (!text || fread(text, 1, size, file) != (size_t)size)
        fail(path);
    text[size] = 0;
    fclose(file);
    return text;
}

/* Makes what is in memory now the part that all sessions of the next snapshot share. */
EXPORT("pcm_freeze") void pcm_freeze(void)
{
    Py_CLEAR(result);
    pcm_make_immortal();
    pcm_gather_free_memory();
    fflush(NULL);
    if (__wasilibc_reset_preopens)
        __wasilibc_reset_preopens();
}

/* Starts Python and executes /boot/boot.py, which must define `run` and `OutputLimitError`. */
EXPORT("pcm_init") void pcm_init(void)
{
    start_python();
    if (pcm_check_iterators() < 0)
        fail("an iterator is not what it was");
    char *source = read_file("/boot/boot.py");
    PyObject *boot = PyImport_AddModule("_pcm_boot");
    PyObject *scope = boot ? PyModule_GetDict(boot) : NULL;
    if (!scope || PyDict_SetItemString(scope, "__builtins__", PyEval_GetBuiltins()) < 0)
        fail("no module for boot.py");
    PyObject *done = PyRun_String(source, Py_file_input, scope, scope);
    if (!done)
        fail("boot.py failed");
    Py_DECREF(done);
    free(source);
    run = Py_XNewRef(PyDict_GetItemString(scope, "run"));
    output_limit_error = Py_XNewRef(PyDict_GetItemString(scope, "OutputLimitError"));
    if (!run || !output_limit_error)
        fail("boot.py defines no run or no OutputLimitError");
    if (!pcm_buffer(1 << 16))
        fail("no memory for the buffer");
    pcm_freeze();
}
