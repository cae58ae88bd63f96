use std::sync::Arc;

use alerter::{Alerter, HttpCourier, Settings, log_sink};
use event::topic;
use kafka::KafkaSession;
use service::settings::Reader;
use service::{Context, Failure};

use super::keep_running;
use super::observer::Watch;
use crate::config::{self, LogSettings};

/// The consumer group of the alerter.
const GROUP: &str = "alerter";

pub(super) fn read(root: &mut Reader<'_>) -> (LogSettings, Settings) {
    config::only(root, "alerter");
    (config::log(root), config::alerter(root))
}

pub(super) fn start((log, settings): (LogSettings, Settings), context: Context) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let readiness = context.health.readiness("log");
    let watch = Arc::new(Watch::new(&context.metrics, readiness.clone()));
    keep_running(&context.stop, &readiness, || {
        let courier = HttpCourier::new(&settings, runtime.handle().clone(), log_sink());
        let courier = courier.map_err(|error| broker::Error::Misconfigured(error.to_string()))?;
        let session = KafkaSession::connect(
            &log.kafka,
            GROUP,
            &log.instance,
            &[topic::ALERTS],
            topic::CHANGELOG,
            watch.clone(),
        )?;
        Alerter::new(session, courier, settings.clone(), &context.metrics)?.run(&context.stop, &context.health)
    })
}
