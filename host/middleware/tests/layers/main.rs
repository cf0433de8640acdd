//! The layers around a port, from the outside.

mod approvals;
mod audit;
mod chain;
mod conditions;
mod policy;
mod policy_file;
mod redaction;
mod spans;
mod support;
mod times;
