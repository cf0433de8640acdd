/* The modules _md5, _sha1 and _sha2 with the work done by the host, five times as fast as here.
 *
 * All that a hash object holds is in this memory, so it is part of checkpoints and forks; the host
 * only turns one state into the next, over whole blocks.
 */
#include "pcm_glue.h"

#include <stdint.h>
#include <string.h>

/* Feeds `blocks` blocks at `data` to the state at `state`. */
IMPORT("hash") void host_hash(int32_t algorithm, void *state, const void *data, int32_t blocks);

enum { MOST_BLOCK = 128, MOST_STATE = 64, MOST_AT_ONCE = 64 << 10 };

typedef struct {
    const char *name, *type_name;
    int32_t algorithm; /* for the host: 0 MD5, 1 SHA-1, 2 SHA-256, 3 SHA-512 */
    int block, digest, word, length_bytes, is_little;
    uint64_t start[8];
} Kind;

static const Kind MD5 = {"md5", "_md5.md5", 0, 64, 16, 4, 8, 1,
    {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
static const Kind SHA1 = {"sha1", "_sha1.sha1", 1, 64, 20, 4, 8, 0,
    {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
static const Kind SHA224 = {"sha224", "_sha2.SHA224Type", 2, 64, 28, 4, 8, 0,
    {0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939, 0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4}};
static const Kind SHA256 = {"sha256", "_sha2.SHA256Type", 2, 64, 32, 4, 8, 0,
    {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
static const Kind SHA384 = {"sha384", "_sha2.SHA384Type", 3, 128, 48, 8, 16, 0,
    {0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
     0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4}};
static const Kind SHA512 = {"sha512", "_sha2.SHA512Type", 3, 128, 64, 8, 16, 0,
    {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
     0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179}};

typedef struct {
    const Kind *kind;
    uint64_t length; /* bytes so far */
    uint64_t state[MOST_STATE / 8];
    uint8_t rest[MOST_BLOCK]; /* less than a block */
} Hash;

typedef struct {
    PyObject_HEAD
    Hash hash;
} HashObject;

static void start(Hash *hash, const Kind *kind)
{
    *hash = (Hash){.kind = kind};
    for (int i = 0; i < 8; i++) {
        if (kind->word == 8)
            hash->state[i] = kind->start[i];
        else
            ((uint32_t *)hash->state)[i] = (uint32_t)kind->start[i];
    }
}

static void feed(Hash *hash, const uint8_t *data, size_t length)
{
    const size_t block = hash->kind->block, filled = hash->length % block;
    hash->length += length;
    if (filled) {
        size_t taken = length < block - filled ? length : block - filled;
        memcpy(hash->rest + filled, data, taken);
        data += taken;
        length -= taken;
        if (filled + taken < block)
            return;
        host_hash(hash->kind->algorithm, hash->state, hash->rest, 1);
    }
    while (length >= block) { /* in pieces, so that the run can be interrupted between them */
        size_t bytes = length < MOST_AT_ONCE ? length - length % block : MOST_AT_ONCE;
        host_hash(hash->kind->algorithm, hash->state, data, (int32_t)(bytes / block));
        data += bytes;
        length -= bytes;
    }
    memcpy(hash->rest, data, length);
}

static void finish(Hash hash, uint8_t *digest) /* of a copy */
{
    const Kind *kind = hash.kind;
    uint8_t padding[2 * MOST_BLOCK] = {0x80};
    size_t used = hash.length % kind->block + 1 + kind->length_bytes;
    size_t zeros = (kind->block - used % kind->block) % kind->block;
    uint8_t *bits = padding + 1 + zeros + kind->length_bytes - 8;
    for (int i = 0; i < 8; i++)
        bits[kind->is_little ? i : 7 - i] = (uint8_t)(hash.length * 8 >> 8 * i);
    feed(&hash, padding, 1 + zeros + kind->length_bytes);
    for (int i = 0; i < kind->digest; i++) {
        int in_word = i % kind->word;
        int at = kind->is_little ? i : i - in_word + (kind->word - 1 - in_word);
        digest[i] = ((uint8_t *)hash.state)[at];
    }
}

/* ------------------------------------------------------------------ the type */

static int feed_object(Hash *hash, PyObject *data)
{
    Py_buffer view;
    if (PyUnicode_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "Strings must be encoded before hashing");
        return -1;
    }
    if (!PyObject_CheckBuffer(data)) {
        PyErr_SetString(PyExc_TypeError, "object supporting the buffer API required");
        return -1;
    }
    if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0)
        return -1;
    feed(hash, view.buf, view.len);
    PyBuffer_Release(&view);
    return 0;
}

static PyObject *update(PyObject *self, PyObject *data)
{
    if (feed_object(&((HashObject *)self)->hash, data) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *digest(PyObject *self, PyObject *unused)
{
    uint8_t bytes[MOST_STATE];
    Hash *hash = &((HashObject *)self)->hash;
    finish(*hash, bytes);
    return PyBytes_FromStringAndSize((char *)bytes, hash->kind->digest);
}

static PyObject *hexdigest(PyObject *self, PyObject *unused)
{
    PyObject *bytes = digest(self, NULL);
    PyObject *text = bytes ? PyObject_CallMethod(bytes, "hex", NULL) : NULL;
    Py_XDECREF(bytes);
    return text;
}

static PyObject *new_like(PyTypeObject *type, const Hash *hash)
{
    HashObject *made = PyObject_New(HashObject, type);
    if (made)
        made->hash = *hash;
    return (PyObject *)made;
}

static PyObject *copy(PyObject *self, PyObject *unused)
{
    return new_like(Py_TYPE(self), &((HashObject *)self)->hash);
}

static PyObject *get_name(PyObject *self, void *unused)
{
    return PyUnicode_FromString(((HashObject *)self)->hash.kind->name);
}

static PyObject *get_block_size(PyObject *self, void *unused)
{
    return PyLong_FromLong(((HashObject *)self)->hash.kind->block);
}

static PyObject *get_digest_size(PyObject *self, void *unused)
{
    return PyLong_FromLong(((HashObject *)self)->hash.kind->digest);
}

static void dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyMethodDef hash_methods[] = {
    {"update", update, METH_O, "Update this hash object's state with the provided bytes."},
    {"digest", digest, METH_NOARGS, "Return the digest value as a bytes object."},
    {"hexdigest", hexdigest, METH_NOARGS, "Return the digest value as a string of hexadecimal digits."},
    {"copy", copy, METH_NOARGS, "Return a copy of the hash object."},
    {0},
};

static PyGetSetDef hash_fields[] = {
    {"name", get_name}, {"block_size", get_block_size}, {"digest_size", get_digest_size}, {0},
};

static PyType_Slot hash_slots[] = {
    {Py_tp_dealloc, dealloc}, {Py_tp_methods, hash_methods}, {Py_tp_getset, hash_fields}, {0},
};

static PyTypeObject *make_type(const Kind *kind)
{
    PyType_Spec spec = {
        .name = kind->type_name,
        .basicsize = sizeof(HashObject),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
        .slots = hash_slots,
    };
    return (PyTypeObject *)PyType_FromSpec(&spec);
}

/* ------------------------------------------------------------------ the modules */

static PyObject *construct(const Kind *kind, PyTypeObject **type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"string", "usedforsecurity", NULL};
    PyObject *data = NULL;
    int security = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$p", names, &data, &security))
        return NULL;
    Hash hash;
    start(&hash, kind);
    if (data && feed_object(&hash, data) < 0)
        return NULL;
    return new_like(*type, &hash);
}

#define CONSTRUCTOR(function, KIND)                                                        \
    static PyTypeObject *function##_type;                                                  \
    static PyObject *py_##function(PyObject *module, PyObject *args, PyObject *kwargs)     \
    {                                                                                      \
        return construct(&KIND, &function##_type, args, kwargs);                           \
    }
CONSTRUCTOR(md5, MD5)
CONSTRUCTOR(sha1, SHA1)
CONSTRUCTOR(sha224, SHA224)
CONSTRUCTOR(sha256, SHA256)
CONSTRUCTOR(sha384, SHA384)
CONSTRUCTOR(sha512, SHA512)

#define FUNCTION(name) \
    {#name, (PyCFunction)(void (*)(void))py_##name, METH_VARARGS | METH_KEYWORDS, "Return a new hash object."}
static PyMethodDef md5_functions[] = {FUNCTION(md5), {0}};
static PyMethodDef sha1_functions[] = {FUNCTION(sha1), {0}};
static PyMethodDef sha2_functions[] = {FUNCTION(sha224), FUNCTION(sha256), FUNCTION(sha384),
                                       FUNCTION(sha512), {0}};

static struct PyModuleDef md5_module = {PyModuleDef_HEAD_INIT, "_md5", NULL, -1, md5_functions};
static struct PyModuleDef sha1_module = {PyModuleDef_HEAD_INIT, "_sha1", NULL, -1, sha1_functions};
static struct PyModuleDef sha2_module = {PyModuleDef_HEAD_INIT, "_sha2", NULL, -1, sha2_functions};

static int add_type(PyObject *module, const char *name, const Kind *kind, PyTypeObject **type)
{
    *type = make_type(kind);
    return *type ? PyModule_AddObjectRef(module, name, (PyObject *)*type) : -1;
}

static PyObject *init_md5(void)
{
    PyObject *module = PyModule_Create(&md5_module);
    if (module && add_type(module, "MD5Type", &MD5, &md5_type))
        Py_CLEAR(module);
    return module;
}

static PyObject *init_sha1(void)
{
    PyObject *module = PyModule_Create(&sha1_module);
    if (module && add_type(module, "SHA1Type", &SHA1, &sha1_type))
        Py_CLEAR(module);
    return module;
}

static PyObject *init_sha2(void)
{
    PyObject *module = PyModule_Create(&sha2_module);
    if (module && (add_type(module, "SHA224Type", &SHA224, &sha224_type) ||
                   add_type(module, "SHA256Type", &SHA256, &sha256_type) ||
                   add_type(module, "SHA384Type", &SHA384, &sha384_type) ||
                   add_type(module, "SHA512Type", &SHA512, &sha512_type)))
        Py_CLEAR(module);
    return module;
}

/* Puts these modules in the places of Python's own. Before Python starts. */
void pcm_take_over_hashes(void)
{
    for (struct _inittab *entry = PyImport_Inittab; entry->name; entry++) {
        if (!strcmp(entry->name, "_md5"))
            entry->initfunc = init_md5;
        else if (!strcmp(entry->name, "_sha1"))
            entry->initfunc = init_sha1;
        else if (!strcmp(entry->name, "_sha2"))
            entry->initfunc = init_sha2;
    }
}
