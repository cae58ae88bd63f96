//! Keyed state, its changes and its restoration.
