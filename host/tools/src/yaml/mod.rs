//! YAML that people write, read so that every mistake has a place.

mod fields;
mod node;

pub(crate) use fields::{Field, Fields, Report};
pub(crate) use node::parse;
