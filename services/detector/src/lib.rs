//! The match and correlate workers.
