//! The table of layers, and the tidy checks.
