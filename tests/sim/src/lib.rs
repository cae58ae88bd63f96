//! Deterministic simulation of the detector: one thread, one seed.
