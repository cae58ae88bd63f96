//! Takes what a client says of itself: for the log, for the observer, and for whoever asked and got no answer.
//!
//! A question that no broker answers fails as "transport failure", whatever the cause: a wrong password and a cable that
//! was pulled look the same. The cause is in what the client tells whoever polls it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use broker::Error;
use rdkafka::client::{Client, ClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use crate::{Observer, failure};

/// How long something heard explains a failure. The client repeats what goes on for longer every 30 s.
const FRESH: Duration = Duration::from_secs(35);

/// How long a client that nobody polls is listened to.
const LISTENING: Duration = Duration::from_millis(20);

/// What librdkafka calls a connection that failed.
const CONNECTION_FAILED: &str = "FAIL";

/// What TLS says when another attempt will fare no better, in the words of OpenSSL and librdkafka: we do not believe the
/// broker's certificate, or the broker does not believe ours. Other failures of TLS may pass: a broker that ends closes its
/// connections in the middle of a handshake.
const DISTRUST: [&str; 4] = [
    "certificate verify failed",
    "Failed to verify broker certificate",
    "Broker did not provide a certificate",
    "SSL alert number",
];

/// What librdkafka and OpenSSL say, and what they leave out.
const HINTS: [(&str, &str); 4] = [
    (
        "certificate verify failed",
        "nobody in kafka.tls.ca_file vouches for the broker's certificate, or it has expired, or it names another host than \
         kafka.brokers",
    ),
    (
        "SSL alert number",
        "the broker wants a certificate of ours, or another one than kafka.tls.certificate_file",
    ),
    (
        "SASL authentication error",
        "the brokers do not know kafka.sasl.user with this password and mechanism",
    ),
    (
        "Disconnected",
        "if it happens every time, kafka.tls or kafka.sasl is not what this port of the broker expects",
    ),
];

/// The ear of one client.
pub(crate) struct Listener {
    observer: Arc<dyn Observer>,
    heard: Mutex<Option<Heard>>,
}

/// Why a broker could not be reached.
struct Heard {
    at: Instant,
    reason: String,
    /// Whether a person has to set it right.
    lasting: bool,
}

/// The context of a client that has a listener.
pub(crate) trait Listening: ClientContext {
    fn listener(&self) -> &Listener;
}

impl Heard {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < FRESH
    }

    fn is_lasting(&self) -> bool {
        self.lasting && self.is_fresh()
    }
}

impl Listener {
    pub(crate) fn new(observer: Arc<dyn Observer>) -> Self {
        Self {
            observer,
            heard: Mutex::default(),
        }
    }

    pub(crate) fn observer(&self) -> &dyn Observer {
        &*self.observer
    }

    /// A log line of the client's.
    pub(crate) fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        use RDKafkaLogLevel as Level;
        if facility == CONNECTION_FAILED {
            self.note(message, false);
        }
        match level {
            Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
                tracing::error!(target: "librdkafka", facility, "{message}");
            }
            Level::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
            Level::Notice | Level::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
            Level::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
        }
    }

    /// An error of the client's. The end of a partition comes this way too and is not an error.
    pub(crate) fn error(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown);
        if code == RDKafkaErrorCode::PartitionEOF {
            return;
        }
        self.observer.client_error(&format!("{code:?}"));
        tracing::warn!(target: "librdkafka", ?code, "{reason}");
        // That all are down is no reason, and comes after the reasons.
        if code != RDKafkaErrorCode::AllBrokersDown {
            self.note(reason, is_lasting(code, reason));
        }
    }

    /// The error of a question, with what was heard of the cause. It is the operator's to mend if another attempt would be
    /// refused for the same cause.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let lasting = self.heard().as_ref().is_some_and(Heard::is_lasting);
        match error {
            Error::Unavailable(text) if lasting => Error::Misconfigured(self.with_reason(text)),
            Error::Unavailable(text) => Error::Unavailable(self.with_reason(text)),
            Error::Aborted(_)
            | Error::Fenced(_)
            | Error::Overloaded(_)
            | Error::Refused(_)
            | Error::Misconfigured(_) => error,
        }
    }

    /// What went wrong, and what was heard of the cause.
    pub(crate) fn with_reason(&self, text: String) -> String {
        match self.heard().as_ref().filter(|heard| heard.is_fresh()) {
            Some(Heard { reason, .. }) => match HINTS.iter().find(|(words, _)| reason.contains(words)) {
                Some((_, hint)) => format!("{text}: {reason}: {hint}"),
                None => format!("{text}: {reason}"),
            },
            None => text,
        }
    }

    /// What somebody must mend is not forgotten over another broker that is merely away.
    fn note(&self, reason: &str, lasting: bool) {
        let mut heard = self.heard();
        if lasting || !heard.as_ref().is_some_and(Heard::is_lasting) {
            *heard = Some(Heard {
                at: Instant::now(),
                reason: reason.to_owned(),
                lasting,
            });
        }
    }

    fn heard(&self) -> MutexGuard<'_, Option<Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a consumer that is subscribed to nothing yet, and listens to it if it could not answer.
