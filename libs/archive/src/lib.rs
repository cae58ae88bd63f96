//! Segments, manifests and the port to the object store.
