use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use broker::{Error, Pace, Reader as _, Stage, Stopwatch, Worker};
use detection::SourceCounts;
use detector::{
    CORRELATE_GROUP, CorrelateSettings, CorrelateStage, Images, MATCH_GROUP, MatchSettings, MatchStage, Metrics,
};
use event::topic;
use kafka::{KafkaReader, KafkaSession, Unobserved};
use rocks::{Budget, Identity, Opened, RocksImage, Shared};
use ruleset::RuleSet;
use service::settings::Reader;
use service::{Context, Failure};
use state::{Image as _, ImageError};

use super::observer::Watch;
use super::{canary, failure, join, keep_running, worker};
use crate::config::{self, DetectorSettings, LogSettings};
use crate::rules;

/// The version of the state on disk.
const SCHEMA_VERSION: u32 = 1;

/// Without a step for so long, a worker is dead.
const SILENCE_MAX: Duration = Duration::from_secs(120);

pub(super) fn read(root: &mut Reader<'_>) -> (LogSettings, DetectorSettings) {
    config::only(root, "detector");
    (config::log(root), config::detector(root))
}

/// The longest that match may leave a transaction undecided: a hung one holds back every reader of `facts`.
const MATCH_TRANSACTION_MAX: Duration = Duration::from_secs(10);

/// What the topics say of the installation.
#[derive(Clone)]
struct Layout {
    cluster_id: String,
    facts: u32,
    alerts: u32,
    sources: SourceCounts,
}

/// What every worker of the process is made of.
#[derive(Clone)]
struct Parts {
    log: LogSettings,
    settings: DetectorSettings,
    rules: RuleSet,
    layout: Layout,
    metrics: Metrics,
    now: Stopwatch,
}

pub(super) fn start((log, settings): (LogSettings, DetectorSettings), context: Context) -> Result<(), Failure> {
    let loaded = rules::load(&settings.rules).map_err(Failure::misconfigured)?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "a rule is unwise");
    }
    if loaded.rule_set.rules().is_empty() {
        return Err(Failure::misconfigured(anyhow::anyhow!("there are no rules to run")));
    }
    let rules = canary::with_canary(&loaded.rule_set).map_err(Failure::misconfigured)?;
    tracing::info!(rules = rules.rules().len(), hash = %rules.hash(), "rules loaded");
    let begun = Instant::now();
    let parts = Parts {
        layout: layout(&log).map_err(failure)?,
        metrics: Metrics::register(context.metrics.registry())?,
        now: Arc::new(move || begun.elapsed()),
        rules,
        log,
        settings,
    };
    let mut threads = Vec::new();
    for slot in 0..parts.settings.match_workers {
        let made_of = parts.clone();
        let stage = move || made_of.match_stage();
        threads.push(parts.run(&context, MATCH_GROUP, slot, &topic::EVENTS, stage)?);
    }
    let budget = Budget {
        block_cache_bytes: size(parts.settings.block_cache),
        write_buffer_bytes: size(parts.settings.write_buffers),
    };
    let shared = Shared::new(budget);
    for slot in 0..parts.settings.correlate_workers {
        let (made_of, shared) = (parts.clone(), shared.clone());
        let stage = move || made_of.correlate_stage(shared.clone());
        threads.push(parts.run(&context, CORRELATE_GROUP, slot, &[topic::FACTS], stage)?);
    }
    join(threads)
}

fn layout(log: &LogSettings) -> Result<Layout, Error> {
    let mut reader = KafkaReader::connect(&log.kafka, Arc::new(Unobserved))?;
    let mut count = |name| reader.partition_count(name);
    let [security, audit, access] = [
        count(topic::EVENTS[0])?,
        count(topic::EVENTS[1])?,
        count(topic::EVENTS[2])?,
    ];
    let (facts, alerts, changelog) = (count(topic::FACTS)?, count(topic::ALERTS)?, count(topic::CHANGELOG)?);
    // That they are there, and that we may write to them, is found out now and not when first something is late.
    for topic in [topic::DEAD_LETTERS, topic::LATE_FACTS] {
        count(topic)?;
    }
    if changelog != facts {
        return Err(Error::Misconfigured(format!(
            "`{}` has {changelog} partitions and `{}` has {facts}: they must be equal",
            topic::CHANGELOG,
            topic::FACTS
        )));
    }
    Ok(Layout {
        cluster_id: reader.cluster_id()?,
        facts,
        alerts,
        sources: SourceCounts {
            security,
            audit,
            access,
            facts,
        },
    })
}

