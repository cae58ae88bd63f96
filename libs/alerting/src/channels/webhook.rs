//! A signed webhook, after the Standard Webhooks specification.
//!
//! The body is an envelope around the record of the alert, and is the same on every attempt:
//!
//! ```json
//! {"id": "<alert_id>-<revision>", "type": "alert.opened", "version": 1, "occurred_at": "…", "data": {the alert}}
//! ```
//!
//! `type` is `alert.opened`, `alert.updated` or `alert.closed`. `occurred_at` is the effective time of the event that
//! opened the alert, later that of its last event. `data` is [`event::Alert`]; fields may be added to it.
//!
//! | header | value |
//! |---|---|
//! | `webhook-id` | the `id`: the same on every attempt, so a receiver that keeps ids folds repeats |
//! | `webhook-timestamp` | seconds since 1970 of this attempt: refuse what is older than some minutes |
//! | `webhook-signature` | `v1,` and the base64 of HMAC-SHA-256 over `{id}.{timestamp}.{body}` |
//! | `idempotency-key` | the `id` again, for receivers that fold by this header |
//!
//! The secret is `whsec_` and the base64 of 24 to 64 random bytes, which are the key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use event::{Alert, AlertStatus, Timestamp};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use sha2::Sha256;

use crate::{Channel, Message, Sending};

/// The version of the envelope.
const VERSION: u8 = 1;

/// Posts the alert as it is, signed. Takes any answer of 200 to 299 for a yes.
pub struct Webhook;

#[derive(Serialize)]
struct Envelope<'a> {
    id: &'a str,
    r#type: String,
    version: u8,
    occurred_at: Timestamp,
    data: &'a Alert,
}

impl Channel for Webhook {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn statuses(&self) -> &'static [AlertStatus] {
        &[AlertStatus::Opened, AlertStatus::Updated, AlertStatus::Closed]
    }

    fn check_secret(&self, secret: &str) -> Result<(), &'static str> {
        match key(secret) {
            Some(_) => Ok(()),
            None => Err("the signing secret must be `whsec_` and the base64 of 24 to 64 random bytes"),
        }
    }

    fn message(&self, alert: &Alert, sending: &Sending<'_>) -> Message {
        let id = format!("{}-{}", alert.alert_id, alert.revision);
        let occurred_at = match alert.status {
            AlertStatus::Opened => alert.opened_at,
            AlertStatus::Updated | AlertStatus::Closed => alert.last_event_at,
        };
        let r#type = format!("alert.{}", alert.status.as_str());
        let envelope = Envelope {
            id: &id,
            r#type,
            version: VERSION,
            occurred_at,
            data: alert,
        };
        let body =
            serde_json::to_vec(&envelope).expect("an alert has only text keys, and writing to memory cannot fail");
        let timestamp = sending.now.as_millis().div_euclid(1000).to_string();
        let signature = signature(sending.secret, &id, &timestamp, &body);
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("webhook-id", id.clone()),
            ("webhook-timestamp", timestamp),
            ("webhook-signature", signature),
            ("idempotency-key", id),
        ];
        Message { headers, body }
    }
}

fn key(secret: &str) -> Option<Vec<u8>> {
    let key = BASE64.decode(secret.strip_prefix("whsec_")?).ok()?;
    (24..=64).contains(&key.len()).then_some(key)
}

/// The value of `webhook-signature`. A secret that [`Channel::check_secret`] refuses signs with an empty key, which no
/// receiver accepts.
fn signature(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    let key = key(secret).unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes a key of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's own libraries (`standard-webhooks`, test vectors).
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = signature(
            secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_weak_or_unreadable_secret_is_refused() {
        assert!(Webhook.check_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_ok());
        for secret in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_c2hvcnQ=",
            "whsec_!!",
        ] {
            assert!(Webhook.check_secret(secret).is_err(), "{secret}");
        }
    }
}
