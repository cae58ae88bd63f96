//! The only crate that names RocksDB.