impl Parts {
    fn match_stage(&self) -> MatchStage {
        let settings = MatchSettings {
            facts_partitions: self.layout.facts,
            alerts_partitions: self.layout.alerts,
            tick_interval: self.settings.tick_interval,
        };
        MatchStage::new(&self.rules, settings, self.now.clone(), self.metrics.clone())
    }

    fn correlate_stage(&self, shared: Shared) -> CorrelateStage<Disk> {
        let settings = CorrelateSettings {
            sources: self.layout.sources,
            alerts_partitions: self.layout.alerts,
            tick_interval: self.settings.tick_interval,
            flush_interval: self.settings.flush_interval,
            memory_bytes_max: size(self.settings.partition_memory_max),
        };
        let disk = Disk {
            shared,
            dir: self.settings.state_dir.clone(),
            layout: self.layout.clone(),
        };
        CorrelateStage::new(
            self.rules.clone(),
            settings,
            disk,
            self.now.clone(),
            self.metrics.clone(),
        )
    }

    /// A thread that runs a worker of a stage until a stop is requested.
    fn run<G: Stage>(
        &self,
        context: &Context,
        group: &'static str,
        slot: u32,
        topics: &'static [&'static str],
        stage: impl Fn() -> G + Send + 'static,
    ) -> Result<JoinHandle<Result<(), Failure>>, Failure> {
        let name = format!("{group}-{slot}");
        let readiness = context.health.readiness(name.as_str());
        let alive = context.health.alive(name.as_str(), SILENCE_MAX);
        let watch = Arc::new(Watch::new(&context.metrics, readiness.clone()));
        let (stop, parts) = (context.stop.clone(), self.clone());
        let slot = format!("{}-{slot}", parts.log.instance);
        let pace = Pace {
            commit_interval: parts.settings.commit_interval,
            ..Pace::default()
        };
        let mut kafka = parts.log.kafka.clone();
        if group == MATCH_GROUP {
            kafka.transaction_timeout = kafka.transaction_timeout.min(MATCH_TRANSACTION_MAX);
        }
        worker(name, context, move || {
            let done = keep_running(&stop, &readiness, || {
                let session = KafkaSession::connect(&kafka, group, &slot, topics, topic::CHANGELOG, watch.clone())?;
                let mut worker = Worker::new(session, stage(), pace, parts.now.clone());
                worker.run(|| {
                    alive.beat();
                    stop.requested()
                })
            });
            alive.finish();
            done
        })
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The images of this instance: a directory for each facts partition.
struct Disk {
    shared: Shared,
    dir: PathBuf,
    layout: Layout,
}

impl Disk {
    fn place(&self, partition: u32) -> PathBuf {
        self.dir.join(format!("{}-{partition}", topic::FACTS))
    }
}

impl Images for Disk {
    type Image = RocksImage;

    fn open(&mut self, partition: u32) -> Result<RocksImage, ImageError> {
        let identity = Identity {
            cluster_id: self.layout.cluster_id.clone(),
            topic: topic::FACTS.to_owned(),
            partition,
            partition_count: self.layout.facts,
            schema_version: SCHEMA_VERSION,
        };
        let (image, opened) = RocksImage::open(&self.shared, &self.place(partition), &identity)?;
        match opened {
            Opened::Fresh => tracing::info!(partition, "new state image"),
            Opened::Kept => tracing::info!(partition, covers = image.covers(), "state image opened"),
            Opened::SetAside { reason, path } => {
                tracing::error!(partition, ?reason, path = %path.display(), "state image set aside: rebuilding it from the changelog");
            }
        }
        Ok(image)
    }

    fn discard(&mut self, partition: u32, image: RocksImage) -> Result<RocksImage, ImageError> {
        image.discard()?;
        self.open(partition)
    }
}
