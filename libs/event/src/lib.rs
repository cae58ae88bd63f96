//! The nouns every service shares and their bytes.
