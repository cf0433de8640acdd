//! Holding the interpreter's lock, and what may be done with Python while it is held.
//!
//! [`Gil`] is the proof that this thread holds it. Everything that touches an object takes one, or
//! hangs on one ([`Held`]).

use std::ffi::{CStr, c_char, c_int};
use std::marker::PhantomData;
use std::ptr;

use crate::symbols::{Object, Symbols};

/// The lock, held by this thread.
pub(crate) struct Gil {
    symbols: &'static Symbols,
    /// It belongs to a thread.
    _here: PhantomData<*const ()>,
}

/// An object that somebody counts on.
pub(crate) struct Held<'g> {
    gil: &'g Gil,
    object: Object,
}

/// An exception, taken off the thread.
#[derive(Debug)]
pub(crate) struct Thrown {
    pub(crate) is_interrupt: bool,
    pub(crate) text: String,
}

/// Gives the lock back when the thread is done with Python.
pub(crate) struct Attached {
    gil: Gil,
    state: c_int,
}

impl Attached {
    /// Takes the lock, on a thread that Python may not know yet.
    pub(crate) fn new(symbols: &'static Symbols) -> Self {
        // SAFETY: the interpreter is initialised and is never finalised.
        let state = unsafe { (symbols.PyGILState_Ensure)() };
        Self { gil: Gil { symbols, _here: PhantomData }, state }
    }

    pub(crate) fn gil(&self) -> &Gil {
        &self.gil
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        // SAFETY: this thread took it, and holds it.
        unsafe { (self.gil.symbols.PyGILState_Release)(self.state) }
    }
}

impl Gil {
    /// # Safety
    ///
    /// This thread holds the lock as long as the value lives, but for what [`released`](Self::released)
    /// does.
    pub(crate) unsafe fn assume(symbols: &'static Symbols) -> Self {
        Self { symbols, _here: PhantomData }
    }

