//! Keeping secrets out of what the guest and the log see: `secret` holds one, `spellings` lists the
//! forms that it may turn up in, `redactor` finds and replaces them, `walk` goes through values,
//! `layer` does so with answers.

mod layer;
mod redactor;
mod secret;
mod spellings;
mod walk;

pub use self::layer::RedactionLayer;
pub use self::redactor::{Redactor, RedactorBuilder};
pub use self::secret::Secret;
