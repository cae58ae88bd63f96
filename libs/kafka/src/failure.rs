//! What an error of the client means, by what is to be done.

use broker::Error;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What an error of a transactional call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Somebody else has our transactional id.
    Fenced,
    /// This transaction is lost; a new producer can go on.
    Abort,
    /// The same call again.
    Again,
    /// Nothing helps but an operator.
    Stop,
}

/// An error of a transactional call, as the client describes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    code: Option<Code>,
    fatal: bool,
    requires_abort: bool,
    retriable: bool,
}

impl Failure {
    pub(crate) fn of(error: &KafkaError) -> Self {
        let failure = Self {
            code: error.rdkafka_error_code(),
            fatal: false,
            requires_abort: false,
            retriable: false,
        };
        #[expect(clippy::wildcard_enum_match_arm, reason = "the client's enum is open")]
        match error {
            KafkaError::Transaction(it) => Self {
                fatal: it.is_fatal(),
                requires_abort: it.txn_requires_abort(),
                retriable: it.is_retriable(),
                ..failure
            },
            // The Rust wrapper flushes before it commits, so the commit was not even asked for.
            KafkaError::Flush(_) => Self {
                requires_abort: true,
                ..failure
            },
            _ => failure,
        }
    }

    /// In this order: an error can be fatal and also call itself retriable.
    pub(crate) fn verdict(self) -> Verdict {
        let fenced = self.code.is_some_and(is_fencing);
        match self {
            Self { fatal: true, .. } if fenced => Verdict::Fenced,
            Self { fatal: true, .. } => Verdict::Stop,
            // The client would have it aborted and done again: it would be denied again, for ever.
            _ if self.code.is_some_and(is_denial) => Verdict::Stop,
            Self {
                requires_abort: true, ..
            } => Verdict::Abort,
            Self { retriable: true, .. } => Verdict::Again,
            _ if fenced => Verdict::Fenced,
            _ => Verdict::Stop,
        }
    }
}

/// What the worker is told when a transactional call failed and is not tried again.
pub(crate) fn of_transaction(call: &str, error: &KafkaError) -> Error {
    let text = format!("{call}: {error}");
    match Failure::of(error).verdict() {
        Verdict::Fenced => Error::Fenced(text),
        Verdict::Abort => Error::Aborted(text),
        Verdict::Again => Error::Unavailable(text),
        Verdict::Stop => Error::Misconfigured(text),
    }
}

/// What the worker is told when the producer has failed for good.
pub(crate) fn of_fatal(code: Code, reason: &str) -> Error {
    if is_fencing(code) {
        Error::Fenced(reason.to_owned())
    } else {
        Error::Misconfigured(reason.to_owned())
    }
}

/// What the worker is told when the brokers did not take a record of its transaction.
pub(crate) fn of_record(topic: &str, code: Code) -> Error {
    let text = format!("{topic}: {code}");
    if is_refusal(code) {
        Error::Refused(text)
    } else if is_misconfiguration(code) {
        Error::Misconfigured(text)
    } else if is_fencing(code) {
        Error::Fenced(text)
    } else {
        Error::Aborted(text)
    }
}

/// What the caller of a publisher is told about a record.
pub(crate) fn of_publishing(topic: &str, code: Code) -> Error {
    let text = format!("{topic}: {code}");
    if code == Code::QueueFull {
        Error::Overloaded(text)
    } else if is_refusal(code) {
        Error::Refused(text)
    } else if code == Code::Fatal || is_misconfiguration(code) {
        // Fatal: an idempotent producer that has lost its place in the sequence cannot be used again.
        Error::Misconfigured(text)
    } else {
        Error::Unavailable(text)
    }
}

/// What an error of a question to the cluster, or of the consumer, means.
pub(crate) fn of_question(what: &str, error: &KafkaError) -> Error {
    let text = format!("{what}: {error}");
    match error.rdkafka_error_code() {
        Some(code) if is_misconfiguration(code) => Error::Misconfigured(text),
        _ => Error::Unavailable(text),
    }
}

