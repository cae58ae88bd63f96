//! The port to the log, and the log in memory.
