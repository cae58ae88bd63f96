//! Routing, bodies and retry decisions of alert delivery.
