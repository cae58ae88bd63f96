use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use event::topic;
use ingest::{Clocks, Ingest, IngestSettings, Metrics, TOPIC_GROUP};
use kafka::{KafkaPublisher, KafkaSession, Unobserved};
use service::settings::Reader;
use service::{Context, Failure};
use tokio::net::TcpListener;

use super::observer::Watch;
use super::{failure, join, keep_running, worker};
use crate::config::{self, LogSettings};

pub(super) fn read(root: &mut Reader<'_>) -> (LogSettings, IngestSettings) {
    config::only(root, "ingest");
    (config::log(root), config::ingest(root))
}

pub(super) fn start((log, settings): (LogSettings, IngestSettings), context: Context) -> Result<(), Failure> {
    let publisher = KafkaPublisher::connect(&log.kafka, Arc::new(Unobserved)).map_err(failure)?;
    let listen = settings.http.listen;
    let topic_workers = settings.topic_workers;
    let topics: Vec<String> = settings.topics.iter().map(|topic| topic.topic.clone()).collect();
    let metrics = Metrics::new(&context.metrics);
    let ingest = Ingest::open(settings, Arc::new(publisher), metrics, Clocks::of_this_machine());
    let ingest = Arc::new(ingest.map_err(failure)?);
    let mut threads = Vec::new();
    for worker in 0..topic_workers {
        threads.push(topic_door(
            worker,
            log.clone(),
            topics.clone(),
            ingest.clone(),
            &context,
        )?);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("cannot listen on {listen}"))?;
        let readiness = context.health.readiness("http");
        tracing::info!(address = %listener.local_addr()?, "the HTTP door is open");
        readiness.ready();
        let (served, (), ()) = tokio::join!(
            ingest.serve_http(listener, &context.stop),
            ingest.write_heartbeats(&context.stop),
            ingest.write_canaries(&context.stop, &log.instance)
        );
        served.context("the HTTP door failed")
    });
    context.stop.request();
    join(threads)?;
    served.map_err(Into::into)
}

fn topic_door(
    at: usize,
    log: LogSettings,
    topics: Vec<String>,
    ingest: Arc<Ingest>,
    context: &Context,
) -> Result<JoinHandle<Result<(), Failure>>, Failure> {
    let name = format!("topic-door-{at}");
    let readiness = context.health.readiness(name.as_str());
    let watch = Arc::new(Watch::new(&context.metrics, readiness.clone()));
    let (stop, slot) = (context.stop.clone(), format!("{}-{at}", log.instance));
    worker(name, context, move || {
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        keep_running(&stop, &readiness, || {
            let session =
                KafkaSession::connect(&log.kafka, TOPIC_GROUP, &slot, &names, topic::CHANGELOG, watch.clone())?;
            ingest.topic_worker(session).run(|| stop.requested())
        })
    })
}
