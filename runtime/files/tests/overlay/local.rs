use crate::sources::local as source;

#[path = "cases.rs"]
mod cases;
