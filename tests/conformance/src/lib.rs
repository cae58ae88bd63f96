//! Real logs that nobody here wrote.