pub(crate) fn ask<C: Listening + ConsumerContext, T>(
    consumer: &BaseConsumer<C>,
    question: impl FnOnce(&Client<C>) -> Result<T, Error>,
) -> Result<T, Error> {
    question(consumer.client()).map_err(|error| {
        // Errors are returned one by one; there are no records.
        while consumer.poll(LISTENING).is_some() {}
        consumer.client().context().listener().explain(error)
    })
}

/// Whether a person has to set it right.
fn is_lasting(code: RDKafkaErrorCode, reason: &str) -> bool {
    failure::is_misconfiguration(code) || DISTRUST.iter().any(|words| reason.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unobserved;
    use RDKafkaErrorCode as Code;

    const TRANSPORT: &str = "raw: Metadata fetch error: BrokerTransportFailure (Local: Broker transport failure)";

    /// What the client said of a secure Apache Kafka 4.3.1, and whether somebody must mend it.
    const SAID: &[(Code, &str, bool)] = &[
        (
            Code::Authentication,
            "sasl_ssl://b:9093/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid \
             credentials with SASL mechanism SCRAM-SHA-512 (after 353ms in state AUTH_REQ)",
            true,
        ),
        (
            Code::SSL,
            "sasl_ssl://b:9093/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker \
             certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA certificates \
             are installed (install ca-certificates package) (after 35ms in state SSL_HANDSHAKE)",
            true,
        ),
        (
            Code::BrokerTransportFailure,
            "ssl://b:9094/bootstrap: Receive failed: error:0A000412:SSL routines::sslv3 alert bad certificate: SSL alert \
             number 42 (after 10ms in state APIVERSION_QUERY)",
            true,
        ),
        (
            Code::SSL,
            "ssl://b:9092/bootstrap: SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading (after \
             9ms in state SSL_HANDSHAKE)",
            false,
        ),
        (
            Code::BrokerTransportFailure,
            "b:9093/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol \
             configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request)",
            false,
        ),
        (
            Code::BrokerTransportFailure,
            "b:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
            false,
        ),
    ];

    fn unanswered(listener: &Listener) -> Error {
        listener.explain(Error::Unavailable(TRANSPORT.to_owned()))
    }

    #[test]
    fn a_question_that_nobody_answers_is_explained_by_what_was_heard() {
        for (code, reason, lasting) in SAID {
            let listener = Listener::new(Arc::new(Unobserved));
            listener.log(RDKafkaLogLevel::Error, "FAIL", reason);
            listener.error(&KafkaError::Global(*code), reason);
            listener.error(&KafkaError::Global(Code::AllBrokersDown), "1/1 brokers are down");
            let error = unanswered(&listener);
            assert_eq!(matches!(error, Error::Misconfigured(_)), *lasting, "{error:?}");
            assert_eq!(matches!(error, Error::Unavailable(_)), !lasting, "{error:?}");
            assert!(error.to_string().contains(&format!("{TRANSPORT}: {reason}")), "{error}");
        }
    }

    #[test]
    fn what_must_be_mended_is_not_forgotten_over_a_broker_that_is_away() {
        let listener = Listener::new(Arc::new(Unobserved));
        assert_eq!(unanswered(&listener), Error::Unavailable(TRANSPORT.to_owned()));
        let ((code, refused, _), (_, away, _)) = (SAID[0], SAID[5]);
        listener.log(RDKafkaLogLevel::Error, "FAIL", away);
        assert_eq!(
            unanswered(&listener),
            Error::Unavailable(format!("{TRANSPORT}: {away}"))
        );
        listener.error(&KafkaError::Global(code), refused);
        listener.log(RDKafkaLogLevel::Error, "FAIL", away);
        assert_eq!(
            unanswered(&listener),
            Error::Misconfigured(format!("{TRANSPORT}: {refused}: {}", HINTS[2].1))
        );
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        let listener = Listener::new(Arc::new(Unobserved));
        listener.error(&KafkaError::Global(Code::Authentication), "no");
        let error = Error::Misconfigured("raw: no such topic".to_owned());
        assert_eq!(listener.explain(error.clone()), error);
    }
}
