//! Boot and shut down a process: settings, logs, metrics, health, signals.
