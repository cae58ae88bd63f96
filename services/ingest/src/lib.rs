//! Doors in, canonical events out.