    pub(crate) fn symbols(&self) -> &'static Symbols {
        self.symbols
    }

    /// Does `work`, which touches nothing of Python, while others hold the lock.
    pub(crate) fn released<T>(&self, work: impl FnOnce() -> T) -> T {
        struct Retake<'g>(&'g Gil, *mut std::ffi::c_void);
        impl Drop for Retake<'_> {
            fn drop(&mut self) {
                // SAFETY: the state is this thread's.
                unsafe { (self.0.symbols.PyEval_RestoreThread)(self.1) }
            }
        }
        // SAFETY: the lock is held.
        let _retake = Retake(self, unsafe { (self.symbols.PyEval_SaveThread)() });
        work()
    }

    /// Takes over a new reference, or the exception in its place.
    pub(crate) fn own(&self, object: Object) -> Result<Held<'_>, Thrown> {
        if object.is_null() { Err(self.thrown()) } else { Ok(Held { gil: self, object }) }
    }

    /// One more reference to an object that somebody else counts on.
    pub(crate) fn borrow(&self, object: Object) -> Held<'_> {
        // SAFETY: the lock is held, and the object lives.
        unsafe { (self.symbols.Py_IncRef)(object) };
        Held { gil: self, object }
    }

    pub(crate) fn none(&self) -> Result<Held<'_>, Thrown> {
        // SAFETY: of no values it makes None.
        self.own(unsafe { (self.symbols.Py_BuildValue)(c"".as_ptr()) })
    }

    pub(crate) fn bytes(&self, content: &[u8]) -> Result<Held<'_>, Thrown> {
        // SAFETY: it copies as much as there is; no slice is longer than an isize.
        self.own(unsafe {
            (self.symbols.PyBytes_FromStringAndSize)(
                content.as_ptr().cast(),
                content.len().cast_signed(),
            )
        })
    }

    pub(crate) fn text(&self, content: &str) -> Result<Held<'_>, Thrown> {
        // SAFETY: as for `bytes`.
        self.own(unsafe {
            (self.symbols.PyUnicode_FromStringAndSize)(
                content.as_ptr().cast(),
                content.len().cast_signed(),
            )
        })
    }

    pub(crate) fn number(&self, number: i64) -> Result<Held<'_>, Thrown> {
        // SAFETY: the lock is held.
        self.own(unsafe { (self.symbols.PyLong_FromLongLong)(number) })
    }

    pub(crate) fn truth(&self, truth: bool) -> Result<Held<'_>, Thrown> {
        // SAFETY: the lock is held.
        self.own(unsafe { (self.symbols.PyBool_FromLong)(truth.into()) })
    }

    pub(crate) fn dict(&self) -> Result<Held<'_>, Thrown> {
        // SAFETY: the lock is held.
        self.own(unsafe { (self.symbols.PyDict_New)() })
    }

    pub(crate) fn tuple<const N: usize>(&self, parts: [Held<'_>; N]) -> Result<Held<'_>, Thrown> {
        // SAFETY: the lock is held.
        let tuple = self.own(unsafe { (self.symbols.PyTuple_New)(N.cast_signed()) })?;
        for (index, part) in parts.into_iter().enumerate() {
            // SAFETY: the tuple is new and that long; the reference goes to it.
            unsafe {
                (self.symbols.PyTuple_SetItem)(tuple.object, index.cast_signed(), part.into_raw())
            };
        }
        Ok(tuple)
    }

    /// The content of a `bytes` object, if it is one.
    pub(crate) fn content<'a>(&self, object: &'a Held<'_>) -> Result<&'a [u8], Thrown> {
        // SAFETY: the object lives as long as the slice, and bytes never change.
        unsafe { self.content_of(object.object) }
    }

    /// # Safety
    ///
    /// The object lives for `'a`.
    pub(crate) unsafe fn content_of<'a>(&self, object: Object) -> Result<&'a [u8], Thrown> {
        let (mut content, mut length): (*mut c_char, isize) = (ptr::null_mut(), 0);
        // SAFETY: the places are valid. It refuses what is no bytes object.
        let told = unsafe {
            (self.symbols.PyBytes_AsStringAndSize)(object, &raw mut content, &raw mut length)
        };
        if told != 0 {
            return Err(self.thrown());
        }
        // SAFETY: Python says so.
        Ok(unsafe { std::slice::from_raw_parts(content.cast(), length.unsigned_abs()) })
    }

    pub(crate) fn call<const N: usize>(
        &self,
        callable: &Held<'_>,
        arguments: [Held<'_>; N],
    ) -> Result<Held<'_>, Thrown> {
        let arguments = self.tuple(arguments)?;
        // SAFETY: both are objects, and the arguments are a tuple.
        self.own(unsafe {
            (self.symbols.PyObject_Call)(callable.object, arguments.object, ptr::null_mut())
        })
    }

    /// Executes source in a fresh namespace, which `globals` begins.
    pub(crate) fn execute(&self, source: &CStr, globals: &Held<'_>) -> Result<(), Thrown> {
        const FILE_INPUT: c_int = 257; // Py_file_input
        let (symbols, name) = (self.symbols, c"<pcm-sandbox>/pcm_in_process/boot.py");
        // SAFETY: the texts end in NUL, and the lock is held.
        let code =
            unsafe { (symbols.Py_CompileString)(source.as_ptr(), name.as_ptr(), FILE_INPUT) };
        let code = self.own(code)?;
        // SAFETY: the builtins are borrowed from the interpreter, which keeps them.
        let builtins = self.borrow(unsafe { (symbols.PyEval_GetBuiltins)() });
        globals.set_item(c"__builtins__", &builtins)?;
        globals.set_item(c"__name__", &self.text("pcm_in_process.boot")?)?;
        // SAFETY: code and dict.
        let done =
            unsafe { (symbols.PyEval_EvalCode)(code.object, globals.object, globals.object) };
        self.own(done).map(drop)
    }

    /// Takes the exception off the thread.
    pub(crate) fn thrown(&self) -> Thrown {
        let symbols = self.symbols;
        let (mut kind, mut value, mut trace) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: the places are valid. It gives up the references, any of which may be null.
        unsafe {
            (symbols.PyErr_Fetch)(&raw mut kind, &raw mut value, &raw mut trace);
            (symbols.PyErr_NormalizeException)(&raw mut kind, &raw mut value, &raw mut trace);
        }
        let mut owned = [kind, value, trace]
            .map(|object| (!object.is_null()).then(|| Held { gil: self, object }));
        let matches = |kind: &Held<'_>| {
            // SAFETY: both are exception classes.
            unsafe {
                (symbols.PyErr_GivenExceptionMatches)(kind.object, symbols.PyExc_KeyboardInterrupt)
                    != 0
            }
        };
        let is_interrupt = owned[0].as_ref().is_some_and(matches);
        let texts = owned.each_mut().map(|part| part.as_ref().and_then(Held::shown));
        let [kind, value, _] = texts;
        let text = [kind, value].into_iter().flatten().collect::<Vec<_>>().join(": ");
        Thrown { is_interrupt, text }
    }
}

