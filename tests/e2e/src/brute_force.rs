//! One attack, failure by failure: the eleventh opens the alert of the guide's first rule.

use event::Alert;
use serde_json::{Value, json};

use crate::expect::{Events, Guide};
use crate::pipeline::Installation;
use crate::producer::logged;
use crate::s3::now;

/// Where the failures come from.
pub const ADDRESS: &str = "203.0.113.99";

/// So many make an attack.
pub const FIRING: usize = 11;

/// A failed login of now, as the guide's security logger sends it.
pub fn failure(number: usize) -> Value {
    let metadata = json!({"source_ip": ADDRESS, "user_email": "root@example.com", "reason": "invalid_password"});
    logged(&id(number), now(), "login_failed", metadata)
}

/// The alert that the failures 0 to 10 make.
///
/// # Panics
/// If one of them is not there.
pub fn alert(installation: &Installation) -> Alert {
    let ids: Vec<String> = (0..FIRING).map(id).collect();
    let message = format!("Brute force attack detected from {ADDRESS}");
    let events = Events::read(&installation.kafka);
    Guide::read().opened("guide_brute_force", &[("source_ip", ADDRESS)], &events, &ids, &message)
}

fn id(number: usize) -> String {
    format!("failure-{number:02}")
}
