use super::*;

fn wrong(change: impl FnOnce(&mut KafkaSettings)) -> Vec<&'static str> {
    let mut settings = KafkaSettings::new("127.0.0.1:9092");
    change(&mut settings);
    settings
        .check()
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(|it| it.setting)
        .collect()
}

#[test]
fn the_defaults_are_right() {
    assert_eq!(KafkaSettings::new("a:9092, b:9092").check(), Ok(()));
}

#[test]
fn each_mistake_is_named() {
    assert_eq!(wrong(|it| it.brokers = "localhost".into()), ["brokers"]);
    assert_eq!(wrong(|it| it.prefix = "tide watch".into()), ["prefix"]);
    assert_eq!(
        wrong(|it| it.transaction_timeout = it.max_poll_interval),
        ["transaction_timeout"]
    );
    assert_eq!(
        wrong(|it| it.session_timeout = it.max_poll_interval * 2),
        ["session_timeout"]
    );
    assert_eq!(wrong(|it| it.retry_backoff = Duration::ZERO), ["retry_backoff"]);
    assert_eq!(wrong(|it| it.publish_bytes = RECORD_BYTES_MAX), ["publish_bytes"]);
    let plain = Sasl {
        mechanism: Mechanism::Plain,
        user: "u".into(),
        password: "p".to_owned().into(),
    };
    assert_eq!(wrong(|it| it.sasl = Some(plain.clone())), ["sasl"]);
    let with_tls = |it: &mut KafkaSettings| (it.sasl, it.tls) = (Some(plain), Some(Tls::default()));
    assert!(wrong(with_tls).is_empty());
}

#[test]
fn all_mistakes_at_once() {
    let found = wrong(|it| {
        it.brokers = String::new();
        it.drain_records = 0;
        it.transaction_timeout = Duration::from_millis(1);
    });
    assert_eq!(found, ["brokers", "transaction_timeout", "linger", "drain_records"]);
}

/// message.timeout ≤ transaction.timeout < max.poll.interval, and socket.timeout 100 ms below transaction.timeout.
#[test]
fn the_chain_of_timeouts_holds_for_every_accepted_transaction_timeout() {
    for seconds in 1..60 {
        let mut settings = KafkaSettings::new("127.0.0.1:9092");
        settings.transaction_timeout = Duration::from_secs(seconds);
        assert_eq!(settings.check(), Ok(()));
        let config = settings.transactional_producer("match-0");
        let of = |name: &str| {
            config
                .get(name)
                .and_then(|text| text.parse::<u64>().ok())
                .expect("a number is set")
        };
        assert!(of("message.timeout.ms") <= of("transaction.timeout.ms"));
        assert!(of("socket.timeout.ms") + 100 <= of("transaction.timeout.ms"));
        assert!(u128::from(of("transaction.timeout.ms")) < settings.max_poll_interval.as_millis());
    }
}

#[test]
fn a_password_is_not_shown() {
    let mut settings = KafkaSettings::new("127.0.0.1:9092");
    let password = "correct-horse".to_owned().into();
    settings.sasl = Some(Sasl {
        mechanism: Mechanism::ScramSha512,
        user: "detector".into(),
        password,
    });
    assert!(!format!("{settings:?}").contains("correct-horse"));
    assert_eq!(settings.admin().get("security.protocol"), Some("sasl_plaintext"));
}

/// The client is compiled with what these need; it says so when it is made.
#[test]
fn tls_and_passwords_are_understood() {
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512] {
        let mut settings = KafkaSettings::new("127.0.0.1:9092");
        settings.tls = Some(Tls::default());
        settings.sasl = Some(Sasl {
            mechanism,
            user: "u".into(),
            password: "p".to_owned().into(),
        });
        let made: Result<rdkafka::producer::BaseProducer, _> = settings.publishing_producer().create();
        assert!(made.is_ok(), "{mechanism:?}: {:?}", made.err());
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let mut settings = KafkaSettings::new("127.0.0.1:9092");
    let (there, missing) = (PathBuf::from("Cargo.toml"), PathBuf::from("no-such-file"));
    settings.tls = Some(Tls {
        ca_file: Some(there.clone()),
        identity: Some((there, missing)),
    });
    let expected = "tls: cannot read no-such-file: No such file or directory (os error 2)".to_owned();
    assert_eq!(settings.require(), Err(Error::Misconfigured(expected)));
}

#[test]
fn settings_that_fail_the_checks_are_not_used() {
    let settings = KafkaSettings::new("nowhere");
    let expected = "brokers: expected host:port, separated by commas".to_owned();
    assert_eq!(settings.require(), Err(Error::Misconfigured(expected)));
}
