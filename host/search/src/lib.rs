//! Deterministic search over names, tags and text.
//!
//! Entries go in once, queries as often as wanted; the same entries and the same query always give
//! the same order, on every machine: no model, no threshold that drifts. What a query does not touch
//! at all is left out.
//!
//! What must never live here: what the entries are. Tools and workflows are found by the same rules
//! because both come through this door.
//!
//! The order: the name that the query is, then names that contain it, then entries with a tag that
//! it is, then the rest by BM25 over the words of name, tags, description and text, in which a word
//! also finds the longer words that begin with it. Equal entries are ordered by name.
//!
//! ```
//! use pcm_search::{Entry, Index};
//!
//! let entry = |name, description| Entry { name, tags: &[], description, text: "" };
//! let index = Index::new([
//!     entry("ping", "Asks a machine whether it is there"),
//!     entry("fetch_page", "Downloads one web page"),
//! ]);
//! let found = index.search("download pages", 10);
//! assert_eq!(found.iter().map(|hit| hit.position).collect::<Vec<_>>(), [1]);
//! ```

mod index;
mod words;

pub use index::{Entry, Hit, Index};
