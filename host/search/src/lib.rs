//! Deterministic search over names, tags and text.
