//! A session: one executor, one storage, and the port that joins them.
