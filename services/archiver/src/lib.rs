//! Every record of every archived topic to the object store.