impl Held<'_> {
    pub(crate) fn raw(&self) -> Object {
        self.object
    }

    /// Gives the reference away.
    pub(crate) fn into_raw(self) -> Object {
        std::mem::ManuallyDrop::new(self).object
    }

    pub(crate) fn attribute(&self, name: &CStr) -> Result<Self, Thrown> {
        // SAFETY: the name ends in NUL, and the lock is held.
        let found =
            unsafe { (self.gil.symbols.PyObject_GetAttrString)(self.object, name.as_ptr()) };
        self.gil.own(found)
    }

    pub(crate) fn set_attribute(&self, name: &CStr, value: &Held<'_>) -> Result<(), Thrown> {
        // SAFETY: as above.
        let set = unsafe {
            (self.gil.symbols.PyObject_SetAttrString)(self.object, name.as_ptr(), value.object)
        };
        if set == 0 { Ok(()) } else { Err(self.gil.thrown()) }
    }

    pub(crate) fn is_true(&self) -> bool {
        // SAFETY: the lock is held.
        let truth = unsafe { (self.gil.symbols.PyObject_IsTrue)(self.object) };
        if truth < 0 {
            self.gil.thrown();
        }
        truth > 0
    }

    /// For a dict.
    pub(crate) fn item(&self, name: &CStr) -> Option<Self> {
        // SAFETY: it borrows from the dict, or gives null without an exception.
        let found = unsafe { (self.gil.symbols.PyDict_GetItemString)(self.object, name.as_ptr()) };
        (!found.is_null()).then(|| self.gil.borrow(found))
    }

    /// For a dict.
    pub(crate) fn set_item(&self, name: &CStr, value: &Held<'_>) -> Result<(), Thrown> {
        // SAFETY: the dict counts its own reference.
        let set = unsafe {
            (self.gil.symbols.PyDict_SetItemString)(self.object, name.as_ptr(), value.object)
        };
        if set == 0 { Ok(()) } else { Err(self.gil.thrown()) }
    }

    /// `str()` of it, shortened; None where there is none.
    fn shown(&self) -> Option<String> {
        const LONGEST: usize = 1000;
        let (gil, symbols) = (self.gil, self.gil.symbols);
        // SAFETY: the lock is held. An exception on the way is dropped.
        let text = unsafe { (symbols.PyObject_Str)(self.object) };
        if text.is_null() {
            // SAFETY: as above.
            unsafe { (symbols.PyErr_Clear)() };
            return None;
        }
        let text = Held { gil, object: text };
        // SAFETY: as above.
        let encoded = unsafe { (symbols.PyUnicode_AsUTF8String)(text.object) };
        if encoded.is_null() {
            // SAFETY: as above.
            unsafe { (symbols.PyErr_Clear)() };
            return None;
        }
        let encoded = Held { gil, object: encoded };
        let content = gil.content(&encoded).ok()?;
        Some(String::from_utf8_lossy(content).chars().take(LONGEST).collect())
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: the reference is this one's, and the lock is held.
        unsafe { (self.gil.symbols.Py_DecRef)(self.object) }
    }
}