fn is_fencing(code: Code) -> bool {
    matches!(
        code,
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::FencedInstanceId
    )
}

/// A right that is not granted.
fn is_denial(code: Code) -> bool {
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
    )
}

fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessage | Code::InvalidRecord
    )
}

/// What only a person can set right: a topic that is not there, a right that is not granted, a wrong password.
pub(crate) fn is_misconfiguration(code: Code) -> bool {
    is_denial(code)
        || matches!(
            code,
            Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::InvalidTopic
                | Code::SaslAuthenticationFailed
                | Code::Authentication
                | Code::UnsupportedSASLMechanism
                | Code::InvalidTransactionTimeout
                | Code::InconsistentGroupProtocol
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FATAL: u8 = 1;
    const ABORT: u8 = 2;
    const RETRY: u8 = 4;

    /// The code, what librdkafka says of it, and what follows.
    const TABLE: &[(Code, u8, Verdict)] = &[
        (Code::Fenced, FATAL, Verdict::Fenced),
        (Code::ProducerFenced, FATAL, Verdict::Fenced),
        (Code::InvalidProducerEpoch, FATAL, Verdict::Fenced),
        (Code::InvalidProducerEpoch, ABORT, Verdict::Abort),
        (Code::ProducerFenced, 0, Verdict::Fenced),
        (Code::InvalidTransactionalState, FATAL, Verdict::Stop),
        (Code::TransactionalIdAuthorizationFailed, FATAL | RETRY, Verdict::Stop),
        (Code::InvalidTransactionTimeout, FATAL, Verdict::Stop),
        (Code::TopicAuthorizationFailed, ABORT, Verdict::Stop),
        (Code::GroupAuthorizationFailed, ABORT, Verdict::Stop),
        (Code::IllegalGeneration, ABORT, Verdict::Abort),
        (Code::UnknownMemberId, ABORT, Verdict::Abort),
        (Code::OutOfOrderSequenceNumber, ABORT | RETRY, Verdict::Abort),
        (Code::OperationTimedOut, RETRY, Verdict::Again),
        (Code::CoordinatorNotAvailable, RETRY, Verdict::Again),
        (Code::ConcurrentTransactions, RETRY, Verdict::Again),
        (Code::State, 0, Verdict::Stop),
        (Code::InvalidArgument, 0, Verdict::Stop),
    ];

    #[test]
    fn fatal_then_abort_then_again_then_stop() {
        for (code, says, verdict) in TABLE {
            let says = |flag| says & flag != 0;
            let failure = Failure {
                code: Some(*code),
                fatal: says(FATAL),
                requires_abort: says(ABORT),
                retriable: says(RETRY),
            };
            assert_eq!(failure.verdict(), *verdict, "{code:?}");
        }
    }

    #[test]
    fn a_flush_that_failed_aborts() {
        let failure = Failure::of(&KafkaError::Flush(Code::OperationTimedOut));
        assert_eq!(failure.verdict(), Verdict::Abort);
    }

    #[test]
    fn records_by_what_the_caller_must_do() {
        assert!(matches!(
            of_record("alerts", Code::MessageSizeTooLarge),
            Error::Refused(_)
        ));
        assert!(matches!(
            of_record("alerts", Code::UnknownTopicOrPartition),
            Error::Misconfigured(_)
        ));
        assert!(matches!(of_record("alerts", Code::MessageTimedOut), Error::Aborted(_)));
        assert!(matches!(of_record("alerts", Code::PurgeInflight), Error::Aborted(_)));
        assert!(matches!(of_record("alerts", Code::Fenced), Error::Fenced(_)));
        assert!(matches!(of_publishing("raw", Code::QueueFull), Error::Overloaded(_)));
        assert!(matches!(
            of_publishing("raw", Code::MessageTimedOut),
            Error::Unavailable(_)
        ));
        assert!(matches!(
            of_publishing("raw", Code::TopicAuthorizationFailed),
            Error::Misconfigured(_)
        ));
    }
}
