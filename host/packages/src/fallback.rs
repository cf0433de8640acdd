//! Packages whose native parts may be missing.
//!
//! Some packages come only as native wheels although they work without their native parts: each
//! imports those in a `try` and has the same in Python beside them. Of such a package the wheel for
//! x86-64 Linux is taken, its libraries are left out, and what remains is a pure wheel.
//!
//! A package belongs here when its newest wheels were looked at and used without their libraries, and
//! when it has no pure wheel. Many that had none have one by now (multidict, frozenlist, propcache,
//! yarl, wrapt, `SQLAlchemy`, charset-normalizer, aiohttp, coverage, protobuf): they need no line.

/// The packages, by their normalised names.
const FALLBACKS: [&str; 9] = [
    "fastavro",          // _read_py, _write_py and the others
    "immutables",        // map.py
    "lazy-object-proxy", // slots.py
    "markupsafe",        // _native.py
    "msgpack",           // fallback.py
    "pyyaml",            // all of it; the library is a binding of LibYAML, for its C loaders
    "rapidfuzz",         // the modules that end in _py
    "zope-interface",    // declarations and registries are written in Python first
    "zope-proxy",        // PyProxyBase
];

/// Whether the package of that normalised name works without its native parts.
pub(crate) fn works_without_native_parts(name: &str) -> bool {
    FALLBACKS.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::normalised;

    #[test]
    fn the_names_are_normalised_and_sorted() {
        for name in FALLBACKS {
            assert_eq!(normalised(name).as_deref(), Some(name));
            assert!(works_without_native_parts(name));
        }
        assert!(FALLBACKS.is_sorted());
        assert!(!works_without_native_parts("numpy"));
    }
}
