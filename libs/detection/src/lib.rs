//! Match and correlate: facts in, decisions out.
