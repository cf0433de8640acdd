//! Workflows, artifacts and dependencies that outlive sessions, in files or in Redis.
