use crate::sources::served as source;

#[path = "cases.rs"]
mod cases;
