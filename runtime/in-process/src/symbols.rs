//! The functions of libpython that are used, looked up by their names.
//!
//! All of them are in the stable ABI, so that one build of this program loads any Python from 3.11 on.

use std::ffi::{c_char, c_int, c_long, c_longlong, c_ulong, c_void};

use libloading::Library;

/// A `PyObject *`.
pub(crate) type Object = *mut c_void;
/// A `PyThreadState *`.
pub(crate) type ThreadState = *mut c_void;
/// A function that Python calls with the arguments as an array (`METH_FASTCALL`).
pub(crate) type FastFunction =
    unsafe extern "C" fn(this: Object, arguments: *const Object, count: isize) -> Object;

/// `METH_FASTCALL`.
pub(crate) const FASTCALL: c_int = 0x80;

/// `PyMethodDef`. Python keeps the address of one as long as the function lives.
#[repr(C)]
pub(crate) struct MethodDef {
    pub(crate) name: *const c_char,
    pub(crate) function: FastFunction,
    pub(crate) flags: c_int,
    pub(crate) doc: *const c_char,
}

// SAFETY: its pointers are to constants.
unsafe impl Send for MethodDef {}
// SAFETY: as above.
unsafe impl Sync for MethodDef {}

// SAFETY: functions, and objects that are used under the interpreter's lock.
unsafe impl Send for Symbols {}
// SAFETY: as above.
unsafe impl Sync for Symbols {}

macro_rules! symbols {
    (
        functions { $(fn $function:ident($($argument:ty),*) $(-> $result:ty)?;)* }
        objects { $($object:ident;)* }
    ) => {
        /// The functions and objects of a loaded libpython, which is never unloaded.
        #[expect(non_snake_case, reason = "the names are Python's")]
        pub(crate) struct Symbols {
            $(pub(crate) $function: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*
            $(pub(crate) $object: Object,)*
        }

        impl Symbols {
            /// Looks all of them up.
            ///
            /// # Safety
            ///
            /// The library is a libpython, and stays loaded.
            pub(crate) unsafe fn find(library: &Library) -> Result<Self, libloading::Error> {
                Ok(Self {
                    $(
                        // SAFETY: the type is that of the stable ABI.
                        $function: *unsafe { library.get(concat!(stringify!($function), "\0").as_bytes()) }?,
                    )*
                    // SAFETY: as above. Exceptions are pointers to objects.
                    $($object: unsafe {
                        **library.get::<*const Object>(concat!(stringify!($object), "\0").as_bytes())?
                    },)*
                })
            }
        }
    };
}

symbols! {
    functions {
        fn Py_DecodeLocale(*const c_char, *mut usize) -> *mut libc::wchar_t;
        fn Py_InitializeEx(c_int);
        fn Py_IsInitialized() -> c_int;
        fn Py_SetProgramName(*const libc::wchar_t);
        fn Py_IncRef(Object);
        fn Py_DecRef(Object);
        fn Py_CompileString(*const c_char, *const c_char, c_int) -> Object;
        fn Py_BuildValue(*const c_char) -> Object;
        fn PyBytes_AsStringAndSize(Object, *mut *mut c_char, *mut isize) -> c_int;
        fn PyBytes_FromStringAndSize(*const c_char, isize) -> Object;
        fn PyCapsule_GetPointer(Object, *const c_char) -> *mut c_void;
        fn PyCapsule_New(*mut c_void, *const c_char, Option<unsafe extern "C" fn(Object)>) -> Object;
        fn PyCFunction_NewEx(*const MethodDef, Object, Object) -> Object;
        fn PyDict_GetItemString(Object, *const c_char) -> Object;
        fn PyDict_New() -> Object;
        fn PyDict_SetItemString(Object, *const c_char, Object) -> c_int;
        fn PyErr_Clear();
        fn PyErr_Fetch(*mut Object, *mut Object, *mut Object);
        fn PyErr_GivenExceptionMatches(Object, Object) -> c_int;
        fn PyErr_NormalizeException(*mut Object, *mut Object, *mut Object);
        fn PyErr_Occurred() -> Object;
        fn PyErr_SetNone(Object);
        fn PyErr_SetString(Object, *const c_char);
        fn PyEval_EvalCode(Object, Object, Object) -> Object;
        fn PyEval_GetBuiltins() -> Object;
        fn PyEval_RestoreThread(ThreadState);
        fn PyEval_SaveThread() -> ThreadState;
        fn PyFloat_AsDouble(Object) -> f64;
        fn PyGILState_Ensure() -> c_int;
        fn PyGILState_Release(c_int);
        fn PyLong_AsLongLong(Object) -> c_longlong;
        fn PyLong_FromLongLong(c_longlong) -> Object;
        fn PyObject_Call(Object, Object, Object) -> Object;
        fn PyObject_GetAttrString(Object, *const c_char) -> Object;
        fn PyObject_IsTrue(Object) -> c_int;
        fn PyObject_SetAttrString(Object, *const c_char, Object) -> c_int;
        fn PyObject_Str(Object) -> Object;
        fn PyThread_get_thread_ident() -> c_ulong;
        fn PyThreadState_SetAsyncExc(c_ulong, Object) -> c_int;
        fn PyTuple_New(isize) -> Object;
        fn PyTuple_SetItem(Object, isize, Object) -> c_int;
        fn PyUnicode_AsUTF8String(Object) -> Object;
        fn PyUnicode_FromStringAndSize(*const c_char, isize) -> Object;
        fn PyBool_FromLong(c_long) -> Object;
    }
    objects {
        PyExc_KeyboardInterrupt;
        PyExc_RuntimeError;
        PyExc_TypeError;
    }
}
