//! Kill -9 and worse against a real Kafka.
