//! Object stores: S3 and a plain directory.
